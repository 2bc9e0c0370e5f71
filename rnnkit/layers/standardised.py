"""Numbers brought to mean 0 and variance 1: what layer and batch normalization share, and the way back.

    n = sum w            mean = sum w x / (n + d)            var = sum w (x - mean)^2 / (n + d)
    r = (var + epsilon)^(-1/2)        z = (x - mean) r        y = gamma z + beta

The sums run over the axes of the statistics; w is 1, and 0 at masked steps. d is 0, or 1e-7 where there is a mask, so
that nothing real divides by zero.

Backwards, with dz = dL/dz = gamma dy, by the chain rule from the last equation to the first:

    dvar  = -1/2 r^2 S                                          S = sum dz z
    dmean = -r sum dz - 2 dvar sum w (x - mean) / (n + d)
    dx    = r dz + w (2 dvar (x - mean) + dmean) / (n + d) = r (dz - w (z S + sum dz - S sum w z / (n + d)) / (n + d))

The last form is computed: r^2 may be too small for a number. The sum of w z is 0 without a mask, else as small as d.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from rnnkit_kernels.types import Array

__all__ = ["product", "standardised", "total"]


def standardised(
    x: Array, axes: tuple[int, ...], epsilon: float, w: Array | None = None
) -> tuple[Array, tuple[Array, Array], Callable[[Array], Array]]:
    """z, the mean and variance (sizes 1 along `axes`), and dz -> dx: the formulas at the head of this file."""
    if w is None:
        count = x.real.dtype.type(math.prod(x.shape[axis] for axis in axes))
    else:
        count = w.sum(axis=axes, keepdims=True, dtype=x.real.dtype) + x.real.dtype.type(1e-7)

    def real(a: Array) -> Array:
        return a if w is None else np.where(w, a, 0)

    mean = total(real(x), axes) / count
    off = x - mean
    real_off = real(off)
    variance = product(real_off, real_off, axes) / count
    r = 1 / np.sqrt(variance + epsilon)
    z = off * r

    def back(dz: Array) -> Array:
        along, level = product(dz, z, axes), total(dz, axes)
        if w is not None:
            level = level - along * total(real(z), axes) / count
        return (real(z * (along / -count) - level / count) + dz) * r

    return z, (mean, variance), back


def total(a: Array, axes: tuple[int, ...]) -> Array:
    """The sum over the axes, of size 1 then."""
    return a.sum(axis=axes, keepdims=True)


def product(a: Array, b: Array, axes: tuple[int, ...]) -> Array:
    """The sum of a b over the axes, of size 1 then, without an array of all the products."""
    every = range(a.ndim)
    found = np.einsum(a, [*every], b, [*every], [axis for axis in every if axis not in axes])
    return found.reshape([1 if axis in axes else n for axis, n in enumerate(a.shape)])
