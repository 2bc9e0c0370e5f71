"""The most memory that forward + backward need beside weights, input and dy: a process for each contender."""

from __future__ import annotations

from collections.abc import Iterator

from . import table
from .contenders import REFERENCE
from .plan import Plan
from .results import Row
from .start import asked
from .workload import CELLS

__all__ = ["HELP", "SHAPES", "columns", "notes", "rows"]

HELP = "peak of forward + backward, MiB, of those that do not compile for a shape"
SHAPES = ((128, 500, 32, 32), (64, 100, 128, 128), (64, 100, 256, 256), (1, 1000, 64, 256))
SMALL = ((8, 20, 16, 16),)


def columns(plan: Plan) -> tuple[table.Column, ...]:
    names = _eager(plan)
    return (*table.case(), table.origin(), *map(table.mebibytes, names), table.ratio(names[0], "ratio"))


def rows(plan: Plan) -> Iterator[Row]:
    for shape in plan.grid(SHAPES, SMALL):
        for cell in plan.chosen(CELLS)[: 1 if plan.quick else None]:
            values: dict[str, float] = {}
            failed: dict[str, str] = {}
            origin = ""
            for name in _eager(plan):
                found, why = asked("memory", name, cell, ",".join(map(str, shape)), str(plan.threads))
                failed |= why
                values |= {name: found["memory"]} if found else {}
                origin = origin or found.get("origin", "")
            yield Row(cell, shape, values, failed=failed, origin=origin)


def notes(found: list[Row], plan: Plan) -> list[str]:
    more = [row for row in found if (ratio := row.ratio()) is not None and ratio < 1]
    if REFERENCE not in plan.contenders:
        return []
    return [f"rnnkit needs more than {REFERENCE} in {len(more)} of {len(found)} rows"]


def _eager(plan: Plan) -> list[str]:
    """Compiling needs memory too, and JAX (and Keras on it) compile for each shape anew."""
    return [name for name in plan.contenders if name in ("rnnkit", "NumPy", REFERENCE)]
