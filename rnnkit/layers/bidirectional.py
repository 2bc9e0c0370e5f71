"""Bidirectional: a sequence read from both ends."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import numpy as np

from rnnkit_kernels.elementwise import Elementwise
from rnnkit_kernels.sentences import unknown
from rnnkit_kernels.types import Array

from ..context import DETERMINISTIC, Context
from .base import Layer, Params, Pullback, Shape, check_cotangent
from .container import Container, refuse_stateful
from .pauses import side_by_side
from .recurrent import Recurrent
from .streams import LayerStream

__all__ = ["Bidirectional"]

_MODES = ("concat", "sum", "mul", "ave")


@dataclass(frozen=True, repr=False)
class Bidirectional(Container):
    """A recurrent layer read forward, and one read backward over the same sequence; their outputs merged.

    x (B, T, F) -> y (B, units), or (B, T, units) where the layers return sequences; "concat" doubles the units.

    layer           any recurrent layer
    merge_mode      how output f of the forward and b of the backward layer become one: "concat" [f, b], "sum" f + b,
                    "mul" f b, "ave" (f + b) / 2, or None: both, as a tuple
    backward_layer  another layer for the other direction. Without it: one made as `layer`, with weights of its own

    With return_sequences the backward output is turned round, so that both speak of the same step; at masked steps the
    output is zero, as in Keras, where a recurrent layer by itself would emit the state that it holds.
    With return_state: (y, states of the forward layer, states of the backward layer), for LSTM (y, fh, fc, bh, bc).
    A `layer` with go_backwards=True reads from the end, its partner from the beginning, and the output, with its mask,
    is in that order. (Keras then wants the partner spelled out, and hands the mask on as it came.)

    Weights: those of the forward layer, then those of the backward layer. Dropout masks are drawn in that order.
    Raises TypeError for what is no recurrent layer; ValueError for layers that do not go in opposite directions or
    differ in return_sequences or return_state, for stateful ones, and for units that cannot be merged.
    Source: Schuster & Paliwal 1997, IEEE Trans. Signal Processing 45.
    """

    layer: Any
    merge_mode: str | None = "concat"
    _: KW_ONLY
    backward_layer: Any = None

    rank = 3
    spares_dx = True

    def __post_init__(self) -> None:
        for name, given in (("layer", self.layer), ("backward_layer", self.backward_layer)):
            if not isinstance(given, Recurrent) and not (name == "backward_layer" and given is None):
                raise TypeError(f"Bidirectional: {name} is a recurrent layer, such as LSTM(32); got {given!r}")
        if self.merge_mode is not None and self.merge_mode not in _MODES:
            raise unknown("merge_mode", self.merge_mode, _MODES)
        f: Any
        b: Any
        f, b = self.parts.values()
        for part in (f, b):
            refuse_stateful("Bidirectional", part, "read from its end, a batch does not go on where the last one ended")
        if f.go_backwards == b.go_backwards:
            raise ValueError(
                f"Bidirectional: layer and backward_layer go in opposite directions; both have go_backwards="
                f"{f.go_backwards}: give the backward_layer go_backwards={not f.go_backwards}"
            )
        for name in ("return_sequences", "return_state"):
            if getattr(f, name) != getattr(b, name):
                raise ValueError(
                    f"Bidirectional: layer has {name}={getattr(f, name)} and backward_layer {getattr(b, name)}; "
                    "expected the same"
                )

    def make_parts(self) -> dict[str, Layer]:
        backward = self.backward_layer
        if backward is None:
            backward = replace(self.layer, go_backwards=not self.layer.go_backwards)
        return {"forward": self.as_part(self.layer), "backward": self.as_part(backward)}

    @property
    def several_outputs(self) -> str | None:
        return "merge_mode=None" if self.merge_mode is None else self.parts["forward"].several_outputs

    def plan(self, shape: Shape) -> tuple[dict[str, tuple[int, ...]], Shape]:
        """The shape of the output is that of y; with merge_mode=None that of the forward layer's."""
        plans = {name: part.plan(shape) for name, part in self.parts.items()}
        f, b = (out for _, out in plans.values())
        sizes = self.join({name: inner for name, (inner, _) in plans.items()})
        if self.merge_mode == "concat":
            return sizes, (*f[:-1], (f[-1] or 0) + (b[-1] or 0))
        if self.merge_mode is not None and f != b:
            raise ValueError(
                f"Bidirectional: merge_mode {self.merge_mode!r} needs outputs of one size; got {f[-1]} forward and "
                f"{b[-1]} backward: use 'concat' or None"
            )
        return sizes, f

    def next_mask(self, mask: Array | None, x: Array) -> Array | None:
        return self.parts["forward"].next_mask(mask, x)

    def next_reset(self, reset: Array | None, x: Array) -> Array | None:
        return self.parts["forward"].next_reset(reset, x)

    def __call__(self, params: Params, x: Array, ctx: Context = DETERMINISTIC) -> tuple[Any, Pullback]:
        inner, kernels = self.split(params), ctx.kernels
        parts: Any = self.parts
        passes = [part.running(inner[name], x, None, ctx.inside(name).but(dx=ctx.dx)) for name, part in parts.items()]
        (f, _, f_back), (b, _, b_back) = side_by_side(kernels, *passes)
        (f, *f_states), (b, *b_states) = (out if self.layer.return_state else (out,) for out in (f, b))
        sequences = self.layer.return_sequences
        real = self.next_mask(ctx.mask, x)
        same_order = b[:, ::-1] if sequences else b
        both = _Merged(self.merge_mode, f, same_order, None if real is None else real[..., None], kernels.elementwise)
        y = both.outputs

        def pullback(dy: Any) -> tuple[Params, Array | None]:
            given = list(dy) if self.several_outputs is not None else [dy]
            for d, out in zip(given, y, strict=False):
                if d is not None:
                    check_cotangent("Bidirectional", d, out.shape)
            df, db = both.back(given if self.merge_mode is None else given[0])
            states = given[2 if self.merge_mode is None else 1 :]
            if db is not None and sequences:
                db = db[:, ::-1]
            df, db = ((df, *states[: len(f_states)]), (db, *states[len(f_states) :])) if f_states else (df, db)
            (dforward, dx), (dbackward, dx_back) = side_by_side(kernels, f_back(df), b_back(db))
            both_dx = kernels.elementwise.total(dx, dx_back) if ctx.dx else None
            return self.join({"forward": dforward, "backward": dbackward}), both_dx

        if self.several_outputs is None:
            return y[0], pullback
        return (*y, *f_states, *b_states), pullback

    def stream(self, params: Params, rows: int, ctx: Context = DETERMINISTIC) -> LayerStream:
        raise ValueError(
            "Bidirectional cannot be streamed: its backward direction begins at the end of the sequence, so that every "
            "output depends on all later steps"
        )


class _Merged:
    """Two outputs made one, and the way back. real (B, T, 1) or None: what is not real is zero."""

    def __init__(self, mode: str | None, f: Array, b: Array, real: Array | None, kernels: Elementwise) -> None:
        self._mode, self._f, self._b, self._real, self._kernels = mode, f, b, real, kernels

    @property
    def outputs(self) -> tuple[Array, ...]:
        f, b = self._f, self._b
        if self._mode is None:
            return self._kept(f), self._kept(b)
        if self._mode == "concat":
            return (self._kept(self._kernels.joined(f, b)),)
        if self._mode == "mul":
            return (self._kept(f * b),)
        return (self._kept(f + b if self._mode == "sum" else (f + b) / 2),)

    def back(self, dy: Any) -> tuple[Any, Any]:
        """The cotangents of both outputs; None stands for zeros."""
        if self._mode is None:
            return self._kept(dy[0]), self._kept(dy[1])
        dy = self._kept(dy)
        if dy is None:
            return None, None
        if self._mode == "concat":
            units = self._f.shape[-1]
            return dy[..., :units], dy[..., units:]
        if self._mode == "mul":
            return dy * self._b, dy * self._f
        return (dy, dy) if self._mode == "sum" else (dy / 2, dy / 2)

    def _kept(self, a: Any) -> Any:
        return a if a is None or self._real is None else np.where(self._real, a, 0)
