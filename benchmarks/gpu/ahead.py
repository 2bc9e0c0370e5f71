"""The kernels of a run, compiled beforehand by as many processes as there are cores: CuPy keeps the binaries on disk.

Which they are is found by a run of the same groups that launches nothing: on arrays of one step, in main memory, at a
place that only writes down what it is asked to compile. Nothing that comes out is right, so nothing is timed.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import fields
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from rnnkit_kernels.backends import Backend
from rnnkit_kernels.cuda_gpu.cupy_place import CupyPlace
from rnnkit_kernels.cuda_gpu.emit.tile import ROOM

from .plan import GpuPlan

__all__ = ["compile_all", "kernels_of"]

_SECONDS, _PATIENCE = 40.0, 120.0  # for finding out, and for compiling


def kernels_of(groups: Iterable[ModuleType], plan: GpuPlan) -> list[dict[str, Any]]:
    """The arguments of `cupy.RawModule` for every text that the groups' rows need, each once."""
    place = _Unheard(plan.device.backend.place.processors())
    known = {entry.name: getattr(plan, entry.name) for entry in fields(GpuPlan)}
    known |= {"device": _Nowhere(place), "late": [], "_answers": {}, "_last": []}
    dry, ends = _OneStep(**known), plan.now() + _SECONDS
    with np.errstate(all="ignore"):
        for module in groups:
            for _ in module.rows(dry):
                if plan.now() > ends:
                    break
    return list({given["code"]: given for given in place.asked}.values())


def compile_all(asked: Sequence[dict[str, Any]], workers: int) -> int:
    """How many were compiled. What goes wrong here does so again, and is told, where the kernel is needed."""
    if not asked:
        return 0
    pool = ProcessPoolExecutor(min(workers, len(asked)), mp_context=multiprocessing.get_context("spawn"))
    try:
        return sum(pool.map(_compiled, asked, timeout=_PATIENCE))
    except (BrokenExecutor, TimeoutError):
        return 0
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _compiled(given: dict[str, Any]) -> bool:
    try:
        import cupy

        cupy.RawModule(**given).compile()
    except Exception:
        return False
    return True


class _OneStep(GpuPlan):
    def grid(self, shapes: Any, small: Any) -> tuple[tuple[int, ...], ...]:
        return tuple((B, 1, F, H) for B, _, F, H in super().grid(shapes, small))


class _Unheard:
    """A place whose modules are asked for, and whose launches are not heard."""

    xp = np

    def __init__(self, processors: tuple[int, int]) -> None:
        self.asked: list[dict[str, Any]] = []
        self._processors, self._real = processors, CupyPlace(SimpleNamespace(RawModule=self._ask))

    def _ask(self, **given: Any) -> None:
        self.asked.append(given)

    def processors(self) -> tuple[int, int]:
        return self._processors

    def room(self) -> int:
        return ROOM

    def large_clusters(self) -> int:
        return self._processors[0] // 16

    def products(self, rounding: Any) -> Any:
        return nullcontext()

    def beside(self) -> Any:
        return nullcontext(nullcontext())

    def module(self, *text: str) -> Any:
        self._real.module(*text)
        return SimpleNamespace(repeat=lambda launches, table, steps: None)

    def address(self, array: Any) -> int:
        return 0

    def table(self, words: Sequence[int]) -> Any:
        return tuple(words)


class _Nowhere:
    """A device that PyTorch has not heard of either."""

    name = "nowhere"

    def __init__(self, place: Any) -> None:
        self.backend = Backend("cuda", "asked for by name", place)

    def timed(self, run: Callable[[], Any], calls: int) -> tuple[float, float]:
        return 0.0, 0.0

    def fresh(self, size: int) -> None:
        return

    def recorded(self, run: Callable[[], Any]) -> Callable[[], Any]:
        return run

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return function
