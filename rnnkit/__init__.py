"""rnnkit: recurrent networks from scratch on arrays, with gradients that anyone can see and check."""

from __future__ import annotations

from rnnkit_kernels import cells
from rnnkit_kernels.contract import Adjoint, Cell, names

from . import (
    bptt,
    callbacks,
    constraints,
    data,
    initializers,
    layers,
    losses,
    metrics,
    optimizers,
    regularizers,
    schedules,
    text,
)
from .context import Context
from .gradcheck import gradcheck
from .history import History
from .model import Sequential
from .saving import load

__version__ = "0.1.0"

__all__ = [
    "Adjoint",
    "Cell",
    "Context",
    "History",
    "Sequential",
    "bptt",
    "callbacks",
    "cells",
    "constraints",
    "data",
    "gradcheck",
    "initializers",
    "layers",
    "load",
    "losses",
    "metrics",
    "names",
    "optimizers",
    "regularizers",
    "schedules",
    "text",
]
