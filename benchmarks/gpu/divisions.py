"""Every division of a persistent kernel, timed in turn beside kernels for each level and what `choose` takes; strict,
and where tensor cores may round."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain, islice, zip_longest
from typing import Any

import numpy as np

from rnnkit_kernels.cuda_gpu.backward import backward
from rnnkit_kernels.cuda_gpu.choice import choose
from rnnkit_kernels.cuda_gpu.estimate import Step
from rnnkit_kernels.cuda_gpu.recurrence import forward
from rnnkit_kernels.cuda_gpu.words import Rounding

from .. import table
from ..workload import CELLS, Workload
from .candidates import best, clusters_of
from .fitted import Told, fitted
from .ours import ROUNDINGS, loosely
from .plan import SHAPES, SMALL, GpuPlan
from .recurrent import left_out
from .rows import GpuRow, measured
from .runner import Absent, GpuRunner
from .tried import LEVELS, Tried, rounding_of
from .watched import Call, WatchedPlace, told

__all__ = ["HELP", "columns", "notes", "rows", "times_of"]

HELP = "a step's kernels by themselves, us: the best division, what is chosen, levels"
_ROUNDINGS: tuple[Rounding, ...] = (None, *ROUNDINGS.values())
_NUMBERS, _FEWEST = 1 << 21, 64  # of h and steps that are run: so many that what a launch costs does not count
_LOSS = 1.1
_MOST, _LEAST, _SECONDS = 24, 3, 0.5  # divisions of a row; what it takes to time one that is compiled


def columns(plan: GpuPlan) -> tuple[table.Column, ...]:
    return (
        *table.case("way", 14, 18),
        table.Column("best", 11, _best, left=True),
        table.number("", "us", 8, lambda row: row.step(_best(row)), 3),
        table.Column("chosen", 11, lambda row: row.reference, left=True),
        table.number("", "us", 8, lambda row: row.step(row.reference), 3),
        table.number("", "/ best", 7, lambda row: row.ratio(_best(row)), 2),
        table.number(LEVELS, LEVELS, 8, lambda row: row.step(LEVELS), 3),
        table.Column("tried", 5, lambda row: str(len(row.values))),
    )


def rows(plan: GpuPlan) -> Iterator[GpuRow]:
    cells = plan.chosen(CELLS) if plan.cells else ["LSTM"]
    cases = [(cell, back, shape) for shape in plan.grid(SHAPES, SMALL) for cell in cells for back in (False, True)]
    share = (plan.ends - plan.now()) / len(cases)  # no more are compiled beforehand
    for number, case in enumerate(plan.in_time(cases, lambda case: f"{_way(*case[:2])} {case[2]}")):
        cell, back, (B, T, F, H) = case
        left = min(share, (plan.ends - plan.now()) / (len(cases) - number))
        many = min(_MOST, max(_LEAST, int(min(left, 1e3) / _SECONDS)))
        work = Workload(cell, (B, min(T, max(_FEWEST, _NUMBERS // (B * H))), F, H))
        yield _row(plan, work, back, _LEAST if plan.quick else many)


def notes(found: Sequence[GpuRow], plan: GpuPlan) -> list[str]:
    """All times; where the choice loses; the costs of its estimate that would describe the times."""
    lines = [f"{row.label} {','.join(map(str, row.shape))}: {_all(row)}" for row in found]
    lost = []
    for row in found:
        for rounding in _ROUNDINGS:
            ratio = _loss(row, _chosen(_asked(plan, row, rounding), plan), rounding)
            if ratio is not None and ratio > _LOSS:
                lost.append(f"{row.label} {row.shape}{f' {rounding}' * bool(rounding)} {ratio:.2f}")
    lines.append(f"what is chosen takes more than {_LOSS} times the best: {', '.join(lost) or 'nowhere'}")
    times = [told for row in found for told in times_of(row, plan)]
    for kind in (True, False):
        if (sentence := fitted([told for told in times if ("launch" in told.counts) == kind])) is not None:
            lines.append(sentence)
    return [*lines, *left_out(list(found)), *plan.late_notes()]


def times_of(row: GpuRow, plan: GpuPlan) -> Iterator[Told]:
    """Every time of a row, beside what the estimate counts. None of those whose clusters are not known to run."""
    for name in row.values:
        tried = Tried.read(name, row.shape[-1])
        asked = _asked(plan, row, tried.rounding)
        if tried.division is None or asked.at_once.get(tried.division.cluster):
            what = f"{row.label} {','.join(map(str, row.shape))} {name}"
            yield Told(what, asked.counts(tried.division), row.step(name) or 0.0)


def _asked(plan: GpuPlan, row: GpuRow, rounding: Rounding) -> Step:
    (cell, *back), (B, _, _, H) = row.label.split(), row.shape
    return Step(CELLS[cell](1).make_cell(), bool(back), H, B, clusters_of(plan.device.backend.place), rounding)


def _chosen(asked: Step, plan: GpuPlan) -> Tried:
    """What a step gets."""
    place = plan.device.backend.place
    division = choose(
        asked.cell, asked.back, asked.units, asked.rows, 4, *place.processors(), asked.rounding, place.large_clusters()
    )
    return Tried.make(division, asked.rounding)


def _others(plan: GpuPlan, asked: Sequence[Step]) -> Iterator[Tried]:
    """The divisions of each step, the most promising first, in turn."""

    def promising(step: Step) -> list[Tried]:
        try:
            return [Tried.make(division, step.rounding) for division in best(step, plan.constants)]
        except Absent:
            return []

    yield from filter(None, chain.from_iterable(zip_longest(*map(promising, asked))))


def _way(cell: str, back: bool) -> str:
    return f"{cell}{' back' * back}"


def _best(row: GpuRow, rounding: Rounding = None) -> str:
    """Of those that round nothing, or as much as they may."""
    names = [name for name in row.values if rounding_of(name) in (None, rounding)]
    return min(names, key=lambda name: row.values[name], default="")


def _loss(row: GpuRow, chosen: Tried, rounding: Rounding) -> float | None:
    """The time of what is chosen over the best."""
    own, least = row.values.get(chosen.name), row.values.get(_best(row, rounding))
    return None if own is None or least is None else own / least


def _all(row: GpuRow) -> str:
    steps = sorted((row.step(name) or 0.0, name) for name in row.values)
    return ", ".join(f"{name} {time:.3f}" for time, name in steps)


def _row(plan: GpuPlan, work: Workload, back: bool, many: int) -> GpuRow:
    """All in turn: levels, what is chosen, and the most promising of the others, as much as each may be rounded."""
    B, _, _, H = work.shape
    clusters, cell = clusters_of(plan.device.backend.place), work.layer.make_cell()
    asked = [Step(cell, back, H, B, clusters, rounding) for rounding in _ROUNDINGS]
    needed = dict.fromkeys(tried for step in asked for tried in (Tried(None, step.rounding), _chosen(step, plan)))
    others = islice((tried for tried in _others(plan, asked) if tried not in needed), many)
    case = _Case(plan, work, back)
    makers = {tried.name: partial(case.runner, tried, needed=True) for tried in needed}
    makers |= {tried.name: partial(case.runner, tried, needed=False) for tried in others}

    def expected() -> dict[str, Any]:
        return {name: a for name, a in plan.right_answer(work).items() if (name != "y") == back}

    reference = _chosen(asked[0], plan).name
    return measured(_way(work.cell, back), work.shape, makers, expected, plan, reference=reference)


class _Case:
    """A workload's arrays at the device, and the tape of its way there."""

    def __init__(self, plan: GpuPlan, work: Workload, back: bool) -> None:
        self._backend, self._work, self._back = plan.device.backend, work, back
        there, xp, (B, _, _, H) = self._backend.array, self._backend.xp, work.shape
        self._cell = work.layer.make_cell()
        self._weights = {name: there(w) for name, w in work.params.items()}
        self._x, self._dh = (xp.ascontiguousarray(there(a).swapaxes(0, 1)) for a in (work.x, work.dy))
        self._state0 = {name: xp.zeros((B, H), np.float32) for name in self._cell.state}
        self._tape: Any = None

    def _forward(self, place: Any, **how: Any) -> Any:
        return forward(place, self._cell, self._weights, self._x, self._state0, **how)

    def _whole(self, place: Any, **how: Any) -> dict[str, Any]:
        """What the whole call makes."""
        if not self._back:
            return {"y": self._forward(place, **how)[0].swapaxes(0, 1)}
        grads = backward(place, self._tape, self._dh, **how)
        return {"dx": grads.x.swapaxes(0, 1), **grads.weights}

    def runner(self, tried: Tried, needed: bool) -> GpuRunner:
        """The kernels of the recurrence alone, as one whole call has launched them, which is what is validated. One
        that nobody needs, and that the GPU refuses, takes no part."""
        place, host = WatchedPlace(self._backend.place), self._backend.host
        how = {"division": tried.division, "rounding": tried.rounding}
        own: list[Call] = []

        def checked() -> dict[str, Any]:
            if self._back and self._tape is None:
                self._tape = self._forward(self._backend.place)[2]
            with place.watching() as calls:
                try:
                    found = {name: host(a) for name, a in self._whole(place, **how).items()}
                except RuntimeError as error:
                    raise error if needed else Absent(f"{tried.name} is refused: {error}") from error
            own[:] = [call for call in calls if call.recurrent]
            return found

        def run() -> None:
            for call in own:
                call.repeat()

        return GpuRunner(
            run,
            lambda found: found,
            checked=checked,
            kernel=lambda: told(own, long=True),
            tolerance=loosely(self._work, tried.rounding) if tried.rounding else self._work.tolerance,
        )
