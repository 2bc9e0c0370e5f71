"""The way there and the way back as one: of a cell, of the convolution. Here they are the textbook's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from .contract import Cell, Gradients, Tape
from .steps import Steps
from .textbook import convolution, recurrence
from .types import Array

if TYPE_CHECKING:
    from .numba_cpu.streaming import CompiledSteps

__all__ = ["ConvolutionKernel", "Kernel"]


@dataclass(frozen=True)
class Kernel:
    """The pair of one cell on one backend; the contract is `contract`'s. `origin` names what really runs."""

    cell: Cell
    origin: str = "textbook"

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
        """tape: False says that nobody will go back; a compiled kernel then keeps nothing, and gives None for it."""
        return recurrence.forward(
            self.cell, weights, x, state0, mask=mask, drop=drop, zone=zone, reset=reset, fresh=fresh
        )

    def backward(
        self,
        tape: Tape,
        dh: Array,
        dstate: dict[str, Array] | None = None,
        *,
        clip: float | None = None,
        dx: bool = True,
    ) -> Gradients:
        """dx: False says that nobody asks for dL/dx, and `Gradients.x` may be None."""
        return recurrence.backward(tape, dh, dstate, clip=clip, dx=dx)

    def forward_later(self, *given: Any, **options: Any) -> Callable[[], Any]:
        """`forward` of these arguments when what comes back is called, or handed to `Backend.at_once`. What it is given
        stays with it until then."""
        return partial(self.forward, *given, **options)

    def backward_later(self, *given: Any, **options: Any) -> Callable[[], Any]:
        """`backward`, in the same way."""
        return partial(self.backward, *given, **options)

    def in_words(self, rows: int, units: int, dtype: Any, training: bool) -> str:
        """What runs for a batch of so many rows, there and, where it is trained, back."""
        return "the textbook's lines"

    def steps(
        self, weights: dict[str, Array], state0: dict[str, Array], zone: dict[str, Any] | None = None
    ) -> Steps | CompiledSteps:
        """The cell fed one step at a time, with the weights as they are now; `zone`: shares only."""
        return Steps(self, weights, state0, zone)


@dataclass(frozen=True)
class ConvolutionKernel:
    """The pair of the convolution on one backend; the contract is `textbook.convolution`'s."""

    origin: str = "textbook"

    def forward(
        self, weights: dict[str, Array], x: Array, window: convolution.Window, groups: int = 1
    ) -> tuple[Array, convolution.ConvolutionTape]:
        return convolution.forward(weights, x, window, groups)

    def backward(
        self, tape: convolution.ConvolutionTape, dy: Array, *, dx: bool = True
    ) -> tuple[dict[str, Array], Array | None]:
        return convolution.backward(tape, dy, dx=dx)
