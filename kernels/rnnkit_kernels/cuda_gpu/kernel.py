"""The pair of a cell on a GPU; what it hands over to the textbook runs there on CuPy's arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ..contract import Gradients, Tape
from ..own_kernel import OwnKernel
from ..types import Array
from .backward import backward
from .choice import choose
from .emit.division import Division
from .place import Place
from .recurrence import CudaTape, forward
from .words import Rounding

__all__ = ["CudaKernel"]


@dataclass(frozen=True, kw_only=True)
class CudaKernel(OwnKernel):
    """See `OwnKernel` for what is the textbook's. Nothing here waits for the GPU, so flags that are all False count as
    flags.

    rounding  see `backends.Backend`
    """

    place: Place
    rounding: Rounding = None
    origin: str = "cuda"

    tapes: ClassVar[type[Tape]] = CudaTape

    def has_work(self, weights: dict[str, Array], x: Array) -> bool:
        return bool(x.size and weights["U"].size)

    def there(
        self, weights: dict[str, Array], x: Array, state0: dict[str, Array], mask: Array | None, drop: Array | None,
        tape: bool,
    ) -> tuple[Array, dict[str, Array], Tape | None]:  # fmt: skip
        division = self._division(False, x.shape[1], weights["U"].shape[0], x.dtype)
        h, state, found = forward(
            self.place, self.cell, weights, x, state0, mask=mask, drop=drop, division=division, rounding=self.rounding
        )
        return h, state, found if tape else None

    def back(self, tape: Any, dh: Array, dstate: dict[str, Array] | None, dx: bool) -> Gradients:
        division = self._division(True, dh.shape[1], tape.units, dh.dtype)
        return backward(self.place, tape, dh, dstate, division=division, rounding=self.rounding, dx=dx)

    def _division(self, back: bool, rows: int, units: int, dtype: Any) -> Division | None:
        return choose(self.cell, back, units, rows, dtype.itemsize, *self.place.processors(), self.rounding)
