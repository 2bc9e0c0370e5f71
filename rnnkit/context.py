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

__all__ = ["DETERMINISTIC", "Context", "Record", "Watch"]

Watch = Callable[[Any, Tape, str], Callable[[Gradients], None]]
Record = Callable[[str, Array], None]


@dataclass(frozen=True)
class Context:
    """The circumstances of one pass.

    backend  a name ("auto", "numpy") or a `Backend`
    mask     (B, T) bool, True where a step is real; None when all are
    rng      where dropout draws from; without it nothing is random
    watch    called by every recurrent layer with itself, its tape and `path`, and what it returns with the gradients on
             the way back: how `bptt.trace` looks on without a layer knowing why
    reset    (B, T) bool, True where a row begins anew: its recurrent state is the initial one before that step
    record   called with a weight's name and its new value by a layer whose weights change without a gradient, such as
             running statistics; the model takes them over once the step is done
    tape     False: nobody will go back, and what only the way back reads need not be kept. A pullback then refuses
    dx       False: nobody asks for dL/dx, and None may come back for it. Only layers hear of it that say `spares_dx`
    path     where the layer stands in the model: "2", and inside another layer "2.forward"
    """

    backend: str | Backend = "auto"
    mask: Array | None = None
    rng: np.random.Generator | None = None
    watch: Watch | None = None
    reset: Array | None = None
    record: Record | None = None
    tape: bool = True
    dx: bool = True
    path: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.backend, Backend):
            object.__setattr__(self, "backend", backend_of(self.backend))
        if self.rng is not None and not hasattr(self.rng, "random"):
            raise TypeError(f"rng is a generator such as numpy.random.default_rng(0), or None; got {self.rng!r}")
        if self.mask is not None:
            self._check_flags("mask", "a step is real")
        if self.reset is not None:
            self._check_flags("reset", "a row begins anew")

    def _check_flags(self, name: str, true: str) -> None:
        flags = getattr(self, name)
        if isinstance(flags, (list, tuple)):
            flags = np.asarray(flags)
            object.__setattr__(self, name, flags)
        if flags.ndim != 2 or flags.dtype != bool:
            raise ValueError(f"a {name} is (B, T) of bool, True where {true}; got {flags.shape} {flags.dtype}")

    def inside(self, part: str) -> Context:
        """The context of a layer inside another: what it records is named "part.weight"."""
        path, record = f"{self.path}.{part}" if self.path else part, self.record
        if record is None:
            return self.but(path=path, dx=True)
        return self.but(path=path, dx=True, record=lambda name, value: record(f"{part}.{name}", value))

    def but(self, **changes: Any) -> Context:
        """The same but for these fields, which are taken as they are: for what was made here, not by users."""
        other = object.__new__(Context)
        other.__dict__.update(self.__dict__, **changes)
        return other

    @property
    def kernels(self) -> Backend:
        assert isinstance(self.backend, Backend)
        return self.backend


DETERMINISTIC = Context()
