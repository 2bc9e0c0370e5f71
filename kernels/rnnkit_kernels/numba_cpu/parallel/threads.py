"""A team of threads for C functions `void f(int64 table, int64 part)`: `with team(4) as t: t.run(f, table, t.size)`.

No OpenMP and no threading layer of Numba's: the threads are this package's own, start at the first use and sleep when
there is nothing to do, and no other library's threads are touched.
"""

from __future__ import annotations

import atexit
import ctypes
import os
from collections.abc import Callable
from functools import lru_cache
from threading import Lock
from typing import Any

from .cores import available
from .crew import Crew, work
from .sharing import dispatch

__all__ = ["Team", "available", "function", "team"]


@lru_cache(maxsize=1024)
def function(address: int) -> Callable[[int, int], None]:
    """The C function `void f(int64, int64)` at `address` as a Python function, which gives the GIL away meanwhile."""
    return _KIND(address)


_KIND = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)


class Team:
    """The threads one caller has, from `team`, for itself. size: how many, the calling thread included."""

    size = 1

    def __enter__(self) -> Team:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def run(self, function_address: int, table_address: int, parts: int, before: int = 0) -> None:
        """Calls function(table, part) for part = 0 .. parts - 1 and returns when all are done.

        Up to `size` parts run at once, part 0 in the calling thread. More than that are dealt out: part p is of thread
        p % size, in order. What a thread has not begun when the calling thread has done its own parts, that one does.
        So parts may wait for each other where there are no more of them than `size`, and part 0 waits for all: when it
        is done, all have begun.

        before  the address of a function that is called likewise for all parts, which are done before those of
                `function` begin; 0 for none
        """
        if before:
            work(before, table_address, 0, 1, parts)
        work(function_address, table_address, 0, 1, parts)


class _Reserved(Team):
    """A team of several threads: the crew is this caller's until the end of the block."""

    def __init__(self, wanted: int) -> None:
        self._wanted, self._size = wanted, 1
        self._lock: Any = None
        self._crew: Crew | None = None

    def __enter__(self) -> Team:
        global _crew
        lock = _lock
        if not lock.acquire(blocking=False):
            return ALONE
        self._lock = lock
        try:
            if _crew is None:
                _crew = Crew()
            self._crew = _crew
            self._size = _crew.grow(self._wanted)
        except BaseException:
            lock.release()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    @property
    def size(self) -> int:  # type: ignore[override]
        """1 in a child that was forked inside the block: the threads stayed with its parent."""
        return self._size if self._crew is _crew else 1

    def run(self, function_address: int, table_address: int, parts: int, before: int = 0) -> None:
        crew, size = self._crew, self.size
        if crew is None or size == 1 or parts == 1:
            super().run(function_address, table_address, parts, before)
        else:
            dispatch(crew.base, size, crew.release, before, function_address, table_address, parts)


ALONE = Team()
_lock = Lock()
_crew: Crew | None = None


def team(wanted: int) -> Team:
    """Up to `wanted` threads, for a `with` block: `size` says how many there really are.

    That is 1 where `available()` is 1, while another Python thread has the team, inside of another block, and where the
    system gives no threads; so what waits for its fellows at barriers is run with `size` parts and always ends.
    """
    if wanted <= 1:
        return ALONE
    wanted = min(wanted, available())
    return _Reserved(wanted) if wanted > 1 else ALONE


def _forget() -> None:
    """In a forked child there is only the thread that forked: its team is started anew when it is asked for."""
    global _lock, _crew
    _lock, _crew = Lock(), None


def _close() -> None:
    if _crew is not None:
        _crew.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
atexit.register(_close)
