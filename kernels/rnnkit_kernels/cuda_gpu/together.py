"""A call up to its kernels, and two calls whose kernels are launched as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..types import Array
from .compiled import CompiledCell
from .place import Place

__all__ = ["Begun", "Later", "alone", "at_once"]


@dataclass(frozen=True, eq=False)
class Begun:
    """sizes: T, B, H; arrays: what the kernels are told, by the layout's names; finish: makes of what the kernels have
    left what the call gives back."""

    program: CompiledCell
    sizes: tuple[int, int, int]
    arrays: Mapping[str, Array]
    finish: Callable[[], Any]


def alone(place: Place, call: Begun) -> Any:
    call.program.run(place, call.sizes, call.arrays)
    return call.finish()


@dataclass(frozen=True, eq=False)
class Later:
    """A call for which nothing has been done yet. Called, it is made by itself.

    begin  given of how many calls the kernels run side by side
    kind   what two calls have alike that can share their launches: then they begin with one program and one size
    """

    place: Place
    begin: Callable[[int], Begun]
    kind: tuple[Any, ...]

    def __call__(self) -> Any:
        return alone(self.place, self.begin(1))


def at_once(first: Callable[[], Any], second: Callable[[], Any]) -> tuple[Any, Any] | None:
    """See `Backend.at_once`. Every launch has the blocks of both calls, chosen as for a batch of the rows of both."""
    if not isinstance(first, Later) or not isinstance(second, Later) or first.kind != second.kind:
        return None
    one, other = first.begin(2), second.begin(2)
    one.program.run(first.place, one.sizes, one.arrays, other.arrays)
    return one.finish(), other.finish()
