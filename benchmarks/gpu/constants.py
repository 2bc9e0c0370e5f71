"""The constants of a GPU that the choice of a kernel and the floors depend on, each measured by a kernel of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rnnkit_kernels.cells import LSTM
from rnnkit_kernels.cuda_gpu.estimate import LARGE
from rnnkit_kernels.cuda_gpu.place import Place

from .. import table
from ..results import Row
from .candidates import admissible
from .floors import PAGE, Constants, floor
from .plan import GpuPlan
from .small_kernels import ROWS, THREADS, Rounds, SmallKernels

__all__ = ["FULL", "HELP", "QUICK", "columns", "constants_of", "floors", "notes", "rows"]

HELP = "what a step is made of, each by a small kernel of its own"
FULL, QUICK = Rounds(2_000, 22_000, 9), Rounds(500, 2_500, 3)


def columns(plan: GpuPlan) -> tuple[table.Column, ...]:
    return (
        table.Column("constant", 44, lambda row: row.label, left=True),
        table.Column("of", 4, lambda row: ",".join(map(str, row.shape))),
        table.number("us", "us", 9, lambda row: 1e6 * row.values["us"] if "us" in row.values else None, 4),
        table.number("number", "number", 12, lambda row: row.values.get("number"), 0),
    )


def rows(plan: GpuPlan, rounds: Rounds | None = None) -> Iterator[Row]:
    """us: seconds, told in microseconds; number: of what the label says. One that cannot be had is FAILED."""
    kernels = SmallKernels(plan.device, rounds or (QUICK if plan.quick else FULL))
    for label, of, measure in _measures(kernels, plan.device.backend.place):
        if plan.now() >= plan.ends:
            plan.late.append(label)
            continue
        try:
            values, failed = measure(), {}
        except Exception as error:
            values, failed = {}, {"us": f"{type(error).__name__}: {error}"}
        yield Row(label, of, values, reference="us", failed=failed)


def notes(found: Sequence[Row], plan: GpuPlan) -> list[str]:
    """The floors made anew, beside the design's; and what stands for the constants of `cuda_gpu.choice`."""
    lines = plan.late_notes()
    if (known := constants_of(found, plan.device.backend.place.processors()[0])) is None:
        return [*lines, "floors cannot be made: not every constant was measured"]
    lines.append("floors of a step of the LSTM's way there, us, fp32, from these constants (in brackets: the design's)")
    lines += [f"{' '.join(map(str, shape))}: {text}" for shape, text in floors(known).items()]
    clusters = "".join(f", of a cluster of {n} {known.exchange[n] + known.gates:.3f}" for n in sorted(known.exchange))
    lines.append(
        f"as cuda_gpu.estimate counts, us: meeting {known.block + known.gates:.3f}{clusters}; launch "
        f"{known.node + known.gates:.3f}; block_product {1e6 / known.rate(1):.4g}: the group `divisions` fits such "
        "costs to whole steps"
    )
    return lines


def floors(known: Constants) -> dict[tuple[int, int, int], str]:
    """By (B, T, H): of a step, made from the constants, and the design's."""
    clusters, lstm = (1, *known.exchange), LSTM()
    return {
        (B, T, H): f"{floor(known.asked(lstm, False, H, B), admissible(4, H, B, clusters=clusters), known):.3f} "
        f"({page['fp32']})"
        for (B, T, H), page in PAGE.items()
    }


def constants_of(found: Sequence[Row], processors: int) -> Constants | None:
    """From the rows of this group; None where one is missing that nothing can stand for."""
    values = {(row.label, row.shape): next(iter(row.values.values())) for row in found if row.values}

    def by(label: str, scale: float = 1e6) -> dict[int, float]:
        return {of[0]: scale * value for (name, of), value in values.items() if name == label}

    exchange, rates = by(_EXCHANGE), by(_PRODUCTS, 1)
    if 1 not in exchange or not rates or not by(_GATES) or not by(_NODE):
        return None
    return Constants(
        gates=by(_GATES)[THREADS],
        block=exchange.pop(1),
        exchange=exchange,
        node=by(_NODE)[1],
        products=rates,
        at_once={size: int(count) for size, count in by(_AT_ONCE, 1).items()},
        processors=processors,
    )


_GATES, _EXCHANGE, _MEETING = "from parts of sums to h, LSTM", "numbers put to all blocks, and a meeting", "a meeting"
_PRODUCTS, _AT_ONCE = "multiply-adds of a block in a us, by rows", "clusters that run at once, by blocks"
_NODE, _EMPTY, _LAUNCH = "a node of a graph", "an empty kernel between two events", "a launch, time of the host"
_REPEAT = "a call with its table, time of the host"


def _measures(
    kernels: SmallKernels, place: Place
) -> Iterator[tuple[str, tuple[int, ...], Callable[[], dict[str, float]]]]:
    yield _EMPTY, (1,), lambda: {"us": kernels.empty()}
    yield _LAUNCH, (1,), lambda: {"us": (kernels.asked(3) - kernels.asked(1)) / 2}
    yield _REPEAT, (1,), lambda: {"us": kernels.asked()}
    yield _NODE, (1,), lambda: {"us": kernels.node()}
    yield _GATES, (THREADS,), lambda: {"us": kernels.gates()}
    for n in (1, *kernels.sizes):
        yield _MEETING, (n,), lambda n=n: {"us": kernels.meeting(n)}
    for n in (1, *kernels.sizes):
        yield _EXCHANGE, (n,), lambda n=n: {"us": kernels.exchange(n)}
    for r in ROWS:
        yield _PRODUCTS, (r,), lambda r=r: {"number": kernels.rate(r)}
    for n in (size for size in kernels.sizes if size < LARGE):
        yield _AT_ONCE, (n,), lambda n=n: {"number": kernels.at_once(n)}
    if LARGE in kernels.sizes:  # as recurrences are told
        yield _AT_ONCE, (LARGE,), lambda: {"number": float(place.large_clusters())}
