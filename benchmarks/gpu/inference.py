"""The grid on a GPU without a way back: y of every step, PyTorch under `inference_mode`, rnnkit without a tape."""

from __future__ import annotations

from collections.abc import Iterator

from .plan import GpuPlan
from .recurrent import columns, notes
from .recurrent import rows as grid
from .rows import GpuRow

__all__ = ["HELP", "columns", "notes", "rows"]

HELP = "the same grid on the GPU, forward alone"


def rows(plan: GpuPlan) -> Iterator[GpuRow]:
    return grid(plan, backward=False)
