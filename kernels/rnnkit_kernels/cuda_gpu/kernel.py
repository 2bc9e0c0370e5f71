"""The pair of a cell on a GPU; what it hands over to the textbook runs there on CuPy's arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from ..contract import Gradients, Tape
from ..own_kernel import OwnKernel
from ..types import Array
from .backward import begun_back
from .choice import chosen
from .emit.division import Division
from .place import Place
from .recurrence import CudaTape, begun
from .together import Begun, Later
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
        found: tuple[Array, dict[str, Array], Tape | None] = self._there(weights, x, state0, mask, drop, tape)()
        return found

    def back(self, tape: Any, dh: Array, dstate: dict[str, Array] | None, dx: bool) -> Gradients:
        found: Gradients = self._back(tape, dh, dstate, dx)()
        return found

    def forward_later(
        self, weights: dict[str, Array], x: Array, state0: dict[str, Array], *, mask: Array | None = None,
        drop: Array | None = None, zone: Any = None, reset: Array | None = None, tape: bool = True, **options: Any,
    ) -> Callable[[], Any]:  # fmt: skip
        if self.goes(weights, x, zone, reset):
            return self._there(weights, x, state0, mask, drop, tape)
        return super().forward_later(
            weights, x, state0, mask=mask, drop=drop, zone=zone, reset=reset, tape=tape, **options
        )

    def backward_later(
        self, tape: Tape, dh: Array, dstate: dict[str, Array] | None = None, *, clip: float | None = None,
        dx: bool = True,
    ) -> Callable[[], Any]:  # fmt: skip
        if self.goes_back(tape, clip):
            return self._back(tape, dh, dstate, dx)
        return super().backward_later(tape, dh, dstate, clip=clip, dx=dx)

    def in_words(self, rows: int, units: int, dtype: Any, training: bool) -> str:
        from .account import kernels_of

        return kernels_of(self, rows, units, dtype, training)

    def _there(
        self, weights: dict[str, Array], x: Array, state0: dict[str, Array], mask: Array | None, drop: Array | None,
        tape: bool,
    ) -> Later:  # fmt: skip
        (T, B), H = x.shape[:2], weights["U"].shape[0]

        def begin(together: int) -> Begun:
            return begun(
                self.place, self.cell, weights, x, state0, mask=mask, drop=drop,
                division=self.division(False, together * B, H, x.dtype), rounding=self.rounding, together=together,
                tape=tape,
            )  # fmt: skip

        return Later(self.place, begin, (self, "there", x.dtype, T, B, H, mask is None, drop is None))

    def _back(self, tape: Any, dh: Array, dstate: dict[str, Array] | None, dx: bool) -> Later:
        (T, B), H, dtype = tape.x.shape[:2], tape.units, tape.x.dtype

        def begin(together: int) -> Begun:
            division = self.division(True, together * B, H, dtype)
            return begun_back(self.place, tape, dh, dstate, division, self.rounding, dx, together)

        return Later(self.place, begin, (self, "back", dtype, T, B, H, tape.mask is None, tape.drop is None))

    def division(self, back: bool, rows: int, units: int, dtype: Any) -> Division | None:
        """Of the kernel that takes all steps at once, for so many rows; None: a kernel for every level of a step."""
        return chosen(self.place, self.cell, back, units, rows, dtype.itemsize, self.rounding)
