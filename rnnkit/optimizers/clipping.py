"""Clipping: gradients that are too long are shortened before a step."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from rnnkit_kernels.types import Array

from .. import trees

__all__ = ["by_global_norm", "by_norm", "by_value"]


def by_norm(grads: Any, longest: float) -> Any:
    """Each array scaled down to the L2 norm `longest` where it is longer."""
    return trees.map(lambda g: _scaled(g, longest, _square(g)), grads)


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
