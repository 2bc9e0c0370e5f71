"""The GPU's own kernels, run on the CPU, on arrays that behave as CuPy's."""

from __future__ import annotations

from typing import Any

from on_cpu import Guarded, OnCpu

from rnnkit_kernels.backends import Backend
from tests.kernels.device_cupy import device_cupy
from tests.kernels.device_double import Device

__all__ = ["OnTheDouble", "in_place_of_a_gpu"]


class _Poisoned:
    """The double of CuPy, whose fresh arrays are full of NaN."""

    def __getattr__(self, name: str) -> Any:
        return getattr(device_cupy, name)

    @staticmethod
    def empty(shape: Any, dtype: Any) -> Device:
        return Device(Guarded.empty(shape, dtype))

    @staticmethod
    def empty_like(array: Device) -> Device:
        return Device(Guarded.empty(array.shape, array.dtype))


class OnTheDouble(OnCpu):
    """The place of arrays that behave as CuPy's; kernels run on what lies behind them."""

    xp: Any = _Poisoned()

    def address(self, array: Any) -> int:
        assert type(array) is Device
        return super().address(array._array)


def in_place_of_a_gpu(**how: Any) -> Backend:
    """The backend "cuda" there; how: see `OnCpu`."""
    return Backend("cuda", "in place of a GPU", OnTheDouble(**how))
