"""Two passes that pause at their kernels: what is asked for in which order, and how long memory is kept."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import pytest

from rnnkit.layers.pauses import Pausing, alone, side_by_side


class Memory:
    """What a call reads."""


class Streams:
    """Stands for a backend on a GPU. log: what was done, in order; read: what calls were given."""

    def __init__(self, one_launch: bool) -> None:
        self.one_launch, self.log, self.read = one_launch, [], []  # type: ignore[var-annotated]

    def at_once(self, first: Callable[[], Any], second: Callable[[], Any]) -> tuple[Any, Any] | None:
        return (first(), second()) if self.one_launch else None

    @contextmanager
    def beside(self) -> Iterator[Any]:
        self.log.append("apart")
        yield nullcontext()
        assert all(memory() is not None for memory in self.read), "memory is free while the other stream may read it"
        self.log.append("met")

    def made(self, name: str) -> Pausing[str]:
        memory = Memory()
        self.read.append(weakref.ref(memory))
        call = partial(self._called, name, memory)
        self.log.append(f"{name} asks")
        del memory
        found = yield call
        self.log.append(f"{name} gets {found}")
        return f"{name} done"

    def _called(self, name: str, memory: Memory) -> str:
        self.log.append(f"{name} runs")
        return f"h of {name}"


def test_a_pass_by_itself_gets_what_it_asks_for() -> None:
    streams = Streams(False)
    assert alone(streams.made("a")) == "a done"
    assert streams.log == ["a asks", "a runs", "a gets h of a"]


@pytest.mark.parametrize("one_launch", [True, False])
def test_two_ask_in_their_order_before_either_runs_and_get_their_own(one_launch: bool) -> None:
    streams: Any = Streams(one_launch)
    assert side_by_side(streams, streams.made("a"), streams.made("b")) == ("a done", "b done")
    asked = ["a asks", "b asks"]
    if one_launch:
        assert streams.log == [*asked, "a runs", "b runs", "a gets h of a", "b gets h of b"]
    else:
        each = ["a runs", "a gets h of a", "b runs", "b gets h of b"]
        assert streams.log == [*asked, "apart", *each, "met"]
