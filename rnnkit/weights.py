"""The weights of layers in a row as one list, in Keras' order and shapes, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rnnkit_kernels.devices import host, is_here
from rnnkit_kernels.types import Array

from .border import to_array, to_finite
from .layers.base import Layer, Params

__all__ = ["listed", "taken"]


def listed(layers: Sequence[Layer], trees: Sequence[Params]) -> list[list[Array]]:
    """Copies in main memory of the arrays of a tree nested like parameters, for each layer a list."""
    return [
        [a.copy() if is_here(a) else host(a) for a in layer.to_list(p)] for layer, p in zip(layers, trees, strict=True)
    ]


def taken(layers: Sequence[Layer], like: Sequence[Params], weights: Sequence[Any], dtype: Any) -> list[Params]:
    """Parameters in main memory from a list in that order. Raises ValueError naming the first array that `like` has no
    place for."""
    current = listed(layers, like)
    count = sum(map(len, current))
    if len(weights) != count:
        raise ValueError(f"the model has {count} weight arrays, got {len(weights)}")
    given = iter(weights)
    fresh: list[Params] = []
    for k, (layer, arrays, names) in enumerate(zip(layers, current, like, strict=True)):
        found = []
        for number, old in enumerate(arrays):
            what = f"layer {k} {type(layer).__name__}: weight {number}"
            new = to_finite(what, to_array(what, next(given), dtype)).copy()
            if new.shape != old.shape:
                raise ValueError(f"{what} has shape {old.shape}; got {new.shape}")
            found.append(new)
        fresh.append(layer.from_list(found, names))
    return fresh
