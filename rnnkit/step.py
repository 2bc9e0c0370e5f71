"""One step of training: forward, loss, the way back, the optimizer; all of it or, on an error, nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnkit_kernels.devices import host, is_here
from rnnkit_kernels.types import Array

from .batches import Batch
from .context import Context
from .diagnosis import IN_PIECES, IN_TRAINING, IN_USE, Witness, told_in_a_sentence
from .layers.base import Params
from .layers.recurrent import State
from .placing import here
from .truncation import pieces, run_on

if TYPE_CHECKING:
    from .model import Sequential

__all__ = ["Outcome", "refuse_targets", "states_kept", "step", "truncated_steps", "use"]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a step saw before it moved anything: the loss with its penalties, the output and the mask of that. On a
    device they lie there, the loss as an array of no axes."""

    value: Any
    y: Array
    mask: Array | None


def step(
    model: Sequential, batch: Batch, where: str, carried: dict[int, State] | None = None, looking: bool = True
) -> Outcome:
    """One batch, lying where the model does: parameters, running statistics and the optimizer's state are replaced
    together, or not at all.

    where    the batch in words, for messages
    carried  states to go on from, and where the last ones are left; without it only stateful layers have any
    looking  False: nobody looks whether numbers are finite, nor waits for them; see `second_look`
    """
    model.accept(batch.x.shape)
    witness, recorded, ctx = _watched(model, batch, where, IN_TRAINING if carried is None else IN_PIECES, looking)
    with states_kept(model, unless_done=True), told_in_a_sentence():
        y, mask, pullback = model.run_batch(batch, ctx, carried)
        value, dy = model.loss(y, batch.y, sample_weight=batch.sample_weight, mask=mask)
        if looking:
            if model.backend.place is not None:
                refuse_targets(model, y, batch, mask)
            witness.check_forward(value, y)
        penalty, slopes = model.penalty()
        if carried is not None and mask is not None and not mask.any():
            return Outcome(value + penalty, y, mask)  # a piece behind the end of every row: nothing to learn from
        grads, _ = pullback(dy)
        grads = [_added(g, s) if s else g for g, s in zip(grads, slopes, strict=True)]
        if looking:
            witness.check_backward(grads)
            witness.check_recorded(recorded)
        learned = model.learned(model.params)
        state = model.optimizer.init(learned) if model.optimizer_state is None else model.optimizer_state
        moved, state = model.optimizer.step(learned, model.learned(grads), state, model.backend.elementwise)
        params = [p | layer.constrained(m) for layer, p, m in zip(model.layers, model.params, moved, strict=True)]
    model.params, model.optimizer_state = _with_recorded(params, recorded), state
    return Outcome(value + penalty, y, mask)


def _added(grads: Params, slopes: Params) -> Params:
    return grads | {name: grads[name] + slope for name, slope in slopes.items()}


def refuse_targets(model: Sequential, y: Array, batch: Batch, mask: Array | None) -> None:
    """Raises what the loss does, in main memory, for targets that are none: on a device they only make it NaN."""
    model.loss(*here((y, batch.y)), sample_weight=here(batch.sample_weight), mask=here(mask))


def use(model: Sequential, batch: Batch, where: str, looking: bool = True) -> tuple[Array, Array | None]:
    """The output for a batch, which lies where the model does, without dropout, and the mask that holds for it.

    Raises FloatingPointError, naming the first number that is not finite; with looking=False nobody looks.
    """
    model.accept(batch.x.shape)
    ctx = Context(model.backend, batch.mask, reset=batch.reset, tape=False)
    with states_kept(model, unless_done=True), told_in_a_sentence():
        began = model.states
        y, mask, _ = model.run_batch(batch, ctx)
        if looking and not np.isfinite(host(y)).all():  # the same once more, with somebody who looks on
            witness, model.states = Witness(model, where, IN_USE), began
            witness.check_output(model.run_batch(batch, replace(ctx, watch=witness.watch))[0])
    return y, mask


def truncated_steps(model: Sequential, batch: Batch, where: str, length: int, looking: bool = True) -> Outcome:
    """A batch in pieces of `length` steps, each one step of the optimizer from the state the piece before ended in.

    No gradient passes from piece to piece (Williams & Peng 1990, BPTT(h; h')). Where targets stand at the end alone,
    the pieces before the last only carry the state on, and running statistics. One without a real step moves nothing. A
    piece that fails leaves the weights as the piece before it left them. Returns the pieces' outcomes as one, in which
    every real step counts the same.
    """
    model.accept(batch.x.shape)
    stateful = {k for k, layer in enumerate(model.layers) if getattr(layer, "stateful", False)}
    carried = {k: state for k, state in model.states.items() if k in stateful}
    found: list[Outcome] = []
    for number, piece in enumerate(pieces(model, batch, length)):
        place = f"{where}, piece {number + 1}"
        if piece.y is not None:
            found.append(step(model, piece, place, carried, looking))
        else:
            _carry_on(model, piece, place, carried, looking)
    model.states = {k: state for k, state in carried.items() if k in stateful}
    if len(found) == 1:
        return found[0]
    masks = [outcome.mask for outcome in found if outcome.mask is not None]
    return Outcome(
        _joined([outcome.value for outcome in found], [outcome.y.shape[1] for outcome in found], masks),
        np.concatenate([outcome.y for outcome in found], axis=1),
        np.concatenate(masks, axis=1) if masks else None,
    )


def _joined(values: list[Any], lengths: list[int], masks: list[Array]) -> Any:
    """The mean of the pieces' losses, each as often as it has real steps; as it is long, where none has any."""
    if values and is_here(values[0]):
        counts = [mask.sum() for mask in masks] if any(map(np.any, masks)) else lengths
        return float(np.average(values, weights=counts))
    by_length = sum(value * n for value, n in zip(values, lengths, strict=True)) / sum(lengths)
    if not masks:
        return by_length
    real: list[Any] = [mask.sum() for mask in masks]
    total = sum(real[1:], real[0])
    mean = sum(value * n for value, n in zip(values, real, strict=True)) / np.maximum(total, 1)
    return np.where(total > 0, mean, by_length)


def _carry_on(model: Sequential, piece: Batch, where: str, carried: dict[int, State], looking: bool) -> None:
    """A piece without targets: states and running statistics go on, as in every pass of training."""
    witness, recorded, ctx = _watched(model, piece, where, IN_PIECES, looking)
    with told_in_a_sentence():
        y = run_on(model, piece.x, ctx, carried)
    if looking:
        witness.check_output(y)
        witness.check_recorded(recorded)
    model.params = _with_recorded(model.params, recorded)


def _watched(
    model: Sequential, batch: Batch, where: str, advice: str, looking: bool
) -> tuple[Witness, dict[str, Array], Context]:
    """The circumstances of a pass in training, who looks on, and where layers leave their running statistics."""
    recorded: dict[str, Array] = {}
    witness = Witness(model, where, advice)
    watch = witness.watch if looking else None
    ctx = Context(model.backend, batch.mask, model.dropout_rng, watch, batch.reset, recorded.__setitem__, dx=False)
    return witness, recorded, ctx


def _with_recorded(params: list[Params], recorded: dict[str, Array]) -> list[Params]:
    """Parameters with the running statistics, named "place.weight", that a pass has left."""
    if not recorded:
        return params
    fresh = [dict(p) for p in params]
    for name, new in recorded.items():
        place, _, weight = name.partition(".")
        fresh[int(place)][weight] = new
    return fresh


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
