"""What an option costs on a GPU, there and back, and what PyTorch has for it: loops, compiled loops, packed rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from rnnkit import layers
from rnnkit.layers.core import dropout_scale

from .. import table
from ..validation import Verdict, compare
from ..workload import Workload
from . import ours, pytorch
from .device import Device
from .plan import GpuPlan
from .recurrent import left_out, over
from .rows import GpuRow, measured
from .runner import GpuRunner

__all__ = ["HELP", "OPTIONS", "columns", "notes", "rows"]

HELP = "forward + backward with an option on the GPU; cost: over rnnkit's time without it"
_SHAPES = ((64, 100, 128, 128), (64, 100, 256, 256), (128, 500, 32, 32))
_SMALL = ((3, 7, 5, 9),)
_VALIDATED = 8  # steps of a layer-normalised recurrence that are validated: it amplifies rounding with every step


def _layer(kind: Any, **options: Any) -> Callable[[int], Any]:
    return lambda units: kind(units, return_sequences=True, **options)


@dataclass(frozen=True)
class Option:
    """peers: what PyTorch has for it; given: the workload's options;  limit: what the cost is held to."""

    label: str
    make: Callable[[int], Any]
    peers: Callable[[Workload, Device], dict[str, Callable[[], GpuRunner]]]
    given: tuple[str, ...] = ()
    limit: float | None = None
    validated: int | None = None


def _loops(work: Workload, device: Device, compiled: bool = False) -> dict[str, Callable[[], GpuRunner]]:
    """A Python loop over the steps, by itself and replayed from a CUDA graph; its step compiled, or not."""
    name = f"loop{' compiled' * compiled}"
    return {
        f"{name}{' graph' * recorded}": partial(_loop, work, device, compiled, recorded) for recorded in (False, True)
    }


def _all_loops(work: Workload, device: Device) -> dict[str, Callable[[], GpuRunner]]:
    return _loops(work, device) | _loops(work, device, compiled=True)


def _packed(work: Workload, device: Device) -> dict[str, Callable[[], GpuRunner]]:
    return {"PyTorch": partial(pytorch.packed, work, device)}


OPTIONS = (
    Option("layer norm", _layer(layers.LayerNormLSTM), _all_loops, limit=1.5, validated=_VALIDATED),
    Option("lengths", _layer(layers.LSTM), _packed, ("mask", "ended")),
    Option("recurrent dropout", _layer(layers.LSTM, recurrent_dropout=0.2), _loops, ("dropout",)),
    Option(
        "bidirectional",
        lambda units: layers.Bidirectional(layers.LSTM(units, return_sequences=True)),
        pytorch.entrants,
        limit=2.0,
    ),
)


def columns(plan: GpuPlan) -> tuple[table.Column, ...]:
    return (
        *table.case("option", 17, 16),
        table.origin(12),
        table.number("rnnkit", "us", 9, lambda row: 1e6 * row.values["rnnkit"] if "rnnkit" in row.values else None, 1),
        table.cost("rnnkit", "cost"),
        table.Column("limit", 5, lambda row: f"{row.limit or ''}"),
        over("PyTorch", "PyTorch", 7),
        over("loop", "loop", 7),
        over("loop compiled", "compiled", 8),
    )


def rows(plan: GpuPlan) -> Iterator[GpuRow]:
    cases = [(option, shape) for option in OPTIONS for shape in plan.grid(_SHAPES, _SMALL)]
    for option, shape in plan.in_time(cases, lambda case: f"{case[0].label} {case[1]}"):
        work = Workload("LSTM", shape, make=option.make, options=option.given)  # type: ignore[arg-type]
        plain = Workload("LSTM", shape)  # type: ignore[arg-type]
        makers = _makers(option, work, plan.device)
        makers["plain"] = lambda plain=plain: _judged(ours.runner(plain, plan.device), plain)
        yield measured(option.label, shape, makers, dict, plan, reference="plain", limit=option.limit)


def notes(found: list[GpuRow], plan: GpuPlan) -> list[str]:
    costs = [(1 / ratio, row) for row in found if (ratio := row.ratio("rnnkit")) is not None]
    late = [f"{row.label} at {row.shape}" for cost, row in costs if row.limit is not None and cost > row.limit]
    lines = [f"over its limit: {', '.join(late)}"] if late else []
    lines.append(
        "PyTorch, loop, compiled: their times over rnnkit's. PyTorch: nn.LSTM, packed rows or both directions, in fp32;"
        " loop: over the steps in Python; compiled: its step by torch.compile. Replays of graphs are in the file."
    )
    return [*lines, *left_out(found), *plan.late_notes()]


def _makers(option: Option, work: Workload, device: Device) -> dict[str, Callable[[], GpuRunner]]:
    """Each with its own right answer: of the first steps, where a recurrence amplifies what is rounded."""
    B, T, F, H = work.shape
    short = replace(work, shape=(B, min(T, option.validated or T), F, H))
    makers = {"rnnkit": lambda work=work: ours.runner(work, device)} | option.peers(work, device)
    first = {"rnnkit": lambda: ours.runner(short, device)} | option.peers(short, device)

    def judged(name: str) -> GpuRunner:
        runner = makers[name]()
        return _judged(runner, short, runner if short.shape == work.shape else first[name]())

    return {name: partial(judged, name) for name in makers}


def _judged(runner: GpuRunner, work: Workload, checked: GpuRunner | None = None) -> GpuRunner:
    """runner, validated by what `checked` makes of that work: rows that have ended give nothing to compare."""

    def judge() -> Verdict:
        call = checked or runner
        if call is not runner:
            (runner.checked or runner.run)()
        found, right = call.arrays((call.checked or call.run)()), dict(work.expected)
        if "ended" in work.options:
            real = np.arange(work.shape[1]) < work.lengths[:, None]
            found, right = ({**a, "y": a["y"] * real[:, :, None]} for a in (found, right))
        return compare(found, right, call.tolerance)

    return replace(runner, judge=judge)


def _loop(work: Workload, device: Device, compiled: bool, recorded: bool) -> GpuRunner:
    pytorch.import_torch()
    from ..contenders.layernorm_loop import pair

    strict, ctx = pytorch.PRECISIONS[0], work.context("numpy")
    rate, (B, _, _, H) = work.layer.recurrent_dropout, work.shape
    drop = dropout_scale(rate, (B, H), work.x, ctx) if rate and ctx.rng is not None else None
    strict.set()
    run, arrays = pair(work, device.name, device.compiled if compiled else lambda step: step, drop)
    call = device.recorded(run) if recorded else run
    return GpuRunner(call, arrays, before=strict.set, kernel=lambda: "PyTorch", tolerance=work.tolerance)
