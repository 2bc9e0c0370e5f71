"""A layer fed one step at a time: what every layer that can be streamed returns from `stream`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from rnnkit_kernels.devices import is_here
from rnnkit_kernels.types import Array

from ..context import Context

__all__ = ["LayerStream", "StepByStep", "check_state"]


class LayerStream(Protocol):
    """One layer over time. x (B, ...) is a step of B rows, mask (B,) bool or None.

    step   the output step (B, ...) and its mask, or None as long as no output step is complete
    state  everything that later steps need, arrays by name: copies on the way out, copied on the way in
    reset  as at the beginning
    """

    def step(self, x: Array, mask: Array | None) -> tuple[Array, Array | None] | None: ...

    def reset(self) -> None: ...

    @property
    def state(self) -> dict[str, Array]: ...

    @state.setter
    def state(self, state: dict[str, Array]) -> None: ...


def check_state(kind: str, state: dict[str, Array], wanted: dict[str, tuple[int, ...]]) -> None:
    """Refuses a state of other names, or with an array of another shape, than this stream has."""
    given = {name: np.shape(value) if is_here(value) else value.shape for name, value in state.items()}
    if given != wanted:
        raise ValueError(f"the state of this stream of {kind} is {wanted}, shapes by name; got {given}")


class StepByStep:
    """The stream of a layer that treats every step by itself: there is nothing to remember."""

    def __init__(self, layer: Any, params: dict[str, Array], ctx: Context) -> None:
        self.layer, self.params, self.ctx = layer, params, replace(ctx, mask=None)

    def step(self, x: Array, mask: Array | None) -> tuple[Array, Array | None]:
        x = x[:, None]
        flags = None if mask is None else mask[:, None]
        y, _ = self.layer(self.params, x, self.ctx if flags is None else replace(self.ctx, mask=flags))
        flags = self.layer.next_mask(flags, x)
        return y[:, 0], None if flags is None else flags[:, 0]

    def reset(self) -> None: ...

    @property
    def state(self) -> dict[str, Array]:
        return {}

    @state.setter
    def state(self, state: dict[str, Array]) -> None: ...
