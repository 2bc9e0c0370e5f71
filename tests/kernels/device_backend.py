"""The backend "cuda" on the double of a device: the textbook's kernels, on arrays that behave as CuPy's."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from rnnkit_kernels.backends import Backend, ConvolutionKernel, Kernel
from rnnkit_kernels.contract import Cell
from rnnkit_kernels.elementwise import Elementwise

from .device_cupy import device_cupy
from .device_double import Device

__all__ = ["ON_A_DEVICE", "DoubleElementwise"]


class DoubleElementwise(Elementwise):
    """The textbook; what the kernels of a GPU make there by themselves comes from here, and counts as no upload."""

    def dropout(self, rng: np.random.Generator, shape: tuple[int, ...], rate: float, dtype: Any) -> Any:
        return Device(super().dropout(rng, shape, rate, dtype))

    def summed_by_row(self, index: Any, d: Any, rows: int) -> Any:
        return Device(super().summed_by_row(index._array, d._array, rows))


@dataclass(frozen=True)
class _OnTheDouble(Backend):
    def kernel(self, cell: Cell) -> Kernel:
        return Kernel(cell)

    def convolution(self) -> ConvolutionKernel:
        return ConvolutionKernel()

    @property
    def elementwise(self) -> Elementwise:
        return DoubleElementwise()

    def random(self, rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Any:
        return Device(rng.random(shape).astype(dtype, copy=False))


_PLACE = SimpleNamespace(xp=device_cupy, beside=lambda: nullcontext(nullcontext()))
ON_A_DEVICE = _OnTheDouble("cuda", "in place of a GPU", _PLACE)
