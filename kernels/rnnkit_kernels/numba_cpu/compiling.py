"""When kernels are really compiled, and not found on disk: for who waits, and would like to know what for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from numba.core import event

__all__ = ["told"]


class _Listener(event.Listener):
    """Hears of every function that Numba begins to compile, a user's own too; those of this folder are kernels."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self._tell = tell

    def on_start(self, event: Any) -> None:
        if event.data["dispatcher"].py_func.__module__.startswith(f"{__package__}."):
            self._tell()

    def on_end(self, event: Any) -> None: ...


def told(tell: Callable[[], None]) -> AbstractContextManager[Any]:
    """Within the block `tell` is called whenever a function of a kernel begins to be compiled, in whatever thread."""
    made: AbstractContextManager[Any] = event.install_listener("numba:compile", _Listener(tell))
    return made
