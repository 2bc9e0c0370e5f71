"""The pair of a cell on a GPU, and when it hands over to the textbook, which then runs on CuPy's arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backends import Kernel
from ..contract import Gradients, Tape
from ..textbook import recurrence as textbook
from ..types import Array
from .backward import backward
from .choice import choose
from .emit.division import Division
from .place import Place
from .recurrence import CudaTape, forward

__all__ = ["CudaKernel", "without"]

_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


def without(zone: Any, reset: Any, projected: bool, dtype: Any) -> str | None:
    """Why a call is the textbook's, in words; None where the kernels take it."""
    if zone:
        return "zoneout"
    if reset is not None:
        return "rows that begin anew"
    if projected:
        return "a projection"
    return None if dtype in _DTYPES else f"numbers of {dtype}"


@dataclass(frozen=True, kw_only=True)
class CudaKernel(Kernel):
    """What zoneout, rows that begin anew, a projection and complex numbers ask for runs in the textbook, on the arrays
    as they lie, and so does a way back whose gradients are clipped: the tape that comes out says which it was,
    `tape.origin`. Nothing here waits for the GPU, so flags that are all False count as flags.

    tensor  see `backends.Backend`
    """

    place: Place
    tensor: bool = False
    origin: str = "cuda"

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
        """tape: False says that nobody will go back, and gives None for it."""
        if without(zone, reset, "P" in weights, x.dtype) is not None or not x.size or not weights["U"].size:
            return textbook.forward(
                self.cell, weights, x, state0, mask=mask, drop=drop, zone=zone, reset=reset, fresh=fresh
            )
        division = self._division(False, x.shape[1], weights["U"].shape[0], x.dtype)
        h, state, found = forward(
            self.place, self.cell, weights, x, state0, mask=mask, drop=drop, division=division, tensor=self.tensor
        )
        return h, state, found if tape else None

    def backward(
        self,
        tape: Tape,
        dh: Array,
        dstate: dict[str, Array] | None = None,
        *,
        clip: float | None = None,
        dx: bool = True,
    ) -> Gradients:
        if isinstance(tape, CudaTape) and clip is None:
            division = self._division(True, dh.shape[1], tape.units, dh.dtype)
            return backward(self.place, tape, dh, dstate, division=division, tensor=self.tensor, dx=dx)
        return textbook.backward(tape, dh, dstate, clip=clip, dx=dx)

    def _division(self, back: bool, rows: int, units: int, dtype: Any) -> Division | None:
        return choose(self.cell, back, units, rows, dtype.itemsize, *self.place.processors(), self.tensor)
