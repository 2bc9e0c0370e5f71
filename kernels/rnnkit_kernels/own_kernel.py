"""A pair with kernels of its own: which calls those take, and that all others are the textbook's."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from .backends import Kernel
from .contract import Gradients, Tape
from .types import Array

__all__ = ["OwnKernel", "without"]

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


@dataclass(frozen=True)
class OwnKernel(Kernel):
    """What zoneout, rows that begin anew, a projection and complex numbers ask for runs in the textbook, on the arrays
    as they lie, and so does a way back whose gradients are clipped: the tape that comes out says which it was,
    `tape.origin`."""

    tapes: ClassVar[type[Tape]]  # what the kernels leave, and go back over

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
        reset = self.with_any(reset)
        if self.goes(weights, x, zone, reset):
            return self.there(weights, x, state0, mask, drop, tape)
        return super().forward(weights, x, state0, mask=mask, drop=drop, zone=zone, reset=reset, fresh=fresh)

    def backward(
        self,
        tape: Tape,
        dh: Array,
        dstate: dict[str, Array] | None = None,
        *,
        clip: float | None = None,
        dx: bool = True,
    ) -> Gradients:
        if self.goes_back(tape, clip):
            return self.back(tape, dh, dstate, dx)
        return super().backward(tape, dh, dstate, clip=clip, dx=dx)

    def goes(self, weights: dict[str, Array], x: Array, zone: Any, reset: Array | None) -> bool:
        """Whether the kernels take a call of `forward`; else it is the textbook's."""
        return without(zone, reset, "P" in weights, x.dtype) is None and self.has_work(weights, x)

    def goes_back(self, tape: Tape, clip: float | None) -> bool:
        """Whether they take one of `backward`."""
        return isinstance(tape, self.tapes) and clip is None

    def with_any(self, reset: Array | None) -> Array | None:
        """None where no row begins anew, if that can be told."""
        return reset

    def has_work(self, weights: dict[str, Array], x: Array) -> bool:
        """Whether there is a number to compute."""
        return bool(x.size)

    @abstractmethod
    def there(
        self, weights: dict[str, Array], x: Array, state0: dict[str, Array], mask: Array | None, drop: Array | None,
        tape: bool,
    ) -> tuple[Array, dict[str, Array], Tape | None]:  # fmt: skip
        """`forward`, by the kernels. tape: False says that nobody will go back, and gives None for it."""

    @abstractmethod
    def back(self, tape: Any, dh: Array, dstate: dict[str, Array] | None, dx: bool) -> Gradients:
        """`backward`, by the kernels."""
