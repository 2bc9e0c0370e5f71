"""A recurrent layer fed step by step: the state is all that there is to remember."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from rnnkit_kernels.types import Array

from ..context import Context
from .recurrent_options import zones
from .restarts import State, initial
from .streams import check_state

if TYPE_CHECKING:
    from .recurrent import Recurrent

__all__ = ["RecurrentStream"]


class RecurrentStream:
    """The output at every step is h: what the layer would have given had the sequence ended there.

    x (rows, F), mask (rows,) bool or None: False holds the state of a row. A stream predicts: nothing is random in it,
    and of zoneout it takes the expectation, whatever `ctx.rng` is. The state begins from zeros, or from what was
    learned. Raises ValueError for x, a mask or a state that does not fit.
    """

    def __init__(self, layer: Recurrent, params: dict[str, Array], rows: int, ctx: Context) -> None:
        self._kind, self._emits = type(layer).__name__, layer.return_sequences
        self._kernel = ctx.kernels.kernel(layer.make_cell())
        self._zone = zones(layer, (1, rows), replace(ctx, rng=None))
        self._weights, self._features = layer.kernel_weights(params), params["W"].shape[0]
        self._first = initial(params, layer.state_sizes, rows)
        self._rows = rows
        self._state = self._first

    def step(self, x: Array, mask: Array | None) -> tuple[Array, Array | None]:
        if x.shape != (self._rows, self._features):
            raise ValueError(
                f"this stream of {self._kind} takes a step as (rows, features) = {(self._rows, self._features)}; "
                f"got {x.shape}"
            )
        if mask is not None and mask.shape != (self._rows,):
            raise ValueError(f"the mask of a step of {self._kind} is (rows,) = {(self._rows,)}; got {mask.shape}")
        live = None if mask is None else mask[None]
        with np.errstate(over="ignore"):  # sigmoid's exp may reach infinity on its way to 0
            h, self._state, _ = self._kernel.forward(self._weights, x[None], self._state, mask=live, zone=self._zone)
        return h[0].copy(), mask if self._emits else None

    def reset(self) -> None:
        self._state = self._first

    @property
    def state(self) -> State:
        return {name: value.copy() for name, value in self._state.items()}

    @state.setter
    def state(self, state: State) -> None:
        check_state(self._kind, state, {name: value.shape for name, value in self._first.items()})
        self._state = {name: np.array(state[name], dtype=first.dtype) for name, first in self._first.items()}
