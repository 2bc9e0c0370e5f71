"""A fitted forecaster as one file: its model as `rnnkit.saving` has it, and all that forecasts are made with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from rnnkit_kernels.backends import backend as backend_of
from rnnkit_kernels.types import Array

from .. import saving
from ..border import whole
from ..model import Sequential
from ..placing import there
from ..spelling import spell
from .fitted import Fitted
from .methods import Method
from .plan import Plan
from .rivals import Linear, Rivals
from .rows import Rows
from .scale import KINDS, Scale, check_scaler
from .spacing import UNITS

__all__ = ["load", "save"]

_MODEL = "model."  # before the names of its weights
_Shapes = dict[str, tuple[int, ...]]


def save(model: Sequential, plan: Plan, fitted: Fitted, path: str | PathLike[str]) -> None:
    """See `Forecaster.save`."""
    table, linear = fitted.table, fitted.rivals.linear
    scaler, learnt = _spelt(plan.scaler)
    targets = plan.targets.tolist() if hasattr(plan.targets, "tolist") else plan.targets
    asked = vars(plan) | {"scaler": None, "targets": targets}
    config = {
        "format": saving.FORECASTER,
        "model": saving.config_of(model),
        "backend": model.backend.name,
        "plan": {name: spell(value) for name, value in asked.items()} | {"scaler": scaler},
        "columns": {"names": table.names, "units": table.units, "named": table.named},
        "step": table.step,
        "begins": None if table.dates is None else str(table.dates[0]),
        "period": spell(fitted.rivals.period),
        "cuts": fitted.cuts,
        "linear": linear is not None,
    }
    arrays = {"scale.origin": fitted.scale.origin, "scale.unit": fitted.scale.unit} | learnt
    if linear is not None:
        arrays |= {f"linear.{f.name}": getattr(linear, f.name) for f in fields(linear)}
    saving.write(Path(path), saving.tensors(model.params, _MODEL) | arrays, config)


def load(path: str | PathLike[str], custom: Iterable[Any], backend: str | None) -> tuple[Sequential, Plan, Fitted]:
    """See `Forecaster.load`."""
    return saving.opened(path, "a forecaster", lambda file: _read(file, custom, backend))


def _read(file: saving.Opened, custom: Iterable[Any], backend: str | None) -> tuple[Sequential, Plan, Fitted]:
    config = file.config
    kind = config.get("format")
    if kind in saving.MODELS:
        raise ValueError("it is a model, which rnnkit.load reads")
    if kind != saving.FORECASTER:
        raise ValueError("it is a safetensors file without a forecaster of rnnkit in it")
    table = _columns(config)
    D = len(table.names)
    plan = Plan(**{f.name: config["plan"][f.name] for f in fields(Plan) if f.name != "scaler"}, scaler=None)
    method = plan.on(table.names)
    shapes = _shapes(config, method, D)
    own = {name: size for name, size in file.sizes.items() if not name.startswith(_MODEL)}
    saving.compare(shapes, own, "float64")
    weights = {name.removeprefix(_MODEL): size for name, size in file.sizes.items() if name.startswith(_MODEL)}
    model = saving.sequential(config["model"], weights, custom)
    saving.compare(saving.planned(model.layers, (None, plan.window, D)), weights, config["model"]["dtype"])
    model.backend = backend_of(config["backend"] if backend is None else backend)
    model.params = there(model.backend, saving.filled(model.params, file.tensor, _MODEL))
    arrays = {name: _finite(name, file.tensor(name)) for name in shapes}
    scaler = _scaler(config["plan"]["scaler"], arrays)
    scale = Scale(arrays["scale.origin"], arrays["scale.unit"], isinstance(scaler, KINDS))
    if not (scale.unit > 0).all():
        raise ValueError(f"the unit of its scale is {scale.unit}, and is above 0")
    linear = Linear(**{f.name: arrays[f"linear.{f.name}"] for f in fields(Linear)}) if config["linear"] else None
    rivals = Rivals(method, _or_none("period", config["period"]), linear)
    cuts = [whole("cuts", n, 0) for n in config["cuts"]]
    if len(cuts) != 2:
        raise ValueError(f"its cuts are {cuts}: expected the rows at which training and validation end")
    fitted = Fitted(table, method, method.answer_of(model), scale, rivals, (cuts[0], cuts[1]))
    return model, replace(plan, scaler=scaler), fitted


def _columns(config: dict[str, Any]) -> Rows:
    """A table without rows that has names, units and steps of the one that was learnt from."""
    names, units = (tuple(config["columns"][key]) for key in ("names", "units"))
    if not names or len(names) != len(units) or not all(isinstance(text, str) for text in (*names, *units)):
        raise ValueError(f"its columns are {names}, in the units {units}: expected a name and a unit for each")
    begins = None if config["begins"] is None else np.array([np.datetime64(config["begins"])])
    if begins is not None and np.isnat(begins).any():
        raise ValueError(f"its series begins at {config['begins']!r}, which is no date")
    step = config["step"]
    if step is not None:
        step = whole("step", step[0], 1), step[1]
        if step[1] not in UNITS:
            raise ValueError(f"its step is in {step[1]!r}: expected one of {', '.join(UNITS)}")
    return Rows(np.empty((0, len(names))), names, units, begins, step, None, bool(config["columns"]["named"]))


def _shapes(config: dict[str, Any], method: Method, D: int) -> _Shapes:
    """The shapes of all arrays beside the model's weights."""
    shapes: _Shapes = {"scale.origin": (D,), "scale.unit": (D,)}
    scaler = config["plan"]["scaler"]
    if isinstance(scaler, dict) and scaler["shape"] is not None:
        shape = tuple(scaler["shape"])
        if shape not in ((), (D,)):
            raise ValueError(f"its scaler has the shape {shape}: expected () or {(D,)}")
        shapes |= {f"scaler.{f.name}": shape for f in fields(_kind(scaler))}
    if config["linear"]:
        wide, made = method.window * D + 1, method.horizon * len(method.targets)
        shapes |= {"linear.mean": (D,), "linear.std": (D,), "linear.weights": (wide, made)}
    return shapes


def _spelt(scaler: Any) -> tuple[Any, dict[str, Array]]:
    """A scaler as plain data, and the arrays of one that was fitted elsewhere."""
    if scaler is None or isinstance(scaler, str):
        return scaler, {}
    kind = scaler if isinstance(scaler, type) else type(scaler)
    if kind not in KINDS:
        raise ValueError(f"a file knows the scalers {' and '.join(k.__name__ for k in KINDS)}; got {kind.__name__}")
    if kind is scaler:
        return {"class": kind.__name__, "shape": None}, {}
    arrays = {f"scaler.{f.name}": getattr(scaler, f.name) for f in fields(kind)}
    return {"class": kind.__name__, "shape": arrays[min(arrays)].shape}, arrays


def _scaler(spelt: Any, arrays: dict[str, Array]) -> Any:
    """The inverse of `_spelt`."""
    if not isinstance(spelt, dict):
        check_scaler(spelt)
        return spelt
    kind = _kind(spelt)
    return kind if spelt["shape"] is None else kind(*(arrays[f"scaler.{f.name}"] for f in fields(kind)))


def _kind(spelt: dict[str, Any]) -> Any:
    return {kind.__name__: kind for kind in KINDS}[spelt["class"]]


def _finite(name: str, array: Array) -> Array:
    if not np.isfinite(array).all():
        raise ValueError(
            f"{name} has a number that is not finite, {int((~np.isfinite(array)).sum())} of {prod(array.shape)}"
        )
    return array


def _or_none(name: str, number: Any) -> int | None:
    return None if number is None else whole(name, number, 1)
