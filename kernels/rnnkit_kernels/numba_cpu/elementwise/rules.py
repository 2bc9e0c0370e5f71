"""The rules of optimizers, one pass each: `rnnkit.optimizers` has the equations, and the same bits.

A pass goes block by block, so that what one loop of a block leaves the next one finds in the innermost cache. Each loop
writes one array, because the compiler asks of every pair of arrays whether they overlap, and gives up on vectors where
there are too many; and its index has no sign, because one that had would be taken to count from the end where negative.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..jit import compiled

__all__ = ["RULES"]

_ZERO, _BLOCK = np.uint64(0), np.uint64(512)


@compiled
def adam(p, g, m, v, p2, m2, v2, numbers):  # type: ignore[no-untyped-def]
    alpha, share_m, share_v, epsilon = numbers[0], numbers[1], numbers[2], numbers[3]
    size = np.uint64(p.size)
    for first in range(_ZERO, size, _BLOCK):
        last = min(size, first + _BLOCK)
        for i in range(first, last):
            m2[i] = m[i] + (g[i] - m[i]) * share_m
        for i in range(first, last):
            v2[i] = v[i] + (g[i] * g[i] - v[i]) * share_v
        for i in range(first, last):
            p2[i] = p[i] - alpha * m2[i] / (np.sqrt(v2[i]) + epsilon)


@compiled
def rmsprop(p, g, v, p2, v2, numbers):  # type: ignore[no-untyped-def]
    rate, rho, rest, epsilon = numbers[0], numbers[1], numbers[2], numbers[3]
    size = np.uint64(p.size)
    for first in range(_ZERO, size, _BLOCK):
        last = min(size, first + _BLOCK)
        for i in range(first, last):
            v2[i] = rho * v[i] + rest * (g[i] * g[i])
        for i in range(first, last):
            p2[i] = p[i] - rate * g[i] / np.sqrt(v2[i] + epsilon)


RULES: dict[str, Callable[..., Any]] = {"adam": adam, "rmsprop": rmsprop}
