"""rnnkit on a GPU through its public layer call: the kernels as they are chosen, those of one kind, and alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

from rnnkit_kernels.backends import Backend
from rnnkit_kernels.cuda_gpu.emit.division import Division
from rnnkit_kernels.cuda_gpu.kernel import CudaKernel

from ..validation import tolerance
from ..workload import Workload
from .device import Device
from .runner import Absent, GpuRunner
from .watched import Call, WatchedPlace, told

__all__ = ["ROUNDINGS", "ForcedBackend", "entrants", "loosely", "runner"]

LEVELS, PERSISTENT = "levels", "persistent"  # kinds of kernels
ROUNDINGS = {"TF32": "tf32", "bf16": "bf16"}  # what products may be rounded to, by its title
Divide = Callable[[Any, bool, int, int], Division]


def entrants(work: Workload, device: Device, divide: Divide) -> dict[str, Callable[[], GpuRunner]]:
    """ "rnnkit" as it chooses, "levels" and "persistent" where that is the other kind; "TF32" and "bf16" as it chooses
    where products may be rounded so, if any are, and as levels; and "alone": the recurrence's own kernels of "rnnkit"
    once more, without what stands before and behind them.

    divide: (cell, back, units, rows) -> the division of a persistent kernel, or Absent raised
    """
    chosen = _Once(partial(runner, work, device))
    found = {
        "rnnkit": chosen,
        "rnnkit levels": lambda: _unless(LEVELS, chosen(), runner(work, device, _Forced(None))),
        "rnnkit persistent": lambda: _unless(PERSISTENT, chosen(), runner(work, device, _Forced(divide))),
    }
    for title, rounding in ROUNDINGS.items():
        rounded = _Once(partial(runner, work, device, rounding=rounding))
        found[f"rnnkit {title}"] = partial(_rounding, title, rounded, chosen)
        found[f"rnnkit {title} levels"] = partial(_rounded_levels, work, device, rounding, rounded)
    return found | {"rnnkit alone": lambda: _alone(chosen())}


def _rounded_levels(work: Workload, device: Device, rounding: str, rounded: _Once) -> GpuRunner:
    return _unless(LEVELS, rounded(), runner(work, device, _Forced(None), rounding))


@dataclass(frozen=True)
class _Forced:
    """divide: as in `entrants`, None for levels."""

    divide: Divide | None


@dataclass(frozen=True)
class ForcedBackend(Backend):
    """A backend whose kernels are divided in one way, whatever would be chosen."""

    how: _Forced = _Forced(None)

    def kernel(self, cell: Any) -> CudaKernel:
        return _ForcedKernel(cell, place=self.place, rounding=self.rounding, how=self.how)


@dataclass(frozen=True, kw_only=True)
class _ForcedKernel(CudaKernel):
    how: _Forced

    def division(self, back: bool, rows: int, units: int, dtype: Any) -> Division | None:
        return None if self.how.divide is None else self.how.divide(self.cell, back, units, rows)


class _Kept:
    """The calls of the run that was watched."""

    def __init__(self) -> None:
        self.calls: list[Call] = []


def runner(work: Workload, device: Device, how: _Forced | None = None, rounding: str | None = None) -> GpuRunner:
    """The workload's numbers at the device, steps first as for PyTorch: seen by the layer as (B, T, F).

    how: which kernels, where not those that are chosen;  rounding: what products may round to
    """
    base = device.backend
    place, kept = WatchedPlace(base.place), _Kept()
    backend = replace(base, place=place, rounding=rounding)
    if how is not None:
        known = {entry.name: getattr(backend, entry.name) for entry in fields(Backend)}
        backend = ForcedBackend(**known, how=how)
    there, xp = backend.array, backend.xp

    def steps_first(a: Any) -> Any:
        return xp.ascontiguousarray(there(a).swapaxes(0, 1)).swapaxes(0, 1)

    x, dy = steps_first(work.x), steps_first(work.dy) if work.backward else None
    params = {name: there(w) for name, w in work.params.items()}

    def context() -> Any:
        ctx = work.context(backend)
        return replace(ctx, mask=there(ctx.mask))

    timed = context()  # made once: what is drawn goes on from call to call

    def run(ctx: Any = timed) -> Any:
        y, back = work.forward(params, x, ctx)
        return (y, *back(dy)) if work.backward else (y,)

    def checked() -> Any:
        with place.watching() as kept.calls:
            return run(context())

    def arrays(found: Any) -> dict[str, Any]:
        whole = {"y": found[0]} | ({"dx": found[2], **found[1]} if work.backward else {})
        return {name: base.host(a) for name, a in whole.items()}

    allowed = loosely(work, rounding) if rounding else work.tolerance
    return _Ours(run, arrays, checked=checked, kernel=lambda: told(kept.calls), tolerance=allowed, kept=kept)


@dataclass(frozen=True, kw_only=True)
class _Ours(GpuRunner):
    kept: _Kept

    @property
    def details(self) -> str:
        return told(self.kept.calls, long=True)


class _Once:
    """What makes a runner, made once."""

    def __init__(self, make: Callable[[], _Ours]) -> None:
        self._make, self._made = make, None

    def __call__(self) -> Any:
        if self._made is None:
            self._made = self._make()
        return self._made


def loosely(work: Workload, rounding: str = "tf32") -> float:
    """The tolerance of numbers with ten bits behind the point, fp16 and TF32 alike, or with bf16's seven."""
    B, T, F, H = work.shape
    return (8 if rounding == "bf16" else 1) * tolerance("float16", terms=F + H, steps=T, rows=B * T)


def _kinds(chosen: Any) -> set[str]:
    """Of the kernels of recurrences that the runner's watched call has launched; none where the textbook ran."""
    calls = [call for call in chosen.kept.calls if call.recurrent]
    return {PERSISTENT if call.launches[0].kernel.endswith("_persistent") else LEVELS for call in calls}


def _unless(kind: str, chosen: Any, other: GpuRunner) -> GpuRunner:
    """The other runner, unless the chosen one has launched that kind alone."""
    if not chosen.kept.calls:
        chosen.checked()
    if _kinds(chosen) == {kind}:
        raise Absent("that is what was chosen")
    return other


def _rounding(title: str, rounded: _Once, chosen: _Once) -> GpuRunner:
    """The runner that may round, unless its kernels are those of the one that may not."""
    if _texts(rounded()) == _texts(chosen()):
        raise Absent(f"kernels are chosen that do not round to {title}")
    found: GpuRunner = rounded()
    return found


def _texts(runner: Any) -> set[tuple[str, ...]]:
    """What the kernels of the runner's watched call were compiled from."""
    if not runner.kept.calls:
        runner.checked()
    return {call.text for call in runner.kept.calls if call.recurrent}


def _alone(chosen: Any) -> GpuRunner:
    calls = [call for call in chosen.kept.calls if call.recurrent]
    if not calls:
        raise Absent("the textbook ran")

    def run() -> None:
        for call in calls:
            call.repeat()

    return GpuRunner(run, lambda _: {}, kernel=chosen.kernel, repeats="rnnkit")
