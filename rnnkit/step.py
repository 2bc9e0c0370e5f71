"""One step of training: forward, loss, the way back, the optimizer; all of it or, on an error, nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rnnkit_kernels.types import Array

from .batches import Batch
from .context import Context
from .diagnosis import IN_TRAINING, IN_USE, Witness
from .layers.recurrent import State
from .truncation import pieces

if TYPE_CHECKING:
    from .model import Sequential

__all__ = ["Outcome", "states_kept", "step", "truncated_steps", "use"]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a step saw before it moved anything: the loss with its penalties, the output and the mask of that."""

    value: float
    y: Array
    mask: Array | None


def step(model: Sequential, batch: Batch, where: str, carried: dict[int, State] | None = None) -> Outcome:
    """One batch: parameters, running statistics and the optimizer's state are replaced together, or not at all.

    where    the batch in words, for messages
    carried  states to go on from, and where the last ones are left; without it only stateful layers have any
    """
    model.accept(batch.x.shape)
    witness = Witness(model, where, IN_TRAINING)
    recorded: dict[str, Array] = {}
    ctx = Context(model.backend, batch.mask, model.dropout_rng, witness.watch, batch.reset, recorded.__setitem__)
    # What overflows is told by the witness, in a sentence, instead of NumPy's warnings.
    with states_kept(model, unless_done=True), np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        y, mask, pullback = model.run(batch.x, ctx, carried)
        value, dy = model.loss(y, batch.y, sample_weight=batch.sample_weight, mask=mask)
        witness.check_forward(value, y)
        grads, _ = pullback(dy)
        penalty, slopes = model.penalty()
        grads = [g | {name: g[name] + slope for name, slope in s.items()} for g, s in zip(grads, slopes, strict=True)]
        witness.check_backward(grads)
        witness.check_recorded(recorded)
        learned = model.learned(model.params)
        if model.optimizer_state is None:
            model.optimizer_state = model.optimizer.init(learned)
        moved, state = model.optimizer.step(learned, model.learned(grads), model.optimizer_state)
    params = [p | layer.constrained(m) for layer, p, m in zip(model.layers, model.params, moved, strict=True)]
    for name, new in recorded.items():
        place, _, weight = name.partition(".")
        params[int(place)][weight] = new
    model.params, model.optimizer_state = params, state
    return Outcome(value + penalty, y, mask)


def use(model: Sequential, batch: Batch, where: str) -> tuple[Array, Array | None]:
    """The output for a batch, without dropout, and the mask that holds for it.

    Raises FloatingPointError, naming the first number that is not finite.
    """
    model.accept(batch.x.shape)
    witness = Witness(model, where, IN_USE)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        y, mask, _ = model.run(batch.x, Context(model.backend, batch.mask, None, witness.watch, batch.reset))
    witness.check_output(y)
    return y, mask


def truncated_steps(model: Sequential, batch: Batch, where: str, length: int) -> Outcome:
    """A batch in pieces of `length` steps, each one step of the optimizer from the state the piece before ended in.

    No gradient passes from piece to piece (Williams & Peng 1990, BPTT(h; h')). Where targets stand at the end alone,
    the pieces before the last only carry the state on. Returns the pieces' outcomes as one.
    """
    model.accept(batch.x.shape)
    stateful = {k for k, layer in enumerate(model.layers) if getattr(layer, "stateful", False)}
    carried = {k: state for k, state in model.states.items() if k in stateful}
    found: list[tuple[Outcome, float]] = []
    for number, (piece, share) in enumerate(pieces(model, batch, length)):
        if piece.y is not None:
            found.append((step(model, piece, f"{where}, piece {number + 1}", carried), share))
            continue
        ctx = Context(model.backend, piece.mask, model.dropout_rng, None, piece.reset)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # the last piece tells
            model.run(piece.x, ctx, carried)
    model.states = {k: state for k, state in carried.items() if k in stateful}
    if len(found) == 1:
        return found[0][0]
    masks = [outcome.mask for outcome, _ in found if outcome.mask is not None]
    return Outcome(
        sum(outcome.value * share for outcome, share in found),
        np.concatenate([outcome.y for outcome, _ in found], axis=1),
        np.concatenate(masks, axis=1) if masks else None,
    )


@contextmanager
def states_kept(model: Sequential, unless_done: bool = False) -> Iterator[None]:
    """Puts the states of stateful layers back: always, or only when what is inside does not end well."""
    before = model.states
    model.states = dict(before)
    try:
        yield
    except BaseException:
        model.states = before
        raise
    if not unless_done:
        model.states = before
