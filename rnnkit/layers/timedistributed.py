"""TimeDistributed: one layer at every step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rnnkit_kernels.types import Array

from ..context import DETERMINISTIC, Context
from .base import Layer, Params, Pullback, Shape, check_cotangent
from .container import Container, layers_within, refuse_stateful

__all__ = ["TimeDistributed"]


@dataclass(frozen=True, repr=False)
class TimeDistributed(Container):
    """A layer applied to every step by itself, with the same weights: x (B, T, ...) -> y (B, T, ...).

    layer  any layer of one output; it sees steps (B, ...) as if they were samples

    All steps are run at once, as B * T samples: Dropout draws anew for each. Only where statistics over the batch are
    taken, by BatchNormalization in training, each step is run by itself in the order of time, as in Keras: it has
    statistics of its own, from the rows that are real there, and moves the running ones once.
    A mask belongs to the steps: it goes on as it came, and the layer inside knows of none.

    Raises TypeError for what is no layer; ValueError for one with several outputs, for a stateful one, for x that
    has less than three axes, and for a layer inside that takes another number of axes than a step has.
    """

    layer: Any

    stepwise = True

    def __post_init__(self) -> None:
        if not isinstance(self.layer, Layer):
            raise TypeError(f"TimeDistributed takes a layer, such as Dense(8); got {self.layer!r}")
        if self.layer.several_outputs is not None:
            raise ValueError(
                f"TimeDistributed takes a layer of one output; {type(self.layer).__name__} has several, with "
                f"{self.layer.several_outputs}"
            )
        refuse_stateful("TimeDistributed", self.layer, "each step is a sequence of its own inside")

    def make_parts(self) -> dict[str, Layer]:
        return {"layer": self.as_part(self.layer)}

    @property
    def takes_indices(self) -> bool:
        return self.parts["layer"].takes_indices

    def plan(self, shape: Shape) -> tuple[dict[str, tuple[int, ...]], Shape]:
        self._check(shape)
        kind, rank = type(self.layer).__name__, self.layer.rank
        if rank is not None and len(shape) - 1 != rank:
            raise ValueError(
                f"TimeDistributed gives {kind} one step at a time, (batch, ...) of {len(shape) - 1} axes here, and "
                f"{kind} takes {rank}; got shape {shape}: what goes through the steps itself stands without a wrapper"
            )
        sizes, out = self.parts["layer"].plan((None, *shape[2:]))
        return self.join({"layer": sizes}), (*shape[:2], *out[1:])

    def __call__(self, params: Params, x: Array, ctx: Context = DETERMINISTIC) -> tuple[Array, Pullback]:
        self._check(x.shape)
        if ctx.mask is not None and ctx.mask.shape != x.shape[:2]:
            raise ValueError(f"the mask of TimeDistributed is (batch, time) = {x.shape[:2]}; got {ctx.mask.shape}")
        inner = self.split(params)["layer"]
        if ctx.rng is not None and any(part.fixed and part.trainable for part in layers_within(self.parts["layer"])):
            return self._step_by_step(inner, x, ctx)
        B, T = x.shape[:2]
        here = replace(ctx.inside("layer"), mask=None, reset=None)
        y, back = self.parts["layer"](inner, x.reshape(B * T, *x.shape[2:]), here)

        def pullback(dy: Array) -> tuple[Params, Array]:
            check_cotangent("TimeDistributed", dy, (B, T, *y.shape[1:]))
            dparams, dx = back(dy.reshape(y.shape))
            return self.join({"layer": dparams}), dx.reshape(x.shape)

        return y.reshape(B, T, *y.shape[1:]), pullback

    def _step_by_step(self, inner: Params, x: Array, ctx: Context) -> tuple[Array, Pullback]:
        """One step after the other, each with the running statistics that the one before it left."""
        outputs, backs = [], []
        moved: Params = {}
        for t in range(x.shape[1]):
            mask = None
            if ctx.mask is not None:  # a row is real or not: with all that it has at this step
                mask = np.broadcast_to(ctx.mask[:, t : t + 1], x[:, t].shape[:2] if x.ndim > 3 else (len(x), 1))
            here = replace(ctx, mask=mask, reset=None, dx=True, record=moved.__setitem__)
            y, back = self.parts["layer"](inner | moved, x[:, t], here)
            outputs.append(y)
            backs.append(back)
        if ctx.record is not None:
            for name, new in moved.items():
                ctx.inside("layer").record(name, new)  # type: ignore[misc]

        def pullback(dy: Array) -> tuple[Params, Array]:
            check_cotangent("TimeDistributed", dy, (*x.shape[:2], *outputs[0].shape[1:]))
            found = [back(dy[:, t]) for t, back in enumerate(backs)]
            dparams = {name: sum(d[name] for d, _ in found) for name in inner}
            return self.join({"layer": dparams}), np.stack([dx for _, dx in found], axis=1)

        return np.stack(outputs, axis=1), pullback

    def _check(self, shape: Shape) -> None:
        if len(shape) < 3:
            raise ValueError(
                f"TimeDistributed takes (batch, time, ...), three axes or more; got shape {shape}: a recurrent layer "
                "before it should return sequences"
            )
