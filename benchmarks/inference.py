"""The grid without a way back: y of every step, PyTorch under `inference_mode`, rnnkit without a tape."""

from __future__ import annotations

from collections.abc import Iterator

from .plan import Plan
from .recurrent import columns, notes
from .recurrent import rows as grid
from .results import Row

__all__ = ["HELP", "columns", "notes", "rows"]

HELP = "the same grid, forward alone"


def rows(plan: Plan) -> Iterator[Row]:
    return grid(plan, backward=False)
