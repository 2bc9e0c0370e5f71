"""A cell fed one step at a time: weights that stay as they are, and a state that goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .types import Array

if TYPE_CHECKING:
    from .backends import Kernel

__all__ = ["Steps"]


class Steps:
    """`step` after `step` from `state0`, by the kernel's own pass over one step.

    weights, state0, zone: as in `contract`. finite: True where the last step has been found to hold finite numbers
    only; False says nothing. quiet: whether NumPy has no part in a step, and never warns.
    """

    finite, quiet = False, False

    def __init__(
        self, kernel: Kernel, weights: dict[str, Array], state0: dict[str, Array], zone: dict[str, Any] | None = None
    ) -> None:
        self._kernel, self._weights, self._zone = kernel, weights, zone
        self._state = state0

    def step(self, x: Array, mask: Array | None = None) -> Array:
        """h (B, H) after the step x (B, F), the caller's own; mask (B,) bool, False holds the state of a row."""
        live = None if mask is None else mask[None]
        with np.errstate(over="ignore"):  # sigmoid's exp may reach infinity on its way to 0
            h, self._state, _ = self._kernel.forward(
                self._weights, x[None], self._state, mask=live, zone=self._zone, tape=False
            )
        return h[0].copy()

    def takes_finite(self, x: Array) -> bool:
        """Whether a step x (B, F) holds finite numbers only."""
        return bool(np.isfinite(x).all())

    @property
    def state(self) -> dict[str, Array]:
        """By name, (B, H): copies, on the way out and on the way in."""
        return {name: value.copy() for name, value in self._state.items()}

    @state.setter
    def state(self, state: dict[str, Array]) -> None:
        self._state = {name: value.copy() for name, value in state.items()}
