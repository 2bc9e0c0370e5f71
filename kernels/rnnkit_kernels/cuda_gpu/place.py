"""Where kernels run: what a recurrence asks of the GPU, and nothing more."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from ..types import Array
from .words import Rounding

__all__ = ["Launch", "Module", "Place"]


@dataclass(frozen=True)
class Launch:
    """One kernel: its name, blocks (x, y), threads of a block, bytes of shared memory; how many blocks in a row make a
    cluster, as it was compiled; and how many calls it serves at once, each by so many blocks that read its table.

    as_argument  whether the tables themselves are its argument, and not where they lie
    """

    kernel: str
    blocks: tuple[int, int]
    threads: int
    shared: int
    cluster: int = 1
    together: int = 1
    as_argument: bool = False

    @property
    def grid(self) -> tuple[int, int, int]:
        return (*self.blocks, self.together)


class Module(Protocol):
    """Compiled kernels, each called with the address of a table and a place in a run of steps. Launches that serve
    several calls find their tables one behind the other."""

    def repeat(self, launches: Sequence[Launch], table: Array, steps: int) -> None:
        """For place = 0 .. steps - 1 in turn: all launches, each after the one before."""


class Place(Protocol):
    """xp: the module whose arrays lie there, with NumPy's names."""

    @property
    def xp(self) -> Any: ...

    def processors(self) -> tuple[int, int]:
        """How many multiprocessors there are, and of what capability: 90 for 9.0. (0, 0) where a step is best taken
        level by level."""

    def room(self) -> int:
        """Bytes of shared memory that a block may have."""

    def large_clusters(self) -> int:
        """How many clusters of 16 blocks run at once; 0 where none does."""

    def products(self, rounding: Rounding) -> AbstractContextManager[Any]:
        """Within the block xp's products of float32 may round what they multiply, to TF32, where rounding is not None;
        else they are strict."""

    def beside(self) -> AbstractContextManager[AbstractContextManager[Any]]:
        """See `Backend.beside`."""

    def module(self, real: str, skeleton: str, printed: str, prefix: str) -> Module:
        """The compiled text; asked for again, what was made before."""

    def address(self, array: Array) -> int:
        """Of the first element."""

    def table(self, words: Sequence[int]) -> Array:
        """64-bit words, as `Module.repeat` takes them: it brings them to where kernels read."""
