"""GlobalMaxPooling1D and GlobalAveragePooling1D: the largest, or the mean, of all steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np

from rnnkit_kernels.types import Array

from ..context import DETERMINISTIC, Context
from .base import FEATURE_AXIS, Layer, Params, Pullback, Shape, check_cotangent, feature_count, wrong_rank
from .streams import check_state

__all__ = ["GlobalAveragePooling1D", "GlobalMaxPooling1D"]


@dataclass(frozen=True, repr=False)
class _GlobalPooling(Layer):
    """The base of both: shapes, masks and the stream."""

    _: KW_ONLY
    keepdims: bool = False

    rank = 3
    how: ClassVar[str]  # as compiled kernels call it

    def __post_init__(self) -> None:
        if not isinstance(self.keepdims, bool):
            raise TypeError(f"{type(self).__name__}: keepdims is True or False; got {self.keepdims!r}")

    def plan(self, shape: Shape) -> tuple[dict[str, tuple[int, ...]], Shape]:
        features = feature_count(type(self).__name__, shape, rank=3)
        return {}, (*shape[:-2], 1, features) if self.keepdims else (*shape[:-2], features)

    def pooled(self, x: Array, real: Array | None) -> tuple[Array, Callable[[Array], Array]]:
        """y (B, 1, F) and the way back to dx, for x (B, T, F) of which the steps real (B, T, 1) are there, or all."""
        raise NotImplementedError

    def __call__(self, params: Params, x: Array, ctx: Context = DETERMINISTIC) -> tuple[Array, Pullback]:
        kind, mask = type(self).__name__, ctx.mask
        if x.ndim != 3:
            raise wrong_rank(kind, x.shape, 3, FEATURE_AXIS)
        if x.shape[1] == 0:
            raise ValueError(f"{kind} needs at least one step; got x of shape {x.shape}")
        if mask is not None and mask.shape != x.shape[:2]:
            raise ValueError(f"the mask of {kind} is (batch, time) = {x.shape[:2]}; got {mask.shape}")
        kernel = ctx.kernels.pooling()
        if kernel is not None and mask is None and kernel.takes(x):
            y, back = kernel.over_all(self.how, x)
        else:
            y, back = self.pooled(x, None if mask is None else mask[:, :, None])
        out = y if self.keepdims else y[:, 0]

        def pullback(dy: Array) -> tuple[Params, Array]:
            check_cotangent(kind, dy, out.shape)
            return {}, back(dy if self.keepdims else dy[:, None])

        return out, pullback

    def next_mask(self, mask: Array | None, x: Array) -> Array | None:
        return None


@dataclass(frozen=True, repr=False)
class GlobalMaxPooling1D(_GlobalPooling):
    """The largest of all steps. x (B, T, F) -> y (B, F), or (B, 1, F) with `keepdims`. No weights.

    Of several steps that are equally large each takes the same share of the gradient, as in Keras.

    A masked step is not there, and a row without any real step gives 0. (Keras' layer takes no notice of a mask.)
    Streamed, each step gives the largest so far. Raises ValueError for a sequence without steps.
    """

    how = "largest"

    def pooled(self, x: Array, real: Array | None) -> tuple[Array, Callable[[Array], Array]]:
        there = x if real is None else np.where(real, x, -np.inf).astype(x.dtype, copy=False)
        best = np.max(there, axis=1, keepdims=True)
        chosen = there == best
        if real is not None:
            chosen = chosen & real
            best = np.where(_some(real), best, 0).astype(x.dtype, copy=False)

        def back(dy: Array) -> Array:
            ties = np.maximum(chosen.sum(axis=1, keepdims=True), 1).astype(dy.dtype)
            return np.where(chosen, dy / ties, 0)

        return best, back

    def stream(self, params: Params, rows: int, ctx: Context = DETERMINISTIC) -> _Running:
        return _RunningMax(rows, self.keepdims)


@dataclass(frozen=True, repr=False)
class GlobalAveragePooling1D(_GlobalPooling):
    """The mean of all steps. x (B, T, F) -> y (B, F), or (B, 1, F) with `keepdims`. No weights.

    With a mask the mean of the real steps, as in Keras; a row without any gives 0, where Keras gives NaN.
    Streamed, each step gives the mean so far. Raises ValueError for a sequence without steps.
    """

    how = "mean"

    def pooled(self, x: Array, real: Array | None) -> tuple[Array, Callable[[Array], Array]]:
        if real is None:
            steps = x.shape[1]
            return x.sum(axis=1, keepdims=True) / steps, lambda dy: np.zeros_like(x) + dy / steps
        count = np.maximum(real.sum(axis=1, keepdims=True), 1).astype(x.dtype)
        total: Any = np.where(real, x, 0).astype(x.dtype, copy=False).sum(axis=1, keepdims=True)
        return total / count, lambda dy: np.where(real, dy / count, 0)

    def stream(self, params: Params, rows: int, ctx: Context = DETERMINISTIC) -> _Running:
        return _RunningMean(rows, self.keepdims)


def _some(real: Array) -> Array:
    return real.sum(axis=1, keepdims=True) > 0


class _Running:
    """What has been made of the steps so far. count (B, 1): how many of them were real."""

    def __init__(self, rows: int, keepdims: bool) -> None:
        self._rows, self._keepdims = rows, keepdims
        self.reset()

    def reset(self) -> None:
        self._count = np.zeros((self._rows, 1), np.int64)
        self._so_far: Array | None = None

    def joined(self, so_far: Array | None, x: Array, real: Array) -> Array:
        """`so_far` with one step more, for the rows where it is real (B, 1)."""
        raise NotImplementedError

    def made(self, so_far: Array, count: Array) -> Array:
        """The output, from what the steps have come to."""
        raise NotImplementedError

    def step(self, x: Array, mask: Array | None) -> tuple[Array, Array | None]:
        if x.ndim != 2 or len(x) != self._rows:
            raise ValueError(f"a step of pooling over all steps is ({self._rows}, features); got {x.shape}")
        real = np.ones((self._rows, 1), bool) if mask is None else mask[:, None]
        self._so_far = self.joined(self._so_far, x, real)
        self._count = self._count + real
        y = self.made(self._so_far, self._count).astype(x.dtype, copy=False)
        return y[:, None] if self._keepdims else y, None

    @property
    def state(self) -> dict[str, Array]:
        """count (B, 1) and, once a step has come, so_far (B, F)."""
        so_far = {} if self._so_far is None else {"so_far": self._so_far.copy()}
        return {"count": self._count.copy(), **so_far}

    @state.setter
    def state(self, state: dict[str, Array]) -> None:
        like: Any = state.get("so_far") if self._so_far is None else self._so_far
        so_far = {"so_far": (self._rows, *np.shape(like)[1:])} if "so_far" in state else {}
        check_state("pooling over all steps", state, {"count": (self._rows, 1), **so_far})
        self._count = state["count"].copy()
        self._so_far = state["so_far"].copy() if "so_far" in state else None


class _RunningMax(_Running):
    def joined(self, so_far: Array | None, x: Array, real: Array) -> Array:
        x = np.where(real, x, -np.inf).astype(x.dtype, copy=False)
        return x if so_far is None else np.maximum(so_far, x)

    def made(self, so_far: Array, count: Array) -> Array:
        return np.where(count > 0, so_far, 0)


class _RunningMean(_Running):
    """The sum is kept in double: a stream has no end, and a float32 sum would stop growing."""

    def joined(self, so_far: Array | None, x: Array, real: Array) -> Array:
        x = np.where(real, x, 0).astype(np.float64)
        return x if so_far is None else so_far + x

    def made(self, so_far: Array, count: Array) -> Array:
        return so_far / np.maximum(count, 1)
