"""Truncated backpropagation through time: which models can be read in pieces, and the pieces of a batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from rnnkit_kernels.types import Array

from .batches import Batch
from .border import whole
from .chain import through
from .context import Context
from .layers.recurrent import Recurrent, State

if TYPE_CHECKING:
    from .stack import Stack

__all__ = ["end_of_time", "pieces", "run_on"]


def end_of_time(model: Stack) -> int | None:
    """The place of the layer that ends time; None where the output still has the steps of the input.

    Raises ValueError, naming the layer, where a layer before that sees more than the step at hand and has no state to
    carry: cut in pieces, it would compute something else.
    """
    for k, layer in enumerate(model.layers):
        if isinstance(layer, Recurrent) and not layer.go_backwards:
            if not layer.return_sequences:
                return k
        elif not layer.stepwise:
            raise ValueError(
                f"tbptt cuts the sequence in pieces, and layer {k} {type(layer).__name__} looks beyond a piece without "
                "a state to carry on: use it with recurrent layers, and layers that treat every step by itself"
            )
    return None


def pieces(model: Stack, batch: Batch, length: int) -> Iterator[Batch]:
    """The batch in pieces of `length` steps, the last one shorter where it must be.

    Targets and weights of each step go with their piece. Where the output has no steps, the last piece has the targets
    and the weights, and the ones before it have none.
    """
    length = whole("tbptt", length, least=1)
    if batch.x.ndim < 2 or len(model.input_shape) < (2 if batch.x.dtype.kind == "i" else 3):
        raise ValueError(f"tbptt cuts sequences in pieces; x {batch.x.shape} has no steps")
    stepwise, T = end_of_time(model) is None, batch.x.shape[1]
    if stepwise and batch.y is not None and (batch.y.ndim < 2 or batch.y.shape[1] != T):
        raise ValueError(f"tbptt needs a target for each of the {T} steps; got y {batch.y.shape}")
    for start in range(0, T, length):
        steps = slice(start, start + length)
        flags = {name: None if (a := getattr(batch, name)) is None else a[:, steps] for name in ("mask", "reset")}
        y, weight = batch.y, batch.sample_weight
        if stepwise:
            y = None if y is None else y[:, steps]
            of_steps = weight is not None and weight.ndim > 1 and weight.shape[1] == T
            weight = weight[:, steps] if weight is not None and of_steps else weight
        elif steps.stop < T:
            y = weight = None
        yield replace(batch, x=batch.x[:, steps], y=y, sample_weight=weight, **flags)


def run_on(model: Stack, x: Array, ctx: Context, carried: dict[int, State]) -> Array:
    """Carries the states over a piece without targets, and returns what the last layer that still has steps to read
    makes of it: what stands behind the end of time sees the end of the last piece alone.
    """
    end = end_of_time(model)
    count = len(model.layers) if end is None else end + 1
    return through(model.layers[:count], model.params[:count], x, ctx, carried, all_go_on=True)[0]
