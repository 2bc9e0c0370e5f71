"""The compiled pair of a cell, and when it hands over to the textbook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backends import Kernel
from ..contract import Gradients, Tape
from ..steps import Steps
from ..textbook import recurrence as textbook
from ..types import Array
from .backward import backward
from .recurrence import CompiledTape, forward
from .streaming import CompiledSteps

__all__ = ["CompiledKernel", "without"]

_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


def without(zone: Any, reset: Any, projected: bool, dtype: Any) -> str | None:
    """Why a call is the textbook's, in words; None where the compiled kernel takes it."""
    if zone:
        return "zoneout"
    if reset is not None:
        return "rows that begin anew"
    if projected:
        return "a projection"
    return None if dtype in _DTYPES else f"numbers of {dtype}"


@dataclass(frozen=True)
class CompiledKernel(Kernel):
    """What zoneout, rows that begin anew, a projection and complex numbers ask for runs in the textbook, and so does a
    way back whose gradients are clipped: the tape that comes out says which it was, `tape.origin`."""

    origin: str = "numba"

    def forward(
        self,
        weights: dict[str, Array],
        x: Array,
        state0: dict[str, Array],
        *,
        mask: Array | None = None,
        drop: Array | None = None,
        zone: dict[str, Any] | None = None,
        reset: Array | None = None,
        fresh: dict[str, Array] | None = None,
        tape: bool = True,
    ) -> tuple[Array, dict[str, Array], Tape | None]:
        if reset is not None and not reset.any():
            reset = None
        if without(zone, reset, "P" in weights, x.dtype) is not None or not x.size:
            return textbook.forward(
                self.cell, weights, x, state0, mask=mask, drop=drop, zone=zone, reset=reset, fresh=fresh
            )
        return forward(self.cell, weights, x, state0, mask=mask, drop=drop, tape=tape)

    def backward(
        self,
        tape: Tape,
        dh: Array,
        dstate: dict[str, Array] | None = None,
        *,
        clip: float | None = None,
        dx: bool = True,
    ) -> Gradients:
        if isinstance(tape, CompiledTape) and clip is None:
            return backward(tape, dh, dstate, dx=dx)
        return textbook.backward(tape, dh, dstate, clip=clip, dx=dx)

    def steps(
        self, weights: dict[str, Array], state0: dict[str, Array], zone: dict[str, Any] | None = None
    ) -> Steps | CompiledSteps:
        if without(zone, None, "P" in weights, weights["U"].dtype) is not None or not weights["W"].size:
            return super().steps(weights, state0, zone)
        return CompiledSteps(self.cell, weights, state0)
