"""Which kernel runs and why: `model.explain()`, of layers in a row, and of several such rows in one model."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .accounts import Circumstances, Line, filled, lines
from .border import whole
from .context import Context
from .layers.base import Layer, Params, Shape
from .summary import Summary

if TYPE_CHECKING:
    from .stack import Stack

__all__ = ["Side", "explain", "explain_sides"]

_WIDTH, _NAMED = 100, 24  # characters of a line, and of a layer with its place
_REPEATS = 3


@dataclass(frozen=True)
class Side:
    """Layers in a row, and the shape of what they read; name: "encoder", or "" where a model has no other side."""

    name: str
    model: Stack
    shape: Shape

    def place(self, line: Line) -> str:
        return f"{self.name} {line.place}".strip()


def explain(
    model: Stack, batch_size: int = 32, steps: int | None = None, training: bool = True, measure: bool = False
) -> Summary:
    """What `Stack.explain` says; see there."""
    model.check_built("explain")
    shape = filled(model, whole("batch_size", batch_size, 1), None if steps is None else whole("steps", steps, 1))
    what = "fit: forward and back" if training else "predict: forward alone"
    return explain_sides([Side("", model, shape)], what, training, measure)


def explain_sides(sides: Sequence[Side], what: str, training: bool, measure: bool) -> Summary:
    """A table with the layers of each side, and around it what holds for all: they share backend and dtype.

    what   is done with the model, in words
    """
    model = sides[0].model
    if measure and model.backend.place is not None:
        raise ValueError("measure=True times layers on the CPU: leave it out, or build the model with backend='auto'")
    given = Circumstances(model.backend, str(model.dtype), training)
    found = [(side, line, seen) for side in sides for line, seen in lines(side.model, side.shape, given)]
    head = [(side.name or "input", f"{tuple(side.shape)} of {given.dtype}, {what}") for side in sides]
    head += _machine(given)
    titles = ["layer", "kernel", "threads", "lanes", "forward", "weights"]
    if training:
        titles[5:5] = ["and back"]
        titles.append("tape")
    rows = [titles]
    peak, how = _peak(given) if measure else (0.0, "")
    for side, line, seen in found:
        first = f"{side.place(line)} {line.kind}"[: _NAMED + len(side.name)]
        cells = [first, line.kernel, line.split, str(line.lanes or ""), _count(line.forward)]
        cells += [_count(line.forward + line.backward)] if training else []
        cells += [_bytes(line.weights)] + ([_bytes(line.tape)] if training else [])
        if measure:
            cells += _measured(side.model, line, seen, given, peak)
        rows.append(cells)
    if measure:
        titles += ["time", "share"]
        head.append(("share", f"of {_count(int(peak))} operations a second: {how}"))
    reasons = _reasons((side.place(line), line) for side, line, _ in found)
    return Summary("\n".join([*_told(head), "", *_table(rows), "", *_told(reasons)]))


def _reasons(found: Iterable[tuple[str, Line]]) -> list[tuple[str, str]]:
    """Why each layer runs as it does, those with one reason together: kernel, reason, places."""
    places: dict[tuple[str, str], list[str]] = {}
    for place, line in found:
        if line.kernel:
            places.setdefault((line.kernel, line.why), []).append(place)
    return [(kernel, f"{why}: {', '.join(at)}") for (kernel, why), at in places.items()]


def _machine(given: Circumstances) -> list[tuple[str, str]]:
    backend = given.backend
    head = [("backend", f"{backend.name}: {backend.reason}")]
    if backend.place is not None:
        from rnnkit_kernels.cuda_gpu.missing import facts as gpu

        return [*head, *gpu().items()]
    if backend.name == "numpy":
        return [*head, ("threads", "those of NumPy's BLAS")]
    from rnnkit_kernels.numba_cpu.account import facts

    known = facts()
    head += [("cpu", known["lanes"]), ("threads", known["threads"])]
    return [*head, ("lost", known["lost"])] if "lost" in known else head


def _peak(given: Circumstances) -> tuple[float, str]:
    """Operations a second that the machine was seen to make, and how that was found out."""
    if given.backend.name != "numpy":
        from rnnkit_kernels.numba_cpu import account
        from rnnkit_kernels.numba_cpu.parallel import cores

        return account.peak(given.dtype) * cores.available(), account.PEAK
    a = np.ones((512, 512), given.dtype)
    return 2 * 512**3 / _fastest(lambda: a @ a), f"NumPy's product of two 512 x 512 matrices, best of {_REPEATS}"


def _measured(model: Stack, line: Line, shape: Shape, given: Circumstances, peak: float) -> list[str]:
    """The time of a layer of the model, best of three after one that does not count; nothing for a part of one."""
    if "." in line.place:
        return ["", ""]
    layer, params = model.layers[int(line.place)], model.params[int(line.place)]
    seconds = _fastest(_pass(layer, params, shape, given))
    work = line.forward + (line.backward if given.training else 0)
    return [_time(seconds), f"{work / seconds / peak:.0%}" if work else ""]


def _pass(layer: Layer, params: Params, shape: Shape, given: Circumstances) -> Callable[[], None]:
    """One pass of a layer over random numbers, or over zeros where it takes indices; and back, in training."""
    rng = np.random.default_rng(0)
    sizes = tuple(n or 1 for n in shape)
    x = np.zeros(sizes, np.int64) if layer.takes_indices else rng.standard_normal(sizes).astype(given.dtype)
    ctx = Context(given.backend, rng=rng if given.training else None, tape=given.training)
    dy: Any = None

    def run() -> None:
        nonlocal dy
        y, pullback = layer(params, x, ctx)
        if given.training:
            dy = np.ones_like(y) if dy is None else dy
            pullback(dy)

    return run


def _fastest(run: Callable[[], Any]) -> float:
    run()
    seconds = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _table(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    told = [
        " ".join(f"{a:<{w}}" if k < 3 else f"{a:>{w}}" for k, (a, w) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]
    rule = "-" * len(told[0])
    return [told[0].rstrip(), rule, *(line.rstrip() for line in told[1:]), rule]


def _told(pairs: list[tuple[str, str]]) -> list[str]:
    """Names, and beside them sentences, broken at the width."""
    left = max(len(name) for name, _ in pairs) + 2
    found = []
    for name, sentence in pairs:
        first, *rest = textwrap.wrap(sentence, _WIDTH - left)
        found += [f"{name:<{left}}{first}", *(" " * left + line for line in rest)]
    return found


def _count(number: float) -> str:
    """Operations: 1.2 G."""
    for unit in ("", " k", " M", " G"):
        if number < 999.5:
            return "" if number == 0 else f"{number:.3g}{unit}"
        number /= 1000
    return f"{number:.3g} T"


def _bytes(size: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if size < 1023.5:
            return "" if size == 0 else f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def _time(seconds: float) -> str:
    unit, size = next(((u, s) for u, s in (("s", 1.0), ("ms", 1e-3)) if seconds >= 0.9995 * s), ("us", 1e-6))
    return f"{seconds / size:.3g} {unit}" if seconds < 999.5 * size else f"{seconds:.0f} s"
