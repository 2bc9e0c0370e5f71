"""The compiled pair of a cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ..contract import Gradients, Tape
from ..own_kernel import OwnKernel, without
from ..steps import Steps
from ..types import Array
from .backward import backward
from .recurrence import CompiledTape, forward
from .streaming import CompiledSteps

__all__ = ["CompiledKernel"]


@dataclass(frozen=True)
class CompiledKernel(OwnKernel):
    """See `OwnKernel` for what is the textbook's."""

    origin: str = "numba"

    tapes: ClassVar[type[Tape]] = CompiledTape

    def with_any(self, reset: Array | None) -> Array | None:
        return reset if reset is not None and reset.any() else None

    def there(
        self, weights: dict[str, Array], x: Array, state0: dict[str, Array], mask: Array | None, drop: Array | None,
        tape: bool,
    ) -> tuple[Array, dict[str, Array], Tape | None]:  # fmt: skip
        return forward(self.cell, weights, x, state0, mask=mask, drop=drop, tape=tape)

    def back(self, tape: Any, dh: Array, dstate: dict[str, Array] | None, dx: bool) -> Gradients:
        return backward(tape, dh, dstate, dx=dx)

    def steps(
        self, weights: dict[str, Array], state0: dict[str, Array], zone: dict[str, Any] | None = None
    ) -> Steps | CompiledSteps:
        if without(zone, None, "P" in weights, weights["U"].dtype) is not None or not weights["W"].size:
            return super().steps(weights, state0, zone)
        return CompiledSteps(self.cell, weights, state0)
