"""The recurrent layer: a cell, a kernel, and Keras' spelling of what to do with the sequence.

This is the one place where batch-major (B, T, F) becomes time-major (T, B, F), and back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from rnnkit_kernels.contract import Cell
from rnnkit_kernels.types import Array

from .. import initializers
from ..border import whole
from ..context import DETERMINISTIC, Context
from .base import FEATURE_AXIS, Layer, Params, Pullback, Shape, feature_count
from .core import check_rate, dropout_scale

__all__ = ["Recurrent", "State"]

State = dict[str, Array]
ScanPullback = Callable[..., tuple[Params, Array, State]]


@dataclass(frozen=True, repr=False)
class Recurrent(Layer):
    """What all recurrent layers share. x (B, T, F) -> y (B, units), or (B, T, units) with `return_sequences`.

    use_bias              whether x W (and h U, where the cell has a second bias) gets one
    kernel_initializer    for W (F, G*units); recurrent_initializer for U (units, G*units); bias_initializer for b
    dropout               share of the input features dropped, the same ones at every step (Gal & Ghahramani 2016)
    recurrent_dropout     share of h_{t-1} dropped before its product, the same units at every step
    return_sequences      the output of every step instead of the last
    return_state          (y, h) or (y, h, c) instead of y
    go_backwards          reads the sequence from its end; with return_sequences the output has that order, as in Keras
    stateful              in a `Sequential`, each batch goes on from where the batch before it ended
    Dropout needs `ctx.rng`; without it nothing is dropped.
    """

    _: KW_ONLY
    use_bias: bool = True
    kernel_initializer: Any = "glorot_uniform"
    recurrent_initializer: Any = "orthogonal"
    bias_initializer: Any = "zeros"
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    return_sequences: bool = False
    return_state: bool = False
    go_backwards: bool = False
    stateful: bool = False

    rank = 3
    roles: ClassVar[dict[str, str]] = {"W": "kernel", "U": "recurrent", "b": "bias", "b_h": "bias"}

    if TYPE_CHECKING:  # the first arguments are each layer's own: (units, activation), (cell, units)

        @property
        def units(self) -> int: ...

    def __post_init__(self) -> None:
        whole(f"{type(self).__name__}: units", self.units, least=1)
        check_rate("dropout", self.dropout)
        check_rate("recurrent_dropout", self.recurrent_dropout)
        self.make_cell()

    @property
    def several_outputs(self) -> str | None:
        return "return_state=True" if self.return_state else None

    def make_cell(self) -> Cell:
        """The cell with this layer's activations. Raises ValueError for one that is not known."""
        raise NotImplementedError

    def plan(self, shape: Shape) -> tuple[dict[str, tuple[int, ...]], Shape]:
        features = feature_count(type(self).__name__, shape, rank=3)
        sizes = self.make_cell().weight_shapes(features, self.units, self.use_bias)
        return sizes, (*shape[: -1 if self.return_sequences else -2], self.units)

    def first(self, name: str, shape: tuple[int, ...], rng: np.random.Generator, dtype: Any) -> Array:
        by_name = {"W": self.kernel_initializer, "U": self.recurrent_initializer}
        by_name |= {"b": self.bias_initializer, "b_h": self.bias_initializer}
        if name in by_name:
            return initializers.get(by_name[name])(rng, shape, dtype)
        return np.full(shape, self.make_cell().initial.get(name, 0.0), dtype)

    def next_mask(self, mask: Array | None, x: Array) -> Array | None:
        if mask is None or not self.return_sequences:
            return None
        return mask[:, ::-1] if self.go_backwards else mask

    def scan(
        self, params: Params, x: Array, state: State | None = None, ctx: Context = DETERMINISTIC
    ) -> tuple[Array, State, ScanPullback]:
        """Runs over x from a state to a state: a value in, a value out, so a sequence can be taken in pieces.

        x (B, T, F); state: dict of (B, units) by name, zeros where None
        returns h (B, T, units), the last state, and pullback(dh, dstate=None) -> (dparams, dx, dstate0)
        raises  ValueError for shapes that do not fit the parameters
        """
        cell = self.make_cell()
        self._check(params, x, ctx.mask)
        B = x.shape[0]
        if state is None:
            state = {k: np.zeros_like(params["U"], shape=(B, self.units)) for k in cell.state}
        kernel = ctx.kernels.kernel(cell)
        scale = self._scale(self.dropout, (B, 1, x.shape[2]), x, ctx)
        drop = self._scale(self.recurrent_dropout, (B, self.units), x, ctx)
        xs = _time_major(x if scale is None else x * scale)
        mask = None if ctx.mask is None else _time_major(ctx.mask)
        with np.errstate(over="ignore"):  # sigmoid's exp may reach infinity on its way to 0
            h, last, tape = kernel.forward(params, xs, state, mask=mask, drop=drop)
        seen = None if ctx.watch is None else ctx.watch(self, tape)

        def pullback(dh: Array, dstate: State | None = None) -> tuple[Params, Array, State]:
            with np.errstate(over="ignore"):
                grads = kernel.backward(tape, _time_major(dh), dstate)
            if seen is not None:
                seen(grads)
            dx = grads.x.swapaxes(0, 1)
            return grads.weights, dx if scale is None else dx * scale, grads.state0

        return h.swapaxes(0, 1), last, pullback

    def run(
        self, params: Params, x: Array, state: State | None = None, ctx: Context = DETERMINISTIC
    ) -> tuple[Any, State, Pullback]:
        """`scan` in Keras' spelling: direction, last step or all, states beside it. Returns y, state, pullback."""
        if self.go_backwards:
            x = x[:, ::-1]
            if ctx.mask is not None:
                ctx = replace(ctx, mask=ctx.mask[:, ::-1])
        h, last, back = self.scan(params, x, state, ctx)
        out = h if self.return_sequences else h[:, -1]

        def pullback(dy: Any) -> tuple[Params, Array]:
            dout, *dlast = dy if self.return_state else (dy,)
            dstate = {k: d for k, d in zip(last, dlast, strict=False) if d is not None}
            if dout is None or not self.return_sequences:
                dh = np.zeros_like(h)
                if dout is not None:
                    dh[:, -1] = dout
            else:
                dh = dout
            dparams, dx, _ = back(dh, dstate)
            return dparams, dx[:, ::-1] if self.go_backwards else dx

        return (out, *last.values()) if self.return_state else out, last, pullback

    def __call__(self, params: Params, x: Array, ctx: Context = DETERMINISTIC) -> tuple[Any, Pullback]:
        y, _, pullback = self.run(params, x, None, ctx)
        return y, pullback

    def _scale(self, rate: float, shape: tuple[int, ...], like: Array, ctx: Context) -> Array | None:
        return None if ctx.rng is None or rate == 0 else dropout_scale(rate, shape, like, ctx)

    def _check(self, params: Params, x: Array, mask: Array | None) -> None:
        kind = type(self).__name__
        if x.ndim != 3:
            hint = FEATURE_AXIS if x.ndim == 2 else ""
            raise ValueError(f"{kind} takes x as (batch, time, features); got shape {x.shape}{hint}")
        if x.shape[2] != params["W"].shape[0]:
            raise ValueError(f"{kind} was built for {params['W'].shape[0]} features; got x of shape {x.shape}")
        if x.shape[1] == 0:
            raise ValueError(f"{kind} needs at least one step; got x of shape {x.shape}")
        if mask is not None and mask.shape != x.shape[:2]:
            raise ValueError(f"the mask of {kind} is (batch, time) = {x.shape[:2]}; got {mask.shape}")


def _time_major(a: Array) -> Array:
    """(B, T, ...) to (T, B, ...), contiguous; free where a was a time-major array's view."""
    turned = a.swapaxes(0, 1)
    return turned if turned.flags.c_contiguous else turned.copy(order="C")
