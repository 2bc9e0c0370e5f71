"""Runs groups: prints each row when it is there, and saves what a whole run has found."""

from __future__ import annotations

import sys
import textwrap
import time
from argparse import Namespace
from dataclasses import replace
from types import ModuleType

from . import machine, table
from .contenders import ALL, load
from .plan import Plan
from .results import BUSY, Group, Row, save
from .timing import Effort

__all__ = ["plan_of", "run", "run_group"]

_QUICK = Effort(block=0.002, blocks=2, rest=0.0)


def plan_of(options: Namespace) -> Plan:
    """What was asked for, with the contenders that are there. NumPy's column comes on demand alone."""
    wanted = options.contenders or tuple(name for name in ALL if name != "NumPy")
    contenders, missing = load(wanted, options.threads)
    effort = _QUICK if options.quick else Effort()
    effort = replace(effort, blocks=options.blocks or effort.blocks, tries=options.tries)
    shapes = tuple(options.shapes)
    return Plan(options.threads, contenders, missing, effort, options.quick, tuple(options.cells), shapes)


def run(groups: dict[str, ModuleType], options: Namespace) -> int:
    """Prints, saves, and returns the exit code: 1 where a row failed, 2 where a contender cannot take part."""
    try:
        plan = plan_of(options)
    except ValueError as error:
        print(f"python -m benchmarks: {error}", file=sys.stderr)
        return 2
    environment = machine.describe(options.threads)
    versions = ", ".join(f"{name} {version}" for name, version in environment["versions"].items())
    for text in (f"{environment['cpu']}, threads: {plan.threads}", versions):
        print(text[: table.WIDTH], flush=True)
    failed = False
    for name, module in groups.items():
        rows, notes = run_group(name, module, plan)
        failed |= any(row.failed for row in rows)
        if options.save is not None:
            save({name: Group({**environment, **plan.speeds}, tuple(rows), tuple(notes))}, options.save)
    if options.save is not None:
        print(f"\nsaved in {options.save}")
    return int(failed)


def run_group(name: str, module: ModuleType, plan: Plan) -> tuple[list[Row], list[str]]:
    """Prints the table of a group, and returns its rows and what stands below them."""
    begun = time.perf_counter()
    columns = module.columns(plan)
    print(f"\n{name}: {module.HELP}\n{table.head(columns)}", flush=True)
    rows = []
    for row in module.rows(plan):
        rows.append(row)
        print("\n".join([table.line(columns, row), *table.failures(row)]), flush=True)
    notes = [*module.notes(rows, plan), *plan.missing.values()]
    if busy := sum(row.busy for row in rows):
        notes.append(f"* in {busy} of {len(rows)} rows other processes took more than {BUSY} cores: measure again")
    for note in notes:
        print(textwrap.fill(note, table.WIDTH))
    print(f"{len(rows)} rows in {time.perf_counter() - begun:.0f} s")
    return rows, notes
