"""Recurrent kernels: arrays in, arrays out. Nothing here knows of layers, models or training."""

from __future__ import annotations

from .backends import Backend, Kernel, backend
from .contract import Adjoint, Cell, Gradients, Tape, names

__all__ = ["Adjoint", "Backend", "Cell", "Gradients", "Kernel", "Tape", "backend", "names"]
