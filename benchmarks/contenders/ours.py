"""rnnkit through its public layer API: `layer(params, x, ctx)` and the pullback."""

from __future__ import annotations

from itertools import cycle
from typing import Any

from ..workload import Runner, Workload
from . import Contender

__all__ = ["backend_name", "contender", "runner"]


def contender(name: str, threads: int) -> Contender:
    """ "rnnkit" is backend auto, "NumPy" the textbook. The threads are those of the environment."""
    backend = backend_name(name)
    return Contender(name, lambda work: runner(work, backend))


def backend_name(name: str) -> str:
    return "numpy" if name == "NumPy" else "auto"


def runner(work: Workload, backend: str = "auto") -> Runner:
    x, dy, ctx = work.x, work.dy, work.context(backend)
    params = {name: w.copy() for name, w in work.params.items()}
    origin = str(ctx.kernels.kernel(work.layer.make_cell()).origin)
    if not work.backward:
        return Runner(lambda: work.forward(params, x, ctx)[0], lambda y: {"y": y}, origin)
    # After each step of an optimizer the weights are new arrays, so packing them belongs to the time: two sets in turn.
    sets = cycle((params, {name: w.copy() for name, w in params.items()}))

    def both() -> Any:
        y, back = work.forward(next(sets), x, ctx)
        return y, *back(dy)

    return Runner(both, lambda r: {"y": r[0], "dx": r[2], **r[1]}, origin)
