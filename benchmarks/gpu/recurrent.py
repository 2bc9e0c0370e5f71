"""The grid on a GPU: every cell there and back (y of each step, dx, all gradients of weights), and there alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from rnnkit_kernels.cuda_gpu.emit.division import Division
from rnnkit_kernels.cuda_gpu.estimate import Step

from .. import table
from ..results import told
from ..timing import geometric_mean
from ..workload import CELLS, Workload
from . import ours, pytorch
from .candidates import admissible, best, clusters_of
from .floors import PAGE, floor
from .plan import SHAPES, SMALL, GpuPlan
from .rows import GpuRow, measured

__all__ = ["HELP", "columns", "left_out", "notes", "over", "rows"]

HELP = "forward and backward through time on the GPU; times of PyTorch's over rnnkit's"
_PEERS = {"PyTorch": "fp32", "PyTorch TF32": "TF32", "PyTorch fp16": "fp16", "PyTorch graph": "graph"}
_ALIKE = (("TF32", "TF32"), ("bf16", "bf16"), ("fp16", "bf16"))  # PyTorch's and rnnkit's that round as much


def columns(plan: GpuPlan) -> tuple[table.Column, ...]:
    return (
        *table.case(shape=17),
        table.origin(12),
        table.number("rnnkit", "us", 8, _sequence, 1),
        table.number("rnnkit", "/step", 7, lambda row: row.step(), 2),
        table.number("rnnkit alone", "alone", 6, lambda row: row.step("rnnkit alone"), 2),
        table.number("", "page", 5, lambda row: row.page, 2),
        *(over(name, title) for name, title in _PEERS.items()),
    )


def rows(plan: GpuPlan, backward: bool = True) -> Iterator[GpuRow]:
    cases = [(cell, shape) for cell in plan.chosen(CELLS) for shape in plan.grid(SHAPES, SMALL)]
    for cell, shape in plan.in_time(cases, lambda case: f"{case[0]} {case[1]}"):
        work = Workload(cell, shape, backward)  # type: ignore[arg-type]
        makers = ours.entrants(work, plan.device, partial(_divided, plan)) | pytorch.entrants(work, plan.device)
        expected = partial(plan.right_answer, work)
        yield measured(cell, shape, makers, expected, plan, **_floors(plan, work))


def notes(found: list[GpuRow], plan: GpuPlan) -> list[str]:
    """The geometric means of the ratios of each cell, what is left out, and what the columns are."""
    lines = []
    for cell in plan.chosen(CELLS):
        own = [row for row in found if row.label == cell]
        means = []
        for name, title in _PEERS.items():
            ratios = [ratio for row in own if (ratio := row.over(name)) is not None]
            if ratios:
                means.append(f"{title} {told(geometric_mean(ratios))} (smallest {min(ratios):.2f})")
        if means:
            lines.append(f"{cell}, geometric means: {', '.join(means)}")
    for theirs, own in _ALIKE:
        ratios = [(row, _rounded(row, theirs, own)) for row in found]
        if alike := [f"{row.label} {row.shape} {ratio:.2f}" for row, ratio in ratios if ratio is not None]:
            lines.append(f"PyTorch's {theirs} over rnnkit's {own}: {', '.join(alike)}")
    lines.append(
        "kernel: `all c2` takes all steps in clusters of 2 blocks, `1 level` is launched for each step. fp32, TF32, "
        "fp16: cuDNN through PyTorch; graph: fp32 replayed from a CUDA graph. alone: the recurrence's kernels by "
        "themselves; page: what the design predicts of a step of the LSTM's way there in fp32."
    )
    return [*lines, *_pages(found), *left_out(found), *plan.late_notes()]


def left_out(found: list[GpuRow]) -> list[str]:
    """Who took no part in how many rows, a sentence for each reason."""
    counts: dict[tuple[str, str], int] = {}
    for row in found:
        for name, reason in row.left_out.items():
            counts[name, reason] = counts.get((name, reason), 0) + 1
    return [f"{name} takes no part in {n} of {len(found)} rows: {reason}" for (name, reason), n in counts.items()]


def _divided(plan: GpuPlan, cell: Any, back: bool, units: int, rows: int) -> Division:
    """The most promising of those that every GPU with clusters takes."""
    clusters = clusters_of(plan.device.backend.place, large=False)
    return best(Step(cell, back, units, rows, clusters), plan.constants)[0]


def _floors(plan: GpuPlan, work: Workload) -> dict[str, float | None]:
    B, T, _, H = work.shape
    page = PAGE.get((B, T, H), {}).get("fp32") if work.cell == "LSTM" and not work.backward else None
    if (known := plan.constants) is None:
        return {"page": page}
    cell, least = work.layer.make_cell(), 0.0
    for back in (False, True)[: 1 + work.backward]:
        divisions = admissible(len(cell.gates), H, B, clusters=(1, *known.exchange), back=back)
        least += floor(known.asked(cell, back, H, B), divisions, known)
    return {"page": page, "floor": least}


def _pages(found: list[GpuRow]) -> list[str]:
    """The design's predictions of what rounds, beside the kernels that are chosen to: see `floors`."""
    beside = []
    for row in (row for row in found if row.page is not None):
        B, T, _, H = row.shape
        for title in ours.ROUNDINGS:
            predicted, own = PAGE[B, T, H].get(title), row.step(f"rnnkit {title}")
            if predicted is not None and own is not None:
                beside.append(f"{title} {','.join(map(str, row.shape))} {own:.2f} ({predicted})")
    return [f"the LSTM's step there, us, and in brackets what the design predicts: {'; '.join(beside)}"] * bool(beside)


def over(name: str, title: str, width: int = 6) -> table.Column:
    """The contender's time over rnnkit's."""
    return table.number(name, title, width, lambda row: row.over(name), 2)


def _rounded(row: GpuRow, theirs: str, own: str) -> float | None:
    time, other = row.values.get(f"rnnkit {own}"), row.values.get(f"PyTorch {theirs}")
    return None if time is None or other is None else other / time


def _sequence(row: GpuRow) -> float | None:
    return 1e6 * row.values["rnnkit"] if "rnnkit" in row.values else None
