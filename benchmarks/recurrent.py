"""The grid: every cell forward and backward (y of each step, dx, all gradients of weights), and forward alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from . import table
from .contenders import REFERENCE
from .measure import measured, prepared, validated
from .plan import Plan
from .results import Row, mean_ratio, told
from .workload import CELLS, Workload

__all__ = ["HELP", "SHAPES", "columns", "notes", "rows"]

HELP = "forward and backward through time, over the grid of shapes and cells"

# B, T, F, H
SHAPES = (
    (1, 50, 1, 20),
    (32, 24, 1, 100),
    (32, 50, 1, 20),
    (128, 20, 32, 32),
    (128, 500, 32, 32),
    (256, 120, 14, 16),
    (120, 60, 1, 100),
    (64, 100, 128, 128),
    (64, 100, 256, 256),
    (32, 50, 512, 512),
    (1, 1000, 64, 256),
)
SMALL = ((1, 5, 1, 4), (3, 7, 5, 9))


def columns(plan: Plan) -> tuple[table.Column, ...]:
    first = "rnnkit" if "rnnkit" in plan.contenders else "NumPy"
    others = [name for name in plan.contenders if name not in (first, REFERENCE)]
    return (
        *table.case(),
        table.origin(),
        table.milliseconds(first, "ms"),
        table.milliseconds(REFERENCE),
        table.ratio(first, "ratio"),
        *map(table.ratio, others),
        table.share(),
        table.mark(),
    )


def rows(plan: Plan, backward: bool = True) -> Iterator[Row]:
    for shape in plan.grid(SHAPES, SMALL):
        for cell in plan.chosen(CELLS):
            work = Workload(cell, shape, backward)  # type: ignore[arg-type]
            runners = prepared({name: partial(c.recurrent, work) for name, c in plan.contenders.items()})
            check = partial(validated, runners, work.expected, work.tolerance)
            yield measured(cell, shape, runners, check, plan.effort, work.flops, plan.peak)


def notes(found: list[Row], plan: Plan) -> list[str]:
    """The geometric means and the smallest ratio of each cell."""
    lines = []
    first = "rnnkit" if "rnnkit" in plan.contenders else "NumPy"
    for cell in plan.chosen(CELLS):
        own = [row for row in found if row.label == cell]
        ratios = [ratio for row in own if (ratio := row.ratio(first)) is not None]
        if ratios:
            means = {name: mean_ratio(own, name) for name in plan.contenders if name not in (first, REFERENCE)}
            others = "".join(f", {name} {mean:.2f}" for name, mean in means.items() if mean == mean)
            lines.append(f"{cell}: geometric mean {told(mean_ratio(own, first))}, smallest {min(ratios):.2f}{others}")
    return lines
