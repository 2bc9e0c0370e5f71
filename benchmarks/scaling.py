"""How time grows: the LSTM's forward + backward while one of B, T, H and the threads changes."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from . import machine, recurrent, table
from .contenders import REFERENCE
from .plan import Plan
from .results import Row, load

__all__ = ["BASE", "HELP", "columns", "notes", "rows"]

HELP = "LSTM, forward and backward, one size at a time"
BASE = (32, 100, 64, 64)
_STEPS = {
    "B": tuple((b, *BASE[1:]) for b in (1, 2, 4, 8, 16, 32, 64, 128, 256)),
    "T": tuple((BASE[0], t, *BASE[2:]) for t in (10, 30, 100, 300, 1000)),
    "H": tuple((*BASE[:3], h) for h in (8, 16, 32, 64, 128, 256, 512)),
}
_THREADED = (64, 100, 128, 128)


def columns(plan: Plan) -> tuple[table.Column, ...]:
    return (table.Column("changed", 9, lambda row: row.label, left=True), *recurrent.columns(plan)[1:])


def rows(plan: Plan) -> Iterator[Row]:
    """Of rnnkit and PyTorch alone."""
    few = {name: c for name, c in plan.contenders.items() if name in ("rnnkit", "NumPy", REFERENCE)}
    for name, shapes in _STEPS.items():
        here = replace(plan, contenders=few, cells=("LSTM",), shapes=recurrent.SMALL if plan.quick else shapes)
        for row in recurrent.rows(here):
            yield replace(row, label=name)
    for threads in range(1, plan.threads + 1):
        yield _with_threads(threads, plan, list(few))


def notes(found: list[Row], plan: Plan) -> list[str]:
    times = {row.label: row for row in found if row.label.startswith("threads")}
    one, most = times.get("threads 1"), times.get(f"threads {plan.threads}")
    if plan.threads == 1 or one is None or most is None:
        return []
    gains = [f"{name} {one.values[name] / most.values[name]:.2f}" for name in one.values if name in most.values]
    return [f"{plan.threads} threads are faster than one by {', '.join(gains)}"]


def _with_threads(threads: int, plan: Plan, names: list[str]) -> Row:
    """The row of a child process, for threads are chosen before anything is loaded."""
    shape = recurrent.SMALL[1] if plan.quick else _THREADED
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "row.json"
        command = [sys.executable, "-m", "benchmarks", "recurrent", "--cell", "LSTM", "--save", str(file)]
        command += ["--shape", ",".join(map(str, shape)), "--threads", str(threads), "--with", ",".join(names)]
        command += ["--blocks", str(plan.effort.blocks), "--tries", str(plan.effort.tries), *["--quick"] * plan.quick]
        subprocess.run(command, cwd=machine.ROOT, env=machine.child_environment(), check=False, capture_output=True)
        if not file.exists():
            return Row(f"threads {threads}", shape, failed={"rnnkit": "the process with so many threads ended early"})
        return replace(load(file)["recurrent"].rows[0], label=f"threads {threads}")
