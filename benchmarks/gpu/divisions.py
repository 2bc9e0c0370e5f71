"""Every division of a persistent kernel, timed in turn beside kernels for each level and what `choose` takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from rnnkit_kernels.cuda_gpu.backward import backward
from rnnkit_kernels.cuda_gpu.choice import choose
from rnnkit_kernels.cuda_gpu.emit.division import Division
from rnnkit_kernels.cuda_gpu.recurrence import forward

from .. import table
from ..workload import CELLS, Workload
from .candidates import best, levels_of
from .ours import loosely
from .plan import SHAPES, SMALL, GpuPlan
from .recurrent import left_out
from .rows import GpuRow, measured
from .runner import Absent, GpuRunner
from .watched import Call, WatchedPlace, told

__all__ = ["HELP", "columns", "fitted", "name_of", "notes", "rows"]

HELP = "a step's kernels by themselves, us: the best division, what is chosen, levels"
LEVELS, ROUNDED = "levels", {"TF32 levels": "tf32", "bf16 levels": "bf16"}
_NUMBERS, _FEWEST = 1 << 21, 64  # of h and steps that are run: so many that what a launch costs does not count
_LOSS = 1.1
_MOST, _LEAST, _SECONDS = 14, 3, 0.5  # divisions of a row; what it takes to time one that is compiled


def name_of(division: Division | None) -> str:
    """split, blocks of a cluster, rows."""
    return LEVELS if division is None else f"s{division.split} c{division.cluster} r{division.rows}"


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
    for number, case in enumerate(plan.in_time(cases, lambda case: f"{_way(*case[:2])} {case[2]}")):
        cell, back, (B, T, F, H) = case
        left = (plan.ends - plan.now()) / (len(cases) - number)
        many = min(_MOST, max(_LEAST, int(min(left, 1e3) / _SECONDS)))
        work = Workload(cell, (B, min(T, max(_FEWEST, _NUMBERS // (B * H))), F, H))
        yield _row(plan, work, back, 2 if plan.quick else many)


def notes(found: Sequence[GpuRow], plan: GpuPlan) -> list[str]:
    """All times; where the choice loses; the constants of its formula that would describe the times."""
    lines = [f"{row.label} {','.join(map(str, row.shape))}: {_all(row)}" for row in found]
    lost = [f"{row.label} {row.shape}" for row in found if (row.ratio(_best(row)) or 1) > _LOSS]
    lines.append(f"what is chosen takes more than {_LOSS} times the best: {', '.join(lost) or 'nowhere'}")
    processors = plan.device.backend.place.processors()[0]
    return [*lines, *fitted(found, processors), *left_out(list(found)), *plan.late_notes()]


def fitted(found: Sequence[GpuRow], processors: int) -> list[str]:
    """The constants of `cuda_gpu.choice`'s estimate that come nearest to the times, relative to each, by least squares:
    of persistent kernels (meetings, products of a block) and of levels (launch, products of the GPU)."""
    whole, apart = [], {name: [] for name in (LEVELS, *ROUNDED)}
    for row in found:
        cell, back = CELLS[row.label.split()[0]](1).make_cell(), row.label.endswith("back")
        B, _, _, H = row.shape
        levels, products = levels_of(cell, back), len(cell.gates) * H * H
        for name in row.values:
            time = row.step(name) or 0.0
            if name in apart:
                apart[name].append(([levels, products * B], time))
                continue
            _, cluster, rows_each = (int(part[1:]) for part in name.split())
            again = -(-B // (max(1, processors // cluster) * rows_each))
            terms = [levels * (cluster == 1), levels * (cluster > 1), products * rows_each / cluster]
            whole.append(([again * term for term in terms], time))
    lines = []
    known = ((whole, ("_MEETING", "_CLUSTER_MEETING", "_OF_A_BLOCK")), (apart[LEVELS], ("_LAUNCH", "_PRODUCTS")))
    for times, names in (*known, *((apart[name], ("_LAUNCH", f"_TENSOR of {name}")) for name in ROUNDED)):
        if (told := _least_squares(times, names)) is not None:
            lines.append(f"cuda_gpu.choice would describe {len(times)} times best with {told}")
    return lines


def _least_squares(times: Sequence[tuple[list[float], float]], names: Sequence[str]) -> str | None:
    """The last constant is a rate, of what the last term counts. None where the times do not tell them."""
    if len(times) < len(names):
        return None
    terms, wanted = np.array([t for t, _ in times], float), np.array([time for _, time in times])
    scaled = terms / wanted[:, None]
    if np.linalg.matrix_rank(scaled / np.abs(scaled).max(axis=0).clip(1e-300)) < len(names):
        return None
    solved = np.linalg.lstsq(scaled, np.ones(len(times)), rcond=None)[0]
    if (solved <= 0).any():
        return None
    off, rate = np.abs(scaled @ solved - 1).max(), 1 / solved[-1]
    parts = [f"{name} = {value:.3f}" for name, value in zip(names[:-1], solved[:-1], strict=True)]
    return f"{', '.join(parts)}, {names[-1]} = {rate:.3g}, and be off by at most {off:.0%}"


def _way(cell: str, back: bool) -> str:
    return f"{cell}{' back' * back}"


def _best(row: GpuRow) -> str:
    """Of those that round nothing."""
    return min((name for name in row.values if name not in ROUNDED), key=lambda name: row.values[name], default="")


def _all(row: GpuRow) -> str:
    steps = sorted((row.step(name) or 0.0, name) for name in row.values)
    return ", ".join(f"{name} {time:.3f}" for time, name in steps)


def _row(plan: GpuPlan, work: Workload, back: bool, many: int) -> GpuRow:
    """All in turn: levels, what is chosen, the most promising of the others, and levels that round."""
    B, _, _, H = work.shape
    place, cell = plan.device.backend.place, work.layer.make_cell()
    processors, capability = place.processors()
    chosen = choose(cell, back, H, B, 4, processors, capability, None, place.large_clusters())
    try:
        others = list(best(cell, back, H, B, plan.constants, clusters=capability >= 90))
    except Absent:
        others = []
    tried = dict.fromkeys([None, chosen, *others[:many]])
    case = _Case(plan, work, back)
    makers = {name_of(d): partial(case.runner, d, needed=d in (None, chosen)) for d in tried}
    for name, rounding in ROUNDED.items():
        makers[name] = partial(case.runner, None, needed=True, rounding=rounding)

    def expected() -> dict[str, Any]:
        return {name: a for name, a in plan.right_answer(work).items() if (name != "y") == back}

    return measured(_way(work.cell, back), work.shape, makers, expected, plan, reference=name_of(chosen))


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

    def runner(self, division: Division | None, needed: bool, rounding: str | None = None) -> GpuRunner:
        """The kernels of the recurrence alone, as one whole call has launched them, which is what is validated. One
        that nobody needs, and that the GPU refuses, takes no part."""
        place, host = WatchedPlace(self._backend.place), self._backend.host
        how = {"division": division, "rounding": rounding}
        own: list[Call] = []

        def checked() -> dict[str, Any]:
            if self._back and self._tape is None:
                self._tape = self._forward(self._backend.place)[2]
            with place.watching() as calls:
                try:
                    found = {name: host(a) for name, a in self._whole(place, **how).items()}
                except RuntimeError as error:
                    raise error if needed else Absent(f"{name_of(division)} is refused: {error}") from error
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
            tolerance=loosely(self._work, rounding) if rounding else self._work.tolerance,
        )
