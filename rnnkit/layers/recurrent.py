"""The recurrent layer: a cell, a kernel, and Keras' spelling of what to do with the sequence.

This is the one place where batch-major (B, T, F) becomes time-major (T, B, F), and back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from rnnkit_kernels.contract import Cell
from rnnkit_kernels.types import Array

from .. import initializers
from ..context import DETERMINISTIC, Context
from .base import Layer, Params, Pullback, Shape, feature_count
from .core import dropout_scale
from .pauses import Pausing, alone
from .recurrent_options import check_input, check_recurrence, zones
from .recurrent_stream import RecurrentStream
from .restarts import State, backwards, initial, initial_gradients, learned_names, nothing_owed
from .streams import LayerStream

__all__ = ["Recurrent", "State"]

Scanned = tuple[Params, Array | None, State]
ScanPullback = Callable[..., Scanned]
Back = tuple[Params, Array | None]


@dataclass(frozen=True, repr=False)
class Recurrent(Layer):
    """What all recurrent layers share. x (B, T, F) -> y (B, units), or (B, T, units) with `return_sequences`.

    units, activation, recurrent_activation
                          each layer's own, and first: the width of h and of every gate; f of the new value, "tanh"; and
                          of the gates where there are some, "sigmoid"
    use_bias              whether x W (and h U, where the cell has a second bias) gets one
    kernel_initializer    for W (F, G*units); recurrent_initializer for U (units, G*units); bias_initializer for b
    kernel_regularizer, kernel_constraint, recurrent_..., bias_...   of the same weights; vector_... of the cell's own
                          (peepholes, gains and their biases) and of a learned initial state
    dropout               share of the input features dropped, the same ones at every step (Gal & Ghahramani 2016)
    recurrent_dropout     share of h_{t-1} dropped before its product, the same units at every step
    zoneout, cell_zoneout share of the units of h, of c, that keep their old value, drawn at every step; in inference
                          h_t = z h_{t-1} + (1 - z) h~_t (Krueger et al. 2017, eq. 1-4)
    projection            how wide h is: h_t = (the cell's h) P, with P (units, projection) listed last among the cell's
                          weights, a kernel to initializer, regularizer and constraint (Sak, Senior & Beaufays 2014).
                          The output is then as wide, and U is (projection, G*units)
    initial_state         what a sequence begins from where no state is handed in: "zeros", or "learned", the weights
                          h_0, c_0, listed after all others and zeros at first
    gradient_clip         on the way back dL/d(pre-activation) is limited to [-gradient_clip, gradient_clip] at every
                          step before it goes on (Graves 2013, section 2.1). What comes back is then no gradient of the
                          loss: no check of gradients passes once the limit is met
    return_sequences      the output of every step instead of the last
    return_state          (y, h) or (y, h, c) instead of y
    go_backwards          reads the sequence from its end; with return_sequences the output has that order, as in Keras
    stateful              in a `Sequential`, each batch goes on from where the batch before it ended
    Dropout needs `ctx.rng`; without it nothing is dropped. Where `ctx.reset` is True a row begins anew before that
    step, masked or not, from the initial state; its dropout masks stay what they are.
    """

    _: KW_ONLY
    use_bias: bool = True
    kernel_initializer: Any = "glorot_uniform"
    recurrent_initializer: Any = "orthogonal"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    recurrent_regularizer: Any = None
    bias_regularizer: Any = None
    vector_regularizer: Any = None
    kernel_constraint: Any = None
    recurrent_constraint: Any = None
    bias_constraint: Any = None
    vector_constraint: Any = None
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    zoneout: float = 0.0
    cell_zoneout: float = 0.0
    projection: int | None = None
    initial_state: str = "zeros"
    gradient_clip: float | None = None
    return_sequences: bool = False
    return_state: bool = False
    go_backwards: bool = False
    stateful: bool = False

    rank = 3
    spares_dx = True
    roles: ClassVar[dict[str, str]] = {"W": "kernel", "U": "recurrent", "b": "bias", "b_h": "bias", "P": "kernel"}

    if TYPE_CHECKING:  # the first arguments are each layer's own: (units, activation), (cell, units)

        @property
        def units(self) -> int: ...

    def __post_init__(self) -> None:
        check_recurrence(self, self.make_cell())
        self.check_options()

    @property
    def several_outputs(self) -> str | None:
        return "return_state=True" if self.return_state else None

    def make_cell(self) -> Cell:
        """The cell with this layer's activations. Raises ValueError for one that is not known."""
        raise NotImplementedError

    def plan(self, shape: Shape) -> tuple[dict[str, tuple[int, ...]], Shape]:
        features = feature_count(type(self).__name__, shape, rank=3)
        sizes = self.cell_made.weight_shapes(features, self.units, self.use_bias, self.projection)
        if self.initial_state == "learned":
            sizes |= {weight: (self.state_sizes[name],) for name, weight in learned_names(self.state_sizes).items()}
        return sizes, (*shape[: -1 if self.return_sequences else -2], self.state_sizes["h"])

    @cached_property
    def cell_made(self) -> Cell:
        """What `make_cell` makes, made once."""
        return self.make_cell()

    @cached_property
    def state_sizes(self) -> dict[str, int]:
        """How wide each state is, by name."""
        return self.cell_made.state_sizes(self.units, self.projection)

    def kernel_weights(self, params: Params) -> Params:
        """The weights of the cell: all but a learned initial state."""
        if self.initial_state != "learned":
            return params
        starts = learned_names(self.state_sizes).values()
        return {name: w for name, w in params.items() if name not in starts}

    def first(self, name: str, shape: tuple[int, ...], rng: np.random.Generator, dtype: Any) -> Array:
        if name in self.roles:
            return initializers.get(self.option(name, "initializer"))(rng, shape, dtype)
        return np.full(shape, self.cell_made.initial.get(name, 0.0), dtype)

    def option(self, weight: str, what: str) -> Any:
        return getattr(self, f"{self.roles.get(weight, 'vector')}_{what}", None)

    def next_mask(self, mask: Array | None, x: Array) -> Array | None:
        if mask is None or not self.return_sequences:
            return None
        return mask[:, ::-1] if self.go_backwards else mask

    def next_reset(self, reset: Array | None, x: Array) -> Array | None:
        return backwards(reset) if reset is not None and self.go_backwards else reset

    def scan(
        self, params: Params, x: Array, state: State | None = None, ctx: Context = DETERMINISTIC
    ) -> tuple[Array, State, ScanPullback]:
        """Runs over x from a state to a state: a value in, a value out, so a sequence can be taken in pieces.

        x (B, T, F), read from its first step whatever `go_backwards` says; state: dict of (B, units) by name, the
        initial one where None
        returns h (B, T, units), the last state, and pullback(dh, dstate=None) -> (dparams, dx, dstate0)
        raises  ValueError for shapes that do not fit the parameters
        """
        h, last, back = alone(self.scanning(params, x, state, ctx))
        return h, last, lambda dh, dstate=None: alone(back(dh, dstate))

    def scanning(
        self, params: Params, x: Array, state: State | None, ctx: Context
    ) -> Pausing[tuple[Array, State, Callable[..., Pausing[Scanned]]]]:
        """`scan`, which pauses at the kernel, there and back."""
        check_input(self, params, x, state, ctx)
        (B, T, features), sizes = x.shape, self.state_sizes
        kernel = ctx.kernels.kernel(self.cell_made)
        scale = self._scale(self.dropout, (B, 1, features), x, ctx)
        drop = self._scale(self.recurrent_dropout, (B, sizes["h"]), x, ctx)
        zone = zones(self, (T, B), ctx) if self.zoneout or self.cell_zoneout else {}
        xs = (x if scale is None else ctx.kernels.elementwise.product(x, scale)).swapaxes(0, 1)
        mask, reset = (None if flags is None else flags.swapaxes(0, 1) for flags in (ctx.mask, ctx.reset))
        first = initial(params, sizes, B)
        h, last, tape = yield kernel.forward_later(
            self.kernel_weights(params), xs, first if state is None else state,
            mask=mask, drop=drop, zone=zone, reset=reset, fresh=first, tape=ctx.tape or ctx.watch is not None,
        )  # fmt: skip
        seen = None if ctx.watch is None or tape is None else ctx.watch(self, tape, ctx.path)

        def pullback(dh: Array, dstate: State | None = None) -> Pausing[Scanned]:
            if tape is None:
                kind = type(self).__name__
                raise ValueError(f"{kind} ran with Context(tape=False): nothing is kept for the way back")
            grads = yield kernel.backward_later(tape, dh.swapaxes(0, 1), dstate, clip=self.gradient_clip, dx=ctx.dx)
            if seen is not None:
                seen(grads)
            dx = None if grads.x is None else grads.x.swapaxes(0, 1)
            if scale is not None and dx is not None:
                dx = ctx.kernels.elementwise.product(dx, scale)
            if self.initial_state == "zeros":
                return grads.weights, dx, grads.state0
            return grads.weights | initial_gradients(params, grads, began=state is None), dx, grads.state0

        return h.swapaxes(0, 1), last, pullback

    def run(
        self, params: Params, x: Array, state: State | None = None, ctx: Context = DETERMINISTIC
    ) -> tuple[Any, State, Pullback]:
        """`scan` in Keras' spelling: direction, last step or all, states beside it. Returns y, state, pullback."""
        y, last, back = alone(self.running(params, x, state, ctx))
        return y, last, lambda dy: alone(back(dy))

    def running(
        self, params: Params, x: Array, state: State | None, ctx: Context
    ) -> Pausing[tuple[Any, State, Callable[[Any], Pausing[Back]]]]:
        """`run`, which pauses at the kernel, there and back."""
        if self.go_backwards:
            x = x[:, ::-1]
            reset = None if ctx.reset is None else backwards(ctx.reset)
            ctx = ctx.but(mask=None if ctx.mask is None else ctx.mask[:, ::-1], reset=reset)
        h, last, back = yield from self.scanning(params, x, state, ctx)
        out = h if self.return_sequences else h[:, -1]

        def pullback(dy: Any) -> Pausing[Back]:
            if self.return_state and (not isinstance(dy, (tuple, list)) or len(dy) != 1 + len(last)):
                raise ValueError(f"dy is {1 + len(last)} cotangents, of y and of {', '.join(last)}, None for zeros")
            dout, *dlast = dy if self.return_state else (dy,)
            if dout is not None and dout.shape != out.shape:
                raise ValueError(f"dy of {type(self).__name__} has the shape of y, {out.shape}; got {dout.shape}")
            dstate = {k: d for k, d in zip(last, dlast, strict=False) if d is not None}
            if dout is not None and not self.return_sequences:  # the last output is the last state
                dstate["h"] = dstate["h"] + dout if "h" in dstate else dout
                dout = None
            dh = nothing_owed(h) if dout is None else dout
            dparams, dx, _ = yield from back(dh, dstate)
            return dparams, dx[:, ::-1] if self.go_backwards and dx is not None else dx

        return (out, *last.values()) if self.return_state else out, last, pullback

    def __call__(self, params: Params, x: Array, ctx: Context = DETERMINISTIC) -> tuple[Any, Pullback]:
        y, _, pullback = self.run(params, x, None, ctx)
        return y, pullback

    def stream(self, params: Params, rows: int, ctx: Context = DETERMINISTIC) -> LayerStream:
        """See `RecurrentStream`. Raises ValueError for a layer that reads from the end, or has several outputs."""
        kind = type(self).__name__
        if self.go_backwards:
            raise ValueError(f"{kind}(go_backwards=True) cannot be streamed: it reads a sequence from its end")
        if self.return_state:
            raise ValueError(f"{kind}(return_state=True) has several outputs and a stream one; ask it for its `state`")
        return RecurrentStream(self, params, rows, ctx)

    def _scale(self, rate: float, shape: tuple[int, ...], like: Array, ctx: Context) -> Array | None:
        return None if ctx.rng is None or rate == 0 else dropout_scale(rate, shape, like, ctx)
