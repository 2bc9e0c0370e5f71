"""What each kind of target is as a function of named arrays, and what its elements are called."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnkit_kernels.types import Array

from .. import losses
from ..context import Context
from ..layers.base import Layer
from ..layers.recurrent import Recurrent
from ..model import Sequential
from .compare import Index, Report, Settings, compare
from .recurrences import smooth, weight_element

__all__ = ["check_layer", "check_loss", "check_model"]


def check_layer(
    layer: Layer,
    settings: Settings,
    x: Any = None,
    *,
    shape: tuple[int, ...] = (3, 4, 2),
    mask: Any = None,
    dropout: bool = False,
) -> Report:
    """A layer as a function of its parameters and its input. With `dropout`, every call drops the same."""
    rng = np.random.default_rng(settings.seed)
    if layer.takes_indices and x is None:
        raise ValueError(f"{type(layer).__name__} chooses by index: give x, whole numbers")
    data = rng.standard_normal(shape) if x is None else np.asarray(x)
    drawn, _ = layer.init(rng, data.shape, "float64")
    learned = layer.learned(drawn)
    params = {  # what is not learned, a running variance for one, stays positive
        k: v + 0.3 * (rng.standard_normal(v.shape) if k in learned else rng.random(v.shape)) for k, v in drawn.items()
    }
    fixed = {"x": data} if layer.takes_indices else {}

    def run(at: dict[str, Array]) -> Any:
        ctx = Context("numpy", mask, np.random.default_rng(settings.seed) if dropout else None)
        return layer({k: at[k] for k in params}, (at | fixed)["x"], ctx)

    y, pullback = run(params | {"x": data})
    outputs = y if isinstance(y, tuple) else (y,)
    dy = tuple(rng.standard_normal(a.shape) for a in outputs)

    def value(at: dict[str, Array]) -> Any:
        y = run(at)[0]
        return sum((a * d).sum() for a, d in zip(y if isinstance(y, tuple) else (y,), dy, strict=True))

    dparams, dx = pullback(dy if isinstance(y, tuple) else dy[0])
    cell = layer.make_cell() if isinstance(layer, Recurrent) else None

    def where(name: str, index: Index) -> str:
        if cell is not None and name in params:
            return weight_element(cell, name, index, params["U"].shape[0])
        return f"{name}{list(index)}"

    is_smooth = smooth(cell if cell is not None else layer)
    moved = params if fixed else params | {"x": data}
    return compare(
        repr(layer), value, moved, {k: (dparams | {"x": dx})[k] for k in moved}, where,
        settings, settings.method_for(is_smooth),
    )  # fmt: skip


def check_model(
    model: Sequential,
    settings: Settings,
    x: Any,
    y: Any,
    loss: Any = None,
    *,
    mask: Any = None,
    sample_weight: Any = None,
) -> Report:
    """A model with its loss (the compiled one where none is named), as a function of all parameters and x."""
    if model.dtype != np.float64:
        raise ValueError(
            "gradcheck needs float64 and the model is float32: in float32 a difference keeps three digits, too few "
            "to tell a right gradient from a wrong one; build it with Sequential(..., dtype='float64')"
        )
    measure = losses.get(loss if loss is not None else (model.loss or "mse"))
    data, flags = model.prepare(x, mask)
    names = {
        f"layer {k} {type(layer).__name__}, {w}": (k, w)
        for k, layer in enumerate(model.layers)
        for w in model.params[k]
    }
    params, states = model.params, dict(model.states)

    def run(at: dict[str, Array]) -> tuple[Any, Any, Any]:
        fresh: list[dict[str, Array]] = [{} for _ in model.layers]
        for name, (k, w) in names.items():
            fresh[k][w] = at[name]
        try:
            model.params, model.states = fresh, dict(states)
            out, left, pullback = model.run((at | fixed)["x"], Context(model.backend, flags))
            penalty = model.penalty()[0]
        finally:
            model.params, model.states = params, states
        value, dy = measure(out, y, sample_weight=sample_weight, mask=left)
        return value + penalty, dy, pullback

    fixed = {"x": data} if data.dtype.kind == "i" else {}
    point = {name: params[k][w] for name, (k, w) in names.items()} | ({} if fixed else {"x": data})
    _, dy, pullback = run(point)
    dparams, dx = pullback(dy)
    dparams = [
        d | {w: d[w] + slope for w, slope in s.items()} for d, s in zip(dparams, model.penalty()[1], strict=True)
    ]

    def where(name: str, index: Index) -> str:
        if name == "x":
            return f"x{list(index)}"
        k, w = names[name]
        layer = model.layers[k]
        if isinstance(layer, Recurrent):
            element = weight_element(layer.make_cell(), w, index, params[k]["U"].shape[0])
            return f"layer {k} {type(layer).__name__}, {element}"
        return f"{name}{list(index)}"

    gradient = {name: dparams[k][w] for name, (k, w) in names.items()} | ({} if fixed else {"x": dx})
    return compare(
        f"Sequential of {len(model.layers)} layers", lambda at: run(at)[0], point, gradient, where,
        settings, settings.method_for_a_loss("a model"),
    )  # fmt: skip


def check_loss(
    loss: Any,
    settings: Settings,
    y: Any = None,
    target: Any = None,
    *,
    mask: Any = None,
    sample_weight: Any = None,
) -> Report:
    """A loss as a function of its first argument."""
    rng = np.random.default_rng(settings.seed)
    out = rng.standard_normal((4, 3)) if y is None else np.asarray(y)
    wanted = rng.standard_normal(out.shape) if target is None else target

    def value(at: dict[str, Array]) -> Any:
        return loss(at["y"], wanted, sample_weight=sample_weight, mask=mask)[0]

    dy = loss(out, wanted, sample_weight=sample_weight, mask=mask)[1]
    return compare(
        repr(loss), value, {"y": out}, {"y": dy}, lambda name, index: f"y{list(index)}",
        settings, settings.method_for_a_loss("a loss"),
    )  # fmt: skip
