"""Models as files: safetensors, with the configuration in its metadata. Never pickle, and never half a file."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from rnnkit_kernels import activations, cells

from . import initializers, layers, losses, metrics, optimizers
from .model import Sequential

__all__ = ["load", "save"]

_FORMAT = "rnnkit model 1"
_TABLES: dict[str, Any] = {
    "layer": layers.ALL,
    "cell": {type(c).__name__: type(c) for c in cells.ALL},
    "optimizer": {c.__name__: c for c in optimizers.ALL},
    "loss": {type(loss).__name__: type(loss) for loss in losses.ALL},
    "initializer": {c.__name__: c for c in initializers.ALL.values()},
}


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
        "layers": [_spell(layer) for layer in model.layers],
        "compiled": None
        if model.loss is None
        else {
            "optimizer": _spell(model.optimizer),
            "loss": _spell(model.loss),
            "metrics": [m.name for m in model.metrics],
        },
    }
    tensors = {f"{k}.{name}": np.ascontiguousarray(w) for k, p in enumerate(model.params) for name, w in p.items()}
    write_atomically(Path(path), to_bytes(tensors, {"rnnkit": json.dumps(config)}))


def write_atomically(path: Path, content: bytes) -> None:
    """The whole content or the file that was there before: a temporary file beside it, then a rename."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; give the name of a file")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} to write {path.name} into")
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except PermissionError:
        raise PermissionError(f"the folder {path.parent} cannot be written to, so {path.name} was not saved") from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


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
            model = _from_config(path, metadata.get("rnnkit"), sizes, {_name(c): c for c in custom})
            model.params = [{name: file.get_tensor(f"{k}.{name}") for name in p} for k, p in enumerate(model.params)]
    except SafetensorError as error:
        raise ValueError(
            f"{path} is no whole safetensors file ({error}); it may be cut short, or be something else"
        ) from None
    return model


def _from_config(path: Path, text: str | None, sizes: dict[str, Any], custom: dict[str, Any]) -> Sequential:
    try:
        config = json.loads(text or "null")
        if not isinstance(config, dict) or config.get("format") != _FORMAT:
            raise ValueError("it is a safetensors file without a model of rnnkit in it")
        stack = [_read("layer", entry, custom) for entry in config["layers"]]
        shape = tuple(config["shape"])
        if not all(n is None or (isinstance(n, int) and n > 0) for n in shape):
            raise ValueError(f"its input shape is {shape}")
        model = Sequential(dtype=config["dtype"], seed=config["seed"])
        _compare(stack, shape, sizes, {"float32": "F32", "float64": "F64"}[config["dtype"]])
        if config["steps_fixed"]:
            model.add(layers.Input(shape[1:]))
        for layer in stack:
            model.add(layer)
        model.accept((None, *shape[1:]))
        if (compiled := config["compiled"]) is not None:
            model.compile(
                _read("optimizer", compiled["optimizer"], custom),
                _read("loss", compiled["loss"], custom),
                [_metric(name, custom) for name in compiled["metrics"]],
            )
    except (KeyError, TypeError, AttributeError, RecursionError, json.JSONDecodeError) as error:
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


def _spell(value: Any) -> Any:
    """An object as plain data: names for what has one, class and fields for dataclasses."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (np.integer, np.floating)):
        return value.item()
    if isinstance(value, (tuple, list)):
        return [_spell(v) for v in value]
    if isinstance(value, type) and any(value in table.values() for table in _TABLES.values()):
        value = value()  # a class stands for one with its defaults
    if is_dataclass(value) and not isinstance(value, type):
        same = [table[name] for table in _TABLES.values() if (name := type(value).__name__) in table]
        if same and type(value) not in same:
            raise ValueError(f"a class of yours is called {name}, as one of rnnkit's own is: a file would mix them up")
        return {"class": type(value).__name__} | {
            f.name: _spell(getattr(value, f.name)) for f in fields(value) if f.init
        }
    if activations.name_of(value) in activations.ALL:
        return activations.name_of(value)
    if activations.name_of(value) == "<lambda>":
        raise ValueError("a lambda has no name that a file could keep; write it with def")
    return {"custom": activations.name_of(value)}


def _read(kind: str, entry: Any, custom: dict[str, Any]) -> Any:
    """The inverse of `_spell`. A class comes from rnnkit's own tables or from `custom`, never from the file."""
    if isinstance(entry, list):
        return tuple(_read(kind, e, custom) for e in entry)
    if not isinstance(entry, dict):
        return entry
    name = entry.get("custom") or entry["class"]
    tables = (_TABLES[kind],) if kind in _TABLES else _TABLES.values()
    known = custom if "custom" in entry else custom | {k: v for table in tables for k, v in table.items()}
    if name not in known:
        raise ValueError(
            f"it was made with {name!r}, which is not part of rnnkit; pass it as load(path, custom=[{name}])"
        )
    if "custom" in entry:
        if isinstance(known[name], type):
            raise ValueError(f"it was made with an object of {name}; pass one, as load(path, custom=[{name}()])")
        return known[name]
    options = {k: _read(_kind_of(k), v, custom) for k, v in entry.items() if k != "class"}
    return known[name](**options)


def _metric(name: str, custom: dict[str, Any]) -> Any:
    """A metric of the user's by the name that it has in a history, else one of rnnkit's."""
    own = {getattr(c, "name", None): c for c in custom.values()}
    if name not in own:
        try:
            return metrics.get(name)
        except ValueError:
            raise ValueError(
                f"it has the metric {name!r} of its maker's; pass it as load(path, custom=[...])"
            ) from None
    return own[name]() if isinstance(own[name], type) else own[name]


def _kind_of(field: str) -> str:
    return "cell" if field == "cell" else "initializer" if field.endswith("_initializer") else "other"


def _name(value: Any) -> str:
    return value.__name__ if isinstance(value, type) or hasattr(value, "__name__") else type(value).__name__


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
