"""A `Place` that notes what is launched: which kernels really ran, and how to launch them again alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rnnkit_kernels.cuda_gpu.place import Launch, Module, Place

__all__ = ["Call", "WatchedPlace", "told"]


@dataclass(frozen=True, eq=False)
class Call:
    """One `repeat` of a module. text: what the module was compiled from, as `Place.module` is given it; arrays: those
    whose addresses stand in the table; kept, for a repetition uses them."""

    module: Module
    text: tuple[str, ...] = field(repr=False)
    launches: tuple[Launch, ...]
    table: Any
    steps: int
    arrays: list[Any] = field(repr=False)

    @property
    def recurrent(self) -> bool:
        """Whether these are the kernels of a recurrence, and not of a mask or of an element-wise function."""
        return self.launches[0].kernel.startswith(("forward_", "backward_"))

    def repeat(self) -> None:
        self.module.repeat(self.launches, self.table, self.steps)


class WatchedPlace:
    """place, and nothing more, until `watching()`."""

    def __init__(self, place: Place) -> None:
        self.xp, self.table, self.processors, self._place = place.xp, place.table, place.processors, place
        self._calls: list[Call] | None = None
        self._arrays: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._place, name)

    def module(self, *text: str) -> Any:
        found = self._place.module(*text)
        return found if self._calls is None else _Noting(found, self, text)

    def address(self, array: Any) -> int:
        if self._calls is not None:
            self._arrays.append(array)
        return self._place.address(array)

    @contextmanager
    def watching(self) -> Iterator[list[Call]]:
        """The calls within the block, as they come."""
        calls: list[Call] = []
        self._calls, self._arrays = calls, []
        try:
            yield calls
        finally:
            self._calls, self._arrays = None, []

    def note(self, module: Module, text: tuple[str, ...], launches: Sequence[Launch], table: Any, steps: int) -> None:
        if self._calls is not None:
            self._calls.append(Call(module, text, tuple(launches), table, steps, self._arrays))
            self._arrays = []


class _Noting:
    def __init__(self, module: Module, place: WatchedPlace, text: tuple[str, ...]) -> None:
        self._module, self._place, self._text = module, place, text

    def repeat(self, launches: Sequence[Launch], table: Any, steps: int) -> None:
        self._place.note(self._module, self._text, launches, table, steps)
        self._module.repeat(launches, table, steps)


def told(calls: Iterable[Call], long: bool = False) -> str:
    """The kernels of recurrences among the calls, in words; "textbook" where there are none."""
    own = [call for call in calls if call.recurrent]
    if not own:
        return "textbook"
    if long:
        return "; ".join(_told(launch, call.steps) for call in own for launch in call.launches)
    return "/".join(dict.fromkeys(_short(call) for call in own))


def _short(call: Call) -> str:
    if call.launches[0].kernel.endswith("_persistent"):
        return f"all c{call.launches[0].cluster}"
    return f"{len(call.launches)} level{'s' * (len(call.launches) > 1)}"


def _told(launch: Launch, steps: int) -> str:
    across, down, calls = launch.grid
    clusters = f", clusters of {launch.cluster}" if launch.cluster > 1 else ""
    times = f", {steps} times" if steps > 1 else ""
    at_once = f", {calls} calls at once" if calls > 1 else ""
    return f"{launch.kernel}: {across * down * calls} blocks of {launch.threads} threads{clusters}{times}{at_once}"
