"""Differentiates every cell by the complex step and by differences, and compares
both with the gradient that the cell gives.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import replace
from typing import Any

from rnnkit_kernels import activations, cells
from rnnkit_kernels.contract import Cell

from ..gradcheck import Report, gradcheck
from .arguments import name_of
from .cells import CELLS
from .tables import aligned

__all__ = ["EXAMPLES", "HELP", "add_arguments", "run"]

HELP = "check every cell's gradient"
EXAMPLES = """\
examples:
  rnnkit gradcheck                            every cell, a line for each method
  rnnkit gradcheck --cell lstm                one cell, with the worst element of every array
  rnnkit gradcheck --activation swish         the cells with another activation

exit code: 0 when every gradient is right, 1 when one is wrong"""


def add_arguments(parser: ArgumentParser) -> None:
    own = {cell.name: cell.name for cell in cells.ALL}
    parser.add_argument(
        "--cell", type=name_of("cell", [*CELLS, *own]), metavar="NAME", help=f"one of {', '.join(CELLS)}"
    )
    parser.add_argument(
        "--activation",
        type=name_of("activation", activations.ALL),
        metavar="NAME",
        help="of the cell's candidate and output instead of tanh; with a kink (relu) by differences only",
    )


def run(options: Namespace) -> int:
    chosen = [cell for cell in cells.ALL if options.cell in (None, cell.name, _name(cell))]
    if options.activation is not None:
        chosen = [_with(cell, options.activation) for cell in chosen]
    smooth = options.activation not in activations.KINKED
    methods = ("complex", "difference") if smooth else ("difference",)
    reports = []
    rows: list[tuple[str, ...]] = [("cell", "method", "elements", "direction", "worst", "verdict")]
    for cell in chosen:
        for method in methods:
            report = gradcheck(cell, method=method)
            reports.append(report)
            rows.append(_row(cell, report))
    if options.cell is None:
        print(aligned(rows, left=2))
        wrong = sum(not report for report in reports)
        print(f"{wrong} of {len(reports)} wrong" if wrong else f"all {len(reports)} right")
    else:
        print("\n\n".join(map(str, reports)))
    if not smooth:
        print(f"{options.activation} has a kink: checked by differences only")
    return 0 if all(reports) else 1


def _row(cell: Cell, report: Report) -> tuple[str, ...]:
    verdict = "right" if report else "WRONG"
    along, worst = f"{report.directional:.1e}", f"{report.worst.error:.1e}"
    return cell.name, report.method, str(report.checked), along, worst, verdict


def _name(cell: Cell) -> str | None:
    return next((name for name, kind in CELLS.items() if kind is type(cell)), None)


def _with(cell: Any, activation: str) -> Cell:
    changed: Cell = replace(cell, activation=activation)
    return changed
