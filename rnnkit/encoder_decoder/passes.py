"""Once through the encoder, once through the decoder, and the ways back with states on both ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from rnnkit_kernels.types import Array

from ..context import Context
from ..layers.base import Layer, Params
from ..layers.recurrent import Recurrent
from .bridge import States

__all__ = ["decode", "encode", "giving"]

EncoderBack = Callable[[Array | None, States], tuple[list[Params], Array]]
DecoderBack = Callable[[Array], tuple[list[Params], States]]


def giving(layers: Sequence[Layer], handed: frozenset[int]) -> list[Layer]:
    """The layers, those at the places in `handed` with their last states beside their output."""
    return [replace(layer, return_state=True) if k in handed else layer for k, layer in enumerate(layers)]  # type: ignore[call-arg]


def encode(
    layers: Sequence[Layer], params: Sequence[Params], x: Array, ctx: Context
) -> tuple[Array, States, EncoderBack]:
    """x (B, ...) through layers of which some return their state, see `giving`.

    returns  the output, the last states by place, and back(dy, dstates) -> (dparams, dx); dy None for zeros
    """
    pullbacks: list[Any] = []
    states: States = {}
    for k, (layer, weights) in enumerate(zip(layers, params, strict=True)):
        before = x
        x, pullback = layer(weights, x, ctx.inside(str(k)))
        pullbacks.append(pullback)
        if isinstance(layer, Recurrent) and layer.return_state:
            x, *last = x
            states[k] = dict(zip(layer.state_sizes, last, strict=True))
        mask = layer.next_mask(ctx.mask, before)
        ctx = ctx if mask is ctx.mask else replace(ctx, mask=mask)

    def back(dy: Array | None, dstates: States) -> tuple[list[Params], Array]:
        dparams: list[Params] = [{}] * len(pullbacks)
        dx: Any = dy
        for k in reversed(range(len(pullbacks))):
            if k in states:
                dx = (dx, *(dstates[k].get(name) for name in states[k]))
            dparams[k], dx = pullbacks[k](dx)
        return dparams, dx

    return x, states, back


def decode(
    layers: Sequence[Layer], params: Sequence[Params], x: Array, starts: States, ctx: Context, first: int
) -> tuple[Array, DecoderBack]:
    """Tokens (B, T), or one-hot rows (B, T, V), through the decoder from its first states.

    The mask of `ctx` holds for every layer: a token that looks like padding is none here. first: the decoder's first
    place among all layers of the model, for messages.
    returns  the output (B, T, V), and back(dy) -> (dparams, dL/d(first states) by place)
    """
    pullbacks: list[Any] = []
    for k, (layer, weights) in enumerate(zip(layers, params, strict=True)):
        here = ctx.inside(str(first + k))
        pullback: Any
        if isinstance(layer, Recurrent):
            x, _, pullback = layer.scan(weights, x, starts[k], here)
        else:
            x, pullback = layer(weights, x, here)
        pullbacks.append(pullback)

    def back(dy: Array) -> tuple[list[Params], States]:
        dparams: list[Params] = [{}] * len(pullbacks)
        dstarts: States = {}
        for k in reversed(range(len(pullbacks))):
            if k in starts:
                dparams[k], dy, dstarts[k] = pullbacks[k](dy)
            else:
                dparams[k], dy = pullbacks[k](dy)
        return dparams, dstarts

    return x, back
