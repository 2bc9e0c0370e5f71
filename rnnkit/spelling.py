"""Objects as plain data, for a file's metadata, and back: by names that are looked up, never by code from the file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from rnnkit_kernels import activations, cells

from . import constraints, initializers, layers, losses, metrics, optimizers, regularizers, schedules

__all__ = ["read", "spell"]

_TABLES: dict[str, dict[str, Any]] = {
    "layer": layers.ALL,
    "cell": {type(c).__name__: type(c) for c in cells.ALL},
    "optimizer": {c.__name__: c for c in optimizers.ALL},
    "schedule": schedules.ALL,
    "loss": {type(loss).__name__: type(loss) for loss in losses.ALL},
    "metric": metrics.CLASSES,
    "initializer": {c.__name__: c for c in initializers.ALL.values()},
    "regularizer": regularizers.ALL,
    "constraint": constraints.ALL,
}
_KIND = {kind: name for name, table in _TABLES.items() for kind in table.values()}  # a class -> the table it stands in
# What rnnkit's own classes take in a field, by the last word of its name. "activation" stands in no table: a file has
# one by its name, or as an object of `custom`.
_FIELDS = {
    **dict.fromkeys(("layer", "layers"), "layer"),
    **{kind: kind for kind in ("cell", "regularizer", "constraint", "initializer", "activation")},
    "rate": "schedule",
}


def spell(value: Any) -> Any:
    """An object as plain data: numbers and names as they are, a dataclass as its class, its kind and its fields.

    Fields marked `saved=False` are left out. Raises ValueError for what has no name that a file could keep.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (np.integer, np.floating)):
        return value.item()
    if isinstance(value, (tuple, list)):
        return [spell(v) for v in value]
    if isinstance(value, type) and value in _KIND:
        value = value()  # a class stands for one with its defaults
    if is_dataclass(value) and not isinstance(value, type):
        kind, name = _KIND.get(type(value)), type(value).__name__
        if kind is None and any(name in table for table in _TABLES.values()):
            raise ValueError(f"a class of yours is called {name}, as one of rnnkit's own is: a file would mix them up")
        kept = [f.name for f in fields(value) if f.init and f.metadata.get("saved", True)]
        return {"class": name, "kind": kind or "custom"} | {k: spell(getattr(value, k)) for k in kept}
    if activations.name_of(value) in activations.ALL:
        return activations.name_of(value)
    if activations.name_of(value) == "<lambda>":
        raise ValueError("a lambda has no name that a file could keep; write it with def")
    return {"custom": activations.name_of(value)}


def read(entry: Any, custom: Iterable[Any], kind: str | None = None) -> Any:
    """The inverse of `spell`. A class comes from rnnkit's own tables or from `custom`, never from the file.

    kind: the table that the class must stand in ("layer", "loss", ...); where it is not given, the file says.
    """
    return _read(entry, {_name(c): c for c in custom}, kind)


def _read(entry: Any, custom: dict[str, Any], kind: str | None = None) -> Any:
    if isinstance(entry, list):
        return tuple(_read(e, custom, kind) for e in entry)
    if not isinstance(entry, dict):
        return entry
    name = entry["custom"] if "custom" in entry else entry["class"]
    own = "custom" in entry or entry["kind"] == "custom"
    if not own and kind not in (None, entry["kind"]):
        raise ValueError(f"it has {name!r}, one of the kind {entry['kind']!r}, where one of the kind {kind!r} belongs")
    known = custom if own else _TABLES[entry["kind"]]
    if name not in known:
        raise ValueError(
            f"it was made with {name!r}, which is not part of rnnkit; pass it as load(path, custom=[{name}])"
        )
    if "custom" in entry:
        if not isinstance(known[name], type):
            return known[name]
        if kind == "metric":
            return known[name]()
        raise ValueError(f"it was made with an object of {name}; pass one, as load(path, custom=[{name}()])")
    given = {k: v for k, v in entry.items() if k not in ("class", "kind")}
    return known[name](**{k: _read(v, custom, None if own else _kind_of(k)) for k, v in given.items()})


def _kind_of(field: str) -> str | None:
    """The kind of object that a field of rnnkit's own classes takes, where its name tells."""
    return _FIELDS.get(field.rpartition("_")[2])


def _name(value: Any) -> str:
    return value.__name__ if isinstance(value, type) or hasattr(value, "__name__") else type(value).__name__
