"""What a layer is told beside its parameters and its input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnkit_kernels.backends import Backend
from rnnkit_kernels.backends import backend as backend_of
from rnnkit_kernels.contract import Gradients, Tape
from rnnkit_kernels.types import Array

__all__ = ["DETERMINISTIC", "Context", "Watch"]

Watch = Callable[[Any, Tape], Callable[[Gradients], None]]


@dataclass(frozen=True)
class Context:
    """The circumstances of one pass.

    backend  a name ("auto", "numpy") or a `Backend`
    mask     (B, T) bool, True where a step is real; None when all are
    rng      where dropout draws from; without it nothing is random
    watch    called by every recurrent layer with itself and its tape, and what it returns with the gradients on the
             way back: how `bptt.trace` looks on without a layer knowing why
    """

    backend: str | Backend = "auto"
    mask: Array | None = None
    rng: np.random.Generator | None = None
    watch: Watch | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.backend, Backend):
            object.__setattr__(self, "backend", backend_of(self.backend))
        if isinstance(self.mask, (list, tuple)):
            object.__setattr__(self, "mask", np.asarray(self.mask))
        if self.rng is not None and not hasattr(self.rng, "random"):
            raise TypeError(f"rng is a generator such as numpy.random.default_rng(0), or None; got {self.rng!r}")
        if self.mask is not None and (self.mask.ndim != 2 or self.mask.dtype != bool):
            raise ValueError(
                f"a mask is (B, T) of bool, True where a step is real; got {self.mask.shape} {self.mask.dtype}"
            )

    @property
    def kernels(self) -> Backend:
        assert isinstance(self.backend, Backend)
        return self.backend


DETERMINISTIC = Context()
