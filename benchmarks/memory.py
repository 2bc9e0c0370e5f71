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

HELP = "peak of forward + backward, MiB"
SHAPES = ((128, 500, 32, 32), (64, 100, 128, 128), (64, 100, 256, 256), (1, 1000, 64, 256))
SMALL = ((8, 20, 16, 16),)


def columns(plan: Plan) -> tuple[table.Column, ...]:
    names = [name for name in plan.contenders if name != "ONNX"]
    return (*table.case(), table.origin(), *map(_mebibytes, names), table.ratio(names[0], "ratio"))


def rows(plan: Plan) -> Iterator[Row]:
    for shape in plan.grid(SHAPES, SMALL):
        for cell in plan.chosen(CELLS)[: 1 if plan.quick else None]:
            values: dict[str, float] = {}
            failed: dict[str, str] = {}
            origin = ""
            for name in plan.contenders:
                if name == "ONNX":  # it has no way back
                    continue
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


def _mebibytes(name: str) -> table.Column:
    def text(row: Row) -> str:
        return "FAILED" if name in row.failed else f"{row.values[name]:.1f}" if name in row.values else "-"

    return table.Column(name, 8, text)
