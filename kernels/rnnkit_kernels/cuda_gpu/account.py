"""Which kernels a recurrence gets on a GPU, in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..levels import backward_levels, forward_levels
from .emit.tensor_division import TensorDivision
from .kernel import CudaKernel

__all__ = ["kernels_of"]


def kernels_of(kernel: CudaKernel, rows: int, units: int, dtype: Any, training: bool) -> str:
    """For a batch of so many rows there, and where it is trained back as well."""
    there = _one_way(kernel, False, rows, units, np.dtype(dtype))
    if not training:
        return there
    back = _one_way(kernel, True, rows, units, np.dtype(dtype))
    return f"there and back {there}" if there == back else f"there {there}, back {back}"


def _one_way(kernel: CudaKernel, back: bool, rows: int, units: int, dtype: Any) -> str:
    division = kernel.division(back, rows, units, dtype)
    if division is None:
        count = len((backward_levels if back else forward_levels)(kernel.cell).levels)
        found = f"{count} kernel{'s' * (count > 1)} a step, replayed as a CUDA graph"
        rounds = kernel.rounding is not None and dtype == np.float32
    else:
        blocks = "a block" if division.cluster == 1 else f"a cluster of {division.cluster} blocks"
        of = "each row" if division.rows == 1 else f"each {division.rows} rows"
        found = f"all steps in one kernel, {blocks} for {of}"
        rounds = isinstance(division, TensorDivision)
    return f"{found}, products in {kernel.rounding}" if rounds else found
