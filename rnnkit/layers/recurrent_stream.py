"""A recurrent layer fed step by step: the state is all that there is to remember."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from rnnkit_kernels.devices import is_here
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
        self._first = initial(params, layer.state_sizes, rows)
        zone = zones(layer, (1, rows), replace(ctx, rng=None))
        self._steps = ctx.kernels.kernel(layer.make_cell()).steps(layer.kernel_weights(params), self._first, zone)
        self._shape, self._flags = (rows, params["W"].shape[0]), (rows,)

    def step(self, x: Array, mask: Array | None) -> tuple[Array, Array | None]:
        if x.shape != self._shape:
            raise ValueError(
                f"this stream of {self._kind} takes a step as (rows, features) = {self._shape}; got {x.shape}"
            )
        if mask is not None and mask.shape != self._flags:
            raise ValueError(f"the mask of a step of {self._kind} is (rows,) = {self._flags}; got {mask.shape}")
        return self._steps.step(x, mask), mask if self._emits else None

    def takes_finite(self, x: Array) -> bool:
        """Whether a step, of the stream's shape and dtype, is finite, at less than what NumPy asks for the answer."""
        return self._steps.takes_finite(x)

    @property
    def finite(self) -> bool:
        """True where the output of the last step has been found finite; False says nothing."""
        return self._steps.finite

    @property
    def quiet(self) -> bool:
        """Whether no step has NumPy warn of an overflow."""
        return self._steps.quiet

    def reset(self) -> None:
        self._steps.state = self._first

    @property
    def state(self) -> State:
        return self._steps.state

    @state.setter
    def state(self, state: State) -> None:
        check_state(self._kind, state, {name: value.shape for name, value in self._first.items()})
        given = {name: np.asarray(a) if is_here(a) else a for name, a in state.items()}
        self._steps.state = {n: given[n].astype(first.dtype, copy=False) for n, first in self._first.items()}
