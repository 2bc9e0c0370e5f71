"""`--backend cuda`: the groups of a GPU, their tables, and what is saved of them."""

from __future__ import annotations

import os
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from .. import machine, table
from ..report import run_group
from ..results import Group, Row, load, save
from .ahead import kernels_of
from .constants import constants_of
from .device import Device, the_gpu
from .plan import GpuPlan
from .report import FILE, write_beside
from .rows import GpuRow
from .timing import FULL, QUICK

__all__ = ["main", "plan_of"]

_BY_THEMSELVES = ("recurrent", "inference", "options")
_SECONDS, _QUICK_SECONDS = 540.0, 50.0


def main(options: Namespace, find: Callable[[], Device] = the_gpu) -> int:
    """Prints, saves, and returns the exit code: 1 where a row failed or, with a sentence, where there is no GPU."""
    try:
        device = find()
    except (ImportError, RuntimeError) as error:
        print(f"python -m benchmarks: {error}", file=sys.stderr)
        return 1
    environment = machine.describe(options.threads) | device.described()
    names = options.groups or _BY_THEMSELVES
    return _run({name: import_module(f".{name}", __package__) for name in names}, options, device, environment)


def plan_of(options: Namespace, device: Device, environment: Mapping[str, Any]) -> GpuPlan:
    """What was asked for. Constants of floors are those that were saved for a GPU of the same name."""
    effort = replace(QUICK if options.quick else FULL, tries=options.tries)
    seconds = options.seconds or (_QUICK_SECONDS if options.quick else _SECONDS)
    return GpuPlan(
        threads=options.threads,
        device=device,
        effort=replace(effort, blocks=options.blocks or effort.blocks),
        quick=options.quick,
        cells=tuple(options.cells),
        shapes=tuple(options.shapes),
        ends=time.monotonic() + seconds,
        constants=_known(options.save or FILE, environment),
    )


def _known(file: Path, environment: Mapping[str, Any]) -> Any:
    groups = load(file, GpuRow) if file.exists() else {}
    group = groups.get("constants")
    if group is None or group.environment.get("gpu") != environment.get("gpu"):
        return None
    return constants_of(group.rows, int(environment["processors"]))


def _run(groups: Mapping[str, ModuleType], options: Namespace, device: Device, environment: Mapping[str, Any]) -> int:
    plan = plan_of(options, device, environment)
    versions = ", ".join(f"{name} {environment[name]}" for name in ("torch", "cudnn", "cupy") if name in environment)
    print(f"{environment['gpu']}, {versions}"[: table.WIDTH], flush=True)
    begun, asked = time.monotonic(), kernels_of(groups.values(), plan)
    print(f"{device.prepared(asked)} of {len(asked)} texts compiled in {time.monotonic() - begun:.0f} s", flush=True)
    failed, written = False, list[Path]()

    def kept(name: str, rows: Sequence[Row], notes: Sequence[str] = ()) -> None:
        if options.save is not None:
            save({name: Group(dict(environment), tuple(rows), tuple(notes))}, options.save, GpuRow)

    for name, module in groups.items():
        rows, notes = run_group(name, _saving(module, partial(kept, name)), plan)
        failed |= any(row.failed for row in rows)
        kept(name, rows, notes)
        if options.save is not None:
            written = write_beside(options.save)
    if options.save is not None:
        print(f"\nsaved in {', '.join(os.path.relpath(path) for path in (options.save, *written))}")
    return int(failed)


def _saving(module: ModuleType, kept: Callable[[Sequence[Row]], None]) -> Any:
    """The group, whose rows are kept one by one: a run that is ended early leaves those that it has."""

    def rows(plan: GpuPlan) -> Iterator[Row]:
        found: list[Row] = []
        for row in module.rows(plan):
            found.append(row)
            kept(found)
            yield row

    return SimpleNamespace(HELP=module.HELP, columns=module.columns, notes=module.notes, rows=rows)
