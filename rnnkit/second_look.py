"""Training on a device: what is done without a look at the numbers, and done again with one where they are not finite.

A look makes the host wait for the device, and an update costs less than that. So a step there is not looked at: what is
not finite goes on into the weights and the loss, and shows when an epoch's sums come down. Then everything is put back
to where it was before, and done again by somebody who looks at every number, and says which was the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np

from .placing import numbers
from .trees import leaves

__all__ = ["Before", "all_finite", "done_or_told", "told_when_full"]

T = TypeVar("T")


class Before:
    """A model as it is now: what a step replaces. Arrays are never written to, so that keeping them is enough."""

    def __init__(self, model: Any) -> None:
        self._model = model
        sides = getattr(model, "sides", (model,))
        self._sides = [(side, list(side.params), list(side.shapes)) for side in sides]
        self._rest = {name: value for name, value in vars(model).items() if name in ("optimizer_state", "bridge")}
        self._states = dict(model.states)
        drawn = model.order_rng, model.dropout_rng, *[side.weight_rng for side in sides]
        self._streams = [(rng, rng.bit_generator.state) for rng in drawn]

    def put_back(self) -> None:
        """The model as it was, the numbers that it draws next among it; one that was not built is unbuilt again."""
        for side, params, shapes in self._sides:
            side.params, side.shapes = list(params), list(shapes)
        vars(self._model).update(self._rest)
        self._model.states = dict(self._states)
        for rng, state in self._streams:
            rng.bit_generator.state = state


def all_finite(*trees: Any) -> bool:
    """Whether every number of the trees is finite. Waits for the device once, whatever there is to look at."""
    flags = [np.isfinite(a).all() for tree in trees for a in leaves(tree) if hasattr(a, "dtype")]
    return all(numbers(flags))


def done_or_told(model: Any, attempt: Callable[[bool], T], finite: Callable[[T], bool]) -> T:
    """What `attempt(looking)` gives: without looking, and where it is not `finite`, again with; that then raises, with
    the weights as they were before the step that failed.

    Where the second attempt ends well, because it was given other data, it is the one that counts. A model for which
    there is no memory is put back as well: raises MemoryError.
    """
    before = Before(model)
    try:
        with told_when_full():
            found = attempt(False)
    except MemoryError:
        before.put_back()
        raise
    if finite(found):
        return found
    before.put_back()
    return attempt(True)


@contextmanager
def told_when_full() -> Iterator[None]:
    """Raises MemoryError, with what to do, in place of one that says only how much there was not."""
    try:
        yield
    except MemoryError as error:
        raise MemoryError(
            f"there is no memory left ({error}): give fewer rows at once (batch_size) or shorter sequences, or end "
            "what else holds the memory of this GPU"
        ) from error
