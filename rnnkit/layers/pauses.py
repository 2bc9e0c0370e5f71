"""Passes that pause where they need a kernel, so that two of them can have theirs at once."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeVar

from rnnkit_kernels.backends import Backend

__all__ = ["Pausing", "alone", "side_by_side"]

T = TypeVar("T")
# Yields the call that it needs, from `Kernel.forward_later` or `backward_later`; is sent what that gives; returns a T.
Pausing = Generator[Callable[[], Any], Any, T]


def alone(steps: Pausing[T]) -> T:
    return _goes_on(steps, next(steps)())


def side_by_side(kernels: Backend, first: Pausing[T], second: Pausing[T]) -> tuple[T, T]:
    """Two passes that do not need each other: up to their calls in this order, then one behind the other; on a GPU with
    kernels that are launched as one, or, where the calls are not alike, each on a stream of its own."""
    # Kept until the streams have met again: a call holds memory of this stream that the other one may still read.
    calls = next(first), next(second)
    if (found := kernels.at_once(*calls)) is not None:
        return _goes_on(first, found[0]), _goes_on(second, found[1])
    with kernels.beside() as aside:
        with aside:
            one = _goes_on(first, calls[0]())
        other = _goes_on(second, calls[1]())
    return one, other


def _goes_on(steps: Pausing[T], found: Any) -> T:
    """From the call to the end."""
    try:
        steps.send(found)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("a pass makes one call of a kernel")
