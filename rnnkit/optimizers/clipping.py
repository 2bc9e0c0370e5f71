"""Clipping: gradients that are too long are shortened before a step."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from rnnkit_kernels.types import Array

from .. import trees

__all__ = ["by_global_norm", "by_norm", "by_value"]


def by_norm(grads: Any, longest: float) -> Any:
    """Each array scaled down to the L2 norm `longest` where it is longer.

    The two biases of a GRU, "b" and "b_h" in one dict, have one norm: to Keras they are one array.
    """
    if isinstance(grads, dict):
        return {
            name: by_norm(g, longest)
            if (other := grads.get(_other_bias(name))) is None
            else _scaled(g, longest, _square(g) + _square(other))
            for name, g in grads.items()
        }
    if isinstance(grads, list | tuple):
        parts = [by_norm(g, longest) for g in grads]
        return parts if isinstance(grads, list) else tuple(parts)
    return _scaled(grads, longest, _square(grads))


def _other_bias(name: Any) -> str | None:
    """The name of the bias beside this one: "forward.b_h" for "forward.b", and the reverse; None for other names."""
    inside, _, last = str(name).rpartition(".")
    other = {"b": "b_h", "b_h": "b"}.get(last)
    return other if other is None or not inside else f"{inside}.{other}"


def by_global_norm(grads: Any, longest: float) -> Any:
    """All arrays scaled down by one number, so that together they have the L2 norm `longest`, if it is larger."""
    square = sum(_square(g) for g in trees.leaves(grads))
    return trees.map(lambda g: _scaled(g, longest, square), grads)


def by_value(grads: Any, limit: float) -> Any:
    """Every entry limited to [-limit, limit]."""
    return trees.map(lambda g: np.clip(g, -limit, limit), grads)


def _square(g: Array) -> Any:
    """The squared L2 norm, a float64 scalar: a float32 square overflows at 1.8e19, just where clipping is wanted."""
    return np.square(g, dtype=np.float64).sum()


def _scaled(g: Array, longest: float, square: Any) -> Array:
    return cast(Array, g * (longest / np.maximum(np.sqrt(square), longest)).astype(g.dtype))
