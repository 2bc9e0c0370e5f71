"""Models as files: safetensors, with the configuration in its metadata. Never pickle, and never half a file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from . import layers
from .files import write_atomically
from .model import Sequential
from .spelling import read, spell

__all__ = ["load", "save"]

_FORMAT = "rnnkit model 1"


def save(model: Sequential, path: str | PathLike[str]) -> None:
    """See `Sequential.save`. Raises ValueError for an unbuilt model or for an object that a file cannot name."""
    from safetensors.numpy import save as to_bytes

    if not model.built:
        raise ValueError("an unbuilt model has no weights to save: build it, or use it on data first")
    config = {
        "format": _FORMAT,
        "dtype": str(model.dtype),
        "seed": model.seed,
        "shape": model.shapes[0],
        "steps_fixed": model.input_shape == model.shapes[0],
        "layers": [spell(layer) for layer in model.layers],
        "compiled": None
        if model.loss is None
        else {
            "optimizer": spell(model.optimizer),
            "loss": spell(model.loss),
            "metrics": [spell(m) for m in model.metrics],
            "weighted_metrics": [spell(m) for m in model.weighted_metrics],
        },
    }
    tensors = {f"{k}.{name}": np.ascontiguousarray(w) for k, p in enumerate(model.params) for name, w in p.items()}
    write_atomically(Path(path), to_bytes(tensors, {"rnnkit": json.dumps(config)}))


def load(path: str | PathLike[str], custom: Iterable[Any] = ()) -> Sequential:
    """The model that `Sequential.save` wrote: layers, weights, dtype, seed, and how it was compiled.

    custom   classes of your own that the model was made of, such as the cell of an RNN: they are code, a file only
             names them
    raises   FileNotFoundError; ValueError, in a sentence, for a file that is cut short, is no rnnkit model, or whose
             weights do not match its configuration. Sizes are compared before any memory is taken.
    The optimizer's moments are not saved: training goes on with fresh ones.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            found = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            sizes = {name: (tuple(s.get_shape()), s.get_dtype()) for name, s in found.items()}
            model = _from_config(path, metadata.get("rnnkit"), sizes, custom)
            model.params = [{name: file.get_tensor(f"{k}.{name}") for name in p} for k, p in enumerate(model.params)]
    except SafetensorError as error:
        raise ValueError(
            f"{path} is no whole safetensors file ({error}); it may be cut short, or be something else"
        ) from None
    return model


def _from_config(path: Path, text: str | None, sizes: dict[str, Any], custom: Iterable[Any]) -> Sequential:
    try:
        config = json.loads(text or "null")
        if not isinstance(config, dict) or config.get("format") != _FORMAT:
            raise ValueError("it is a safetensors file without a model of rnnkit in it")
        stack = [read(entry, custom, "layer") for entry in config["layers"]]
        shape = tuple(config["shape"])
        if not all(n is None or (isinstance(n, int) and n > 0) for n in shape):
            raise ValueError(f"its input shape is {shape}")
        if not config["steps_fixed"] and stack and stack[0].input_shape is not None:
            raise ValueError(f"its first layer says input_shape={stack[0].input_shape}, and that the shape is free")
        model = Sequential(dtype=config["dtype"], seed=config["seed"])
        _compare(stack, shape, sizes, {"float32": "F32", "float64": "F64"}[config["dtype"]])
        if config["steps_fixed"]:
            model.add(layers.Input(shape[1:]))
        for layer in stack:
            model.add(layer)
        model.accept((None, *shape[1:]))
        if (compiled := config["compiled"]) is not None:
            model.compile(
                read(compiled["optimizer"], custom, "optimizer"),
                read(compiled["loss"], custom, "loss"),
                [read(entry, custom, "metric") for entry in compiled["metrics"]],
                [read(entry, custom, "metric") for entry in compiled["weighted_metrics"]],
            )
    except (LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} cannot be read as a model: its configuration is broken ({error})") from None
    except ValueError as error:
        raise ValueError(f"{path} cannot be read as a model: {error}") from None
    return model


def _compare(stack: list[Any], shape: Any, sizes: dict[str, Any], dtype: str) -> None:
    """Holds the configuration against the weights in the file, before anything of that size is made."""
    wanted: dict[str, Any] = {}
    for k, layer in enumerate(stack):
        plan, shape = layer.plan(shape)
        wanted |= {f"{k}.{name}": (size, dtype) for name, size in plan.items()}
    for name in sorted(wanted.keys() | sizes.keys()):
        if wanted.get(name) != sizes.get(name):
            raise ValueError(f"weight {name} should be {wanted.get(name, 'absent')} and is {sizes.get(name, 'absent')}")
