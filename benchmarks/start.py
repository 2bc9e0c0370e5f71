"""What comes before the first result: imports, and compilation from an empty cache and from a warm one."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import machine, table
from .child import LAYERS
from .contenders import REFERENCE
from .plan import Plan
from .results import Row

__all__ = ["HELP", "asked", "columns", "notes", "rows"]

HELP = "seconds to the first forward + backward, imports included"
_SHAPE = (32, 24, 16, 32)


def columns(plan: Plan) -> tuple[table.Column, ...]:
    return (*table.case("cell", 14), table.origin(), *map(table.seconds, ("import", "cold", "warm", REFERENCE)))


def rows(plan: Plan) -> Iterator[Row]:
    alone, why = asked("import")
    yield Row("import rnnkit", values=alone and {"import": alone["import"]}, failed=why)
    for cell in [name for name in LAYERS if not plan.cells or name in plan.cells][: 1 if plan.quick else None]:
        yield _row(cell, plan)


def notes(found: list[Row], plan: Plan) -> list[str]:
    return ["cold: the first process with an empty cache; warm: the second"]


def _row(cell: str, plan: Plan) -> Row:
    size = ",".join(map(str, _SHAPE))
    values: dict[str, float] = {}
    failed: dict[str, str] = {}
    origin = ""
    with tempfile.TemporaryDirectory() as cache:
        for name in ("cold", "warm"):
            found, why = asked("first", "rnnkit", cell, size, str(plan.threads), cache=Path(cache))
            failed |= why
            if found:
                values |= {"import": found["import"], name: found["import"] + found["first"]}
                origin = found["origin"]
    if REFERENCE in plan.contenders and cell in ("LSTM", "GRU", "SimpleRNN"):
        found, why = asked("first", REFERENCE, cell, size, str(plan.threads))
        failed |= why
        values |= {REFERENCE: found["import"] + found["first"]} if found else {}
    return Row(cell, _SHAPE, values, failed=failed, origin=origin)


def asked(*arguments: str, cache: Path | None = None) -> tuple[dict[str, Any], dict[str, str]]:
    """What a child process tells; or nothing, and its last line by contender."""
    further = {} if cache is None else {"NUMBA_CACHE_DIR": str(cache)}
    command = [sys.executable, "-m", "benchmarks.child", *arguments]
    done = subprocess.run(
        command, cwd=machine.ROOT, env=machine.child_environment(**further), check=False, capture_output=True, text=True
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return {}, {arguments[1] if len(arguments) > 1 else "rnnkit": lines[-1]}
    return json.loads(done.stdout.strip().splitlines()[-1]), {}
