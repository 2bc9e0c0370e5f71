"""Masking: steps that stand for nothing are told apart by their value."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rnnkit_kernels.types import Array

from ..context import DETERMINISTIC, Context
from .base import Layer, Params, Pullback, Shape, wrong_rank
from .core import is_number

__all__ = ["Masking"]


@dataclass(frozen=True, repr=False)
class Masking(Layer):
    """A step is real where any of its features differs from `mask_value`: x (B, T, F) -> y (B, T, F).

    The other steps become 0, and are masked from here on, together with those of the mask that came with x.
    Raises ValueError for a mask_value that is not finite: nothing equals NaN, and x is finite.
    """

    mask_value: float = 0.0

    rank = 3
    stepwise = True

    def __post_init__(self) -> None:
        if not is_number(self.mask_value) or not math.isfinite(self.mask_value):
            raise ValueError(f"Masking: mask_value is a finite number, got {self.mask_value!r}")
        object.__setattr__(self, "mask_value", float(self.mask_value))

    def plan(self, shape: Shape) -> tuple[dict[str, tuple[int, ...]], Shape]:
        if len(shape) != 3:
            raise wrong_rank("Masking", shape, 3)
        return {}, shape

    def _real(self, x: Array) -> Array:
        """(B, T). A float32 is compared with what float32 makes of `mask_value`, else 0.1 would never be met."""
        return (x.real != x.real.dtype.type(self.mask_value)).any(axis=2)

    def next_mask(self, mask: Array | None, x: Array) -> Array | None:
        real = self._real(x)
        return real if mask is None else real & mask

    def __call__(self, params: Params, x: Array, ctx: Context = DETERMINISTIC) -> tuple[Array, Pullback]:
        if x.ndim != 3:
            raise wrong_rank("Masking", x.shape, 3)
        real = self._real(x)[..., None]
        return np.where(real, x, 0), lambda dy: ({}, np.where(real, dy, 0))
