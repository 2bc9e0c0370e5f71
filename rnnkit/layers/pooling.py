"""MaxPooling1D and AveragePooling1D: a number made of the steps in each window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from rnnkit_kernels.types import Array

from ..context import DETERMINISTIC, Context
from .base import Layer, Params, Pullback, Shape, check_cotangent, feature_count
from .sliding import Sliding, WindowStream, one_number, padding_of

__all__ = ["AveragePooling1D", "MaxPooling1D"]

Taps = list[Array]
Share = Callable[[Array, int], Array]


@dataclass(frozen=True, repr=False)
class _Pooling(Layer):
    """The base of both: what is in the window, what is owed to it, and everything but the one number made of it."""

    pool_size: int = 2
    strides: int | None = None
    padding: str = "valid"

    rank = 3
    how: ClassVar[str]  # as compiled kernels call it

    def __post_init__(self) -> None:
        kind = type(self).__name__
        object.__setattr__(self, "pool_size", one_number(f"{kind}: pool_size", self.pool_size))
        if self.strides is not None:
            object.__setattr__(self, "strides", one_number(f"{kind}: strides", self.strides))
        object.__setattr__(self, "padding", padding_of(kind, self.padding, ("valid", "same")))

    @property
    def sliding(self) -> Sliding:
        stride = self.pool_size if self.strides is None else self.strides
        return Sliding(type(self).__name__, self.pool_size, stride, 1, self.padding)

    @property
    def reach(self) -> tuple[float, int]:
        return self.sliding.reach

    def plan(self, shape: Shape) -> tuple[dict[str, tuple[int, ...]], Shape]:
        return {}, self.sliding.planned(shape, feature_count(type(self).__name__, shape, rank=3))

    def pooled(self, taps: Taps, real: Taps | None) -> tuple[Array, Share]:
        """y (B, N, F) of the taps, (B, N, F) each, and share(dy, j): what of dy goes to tap j.

        real  which taps are there, (B, N, 1) each, or None where all are
        """
        raise NotImplementedError

    def __call__(self, params: Params, x: Array, ctx: Context = DETERMINISTIC) -> tuple[Array, Pullback]:
        sliding = self.sliding
        sliding.check(x, ctx.mask)
        B, T, F = x.shape
        window = sliding.window(T)
        kernel = ctx.kernels.pooling()
        if kernel is not None and ctx.mask is None and kernel.takes(x, window):
            y, tape = kernel.forward(self.how, x, window)

            def compiled_pullback(dy: Array) -> tuple[Params, Array]:
                check_cotangent(sliding.layer, dy, y.shape)
                return {}, kernel.backward(tape, dy)

            return y, compiled_pullback
        N, stride, inside = window.outputs(T), window.stride, slice(window.left, window.left + T)
        steps = window.left + T + window.right

        def taps(a: Array) -> Taps:
            return [a[:, j : j + (N - 1) * stride + 1 : stride] for j in range(window.size)]

        real = None
        if steps > T or ctx.mask is not None:
            flags = np.zeros_like(x, shape=(B, steps, 1), dtype=bool)
            flags[:, inside] = True if ctx.mask is None else ctx.mask[:, :, None]
            real = taps(flags)
        if steps > T:
            between = np.zeros_like(x, shape=(B, steps, F))
            between[:, inside] = x
            x = between
        y, share = self.pooled(taps(x), real)

        def pullback(dy: Array) -> tuple[Params, Array]:
            check_cotangent(sliding.layer, dy, (B, N, F))
            dx = np.zeros_like(dy, shape=(B, steps, F))
            for j, part in enumerate(taps(dx)):
                part += share(dy, j)
            return {}, dx[:, inside]

        return y, pullback

    def next_mask(self, mask: Array | None, x: Array) -> Array | None:
        return self.sliding.thinned(mask)

    def stream(self, params: Params, rows: int, ctx: Context = DETERMINISTIC) -> WindowStream:
        once = replace(self, strides=1, padding="valid")

        def compute(taps: Array, real: Array) -> Array:
            return once(params, taps, replace(ctx, mask=None if real.all() else real))[0][:, 0]

        return self.sliding.stream(rows, compute)


@dataclass(frozen=True, repr=False)
class MaxPooling1D(_Pooling):
    """The largest of the steps in a window. x (B, T, F) -> y (B, N, F), each feature by itself. No weights.

    pool_size  steps of a window
    strides    input steps between two windows; pool_size where None is given
    padding    "valid": only whole windows, N = (T - pool_size) // strides + 1; "same": N = ceil(T / strides), and what
               lies beyond the ends is not there
    A number may also be given as a tuple of one.

    Of several steps that are equally large the first takes the gradient, as in PyTorch and TensorFlow.

    A masked step is not there either, and a window without any real step gives 0. (Keras' layers take no notice of a
    mask and drop it.) An output step is real where the last step of its window is, with "same" the middle one.

    Streams unless padding is "same". Raises ValueError for numbers below 1, and where a "valid" window is longer than
    the sequence.
    """

    how = "largest"

    def pooled(self, taps: Taps, real: Taps | None) -> tuple[Array, Share]:
        if real is not None:
            taps = [np.where(r, a, -np.inf).astype(a.dtype, copy=False) for r, a in zip(real, taps, strict=True)]
        best = taps[0].copy()
        for a in taps[1:]:
            np.maximum(best, a, out=best)  # a NaN is not passed over
        # How many taps come before the first that is the largest: comparing and counting are faster than choosing.
        which = np.zeros_like(best, dtype=np.min_scalar_type(len(taps)))
        later = np.ones_like(best, dtype=bool)
        for j, a in enumerate(taps):
            later &= a != best if real is None else (a != best) | ~real[j]
            which += later
        y = best if real is None else np.where(_any(real), best, 0).astype(best.dtype, copy=False)
        return y, lambda dy, j: np.where(which == j, dy, 0)


@dataclass(frozen=True, repr=False)
class AveragePooling1D(_Pooling):
    """The mean of the steps in a window. Arguments, shapes, masks and errors: `MaxPooling1D`.

    With "same", the mean over the steps within the sequence, as in TensorFlow and JAX. (Keras on PyTorch, where the
    padding is one-sided, repeats the outermost step and counts it again.)
    """

    how = "mean"

    def pooled(self, taps: Taps, real: Taps | None) -> tuple[Array, Share]:
        if real is None:
            total: Any = sum(taps[1:], taps[0])
            return total / self.pool_size, lambda dy, j: dy / self.pool_size
        counted: Any = sum(r.astype(taps[0].dtype) for r in real)
        count = np.where(_any(real), counted, 1)
        total = sum(np.where(r, a, 0) for r, a in zip(real, taps, strict=True))
        return total / count, lambda dy, j: np.where(real[j], dy / count, 0)


def _any(flags: Taps) -> Array:
    found = flags[0]
    for more in flags[1:]:
        found = found | more
    return found
