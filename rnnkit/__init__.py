"""rnnkit: recurrent networks from scratch on arrays, with gradients that anyone can see and check."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rnnkit_kernels import cells
from rnnkit_kernels.contract import Adjoint, Cell, names

from . import constraints, initializers, layers, losses, metrics, optimizers, regularizers, schedules
from .context import Context
from .gradcheck import gradcheck
from .history import History
from .layers import Input
from .model import Sequential

if TYPE_CHECKING:
    from . import bptt, callbacks, data, forecast, text
    from .encoder_decoder import EncoderDecoder
    from .saving import load

__version__ = "0.1.0"

__all__ = [
    "Adjoint",
    "Cell",
    "Context",
    "EncoderDecoder",
    "History",
    "Input",
    "Sequential",
    "bptt",
    "callbacks",
    "cells",
    "constraints",
    "data",
    "forecast",
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

# Read when they are asked for: `import rnnkit` is to be quick.
_LATER = ("bptt", "callbacks", "data", "forecast", "text")


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return import_module(f".{name}", __name__)
    if name == "EncoderDecoder":
        return import_module(".encoder_decoder", __name__).EncoderDecoder
    if name == "load":
        return import_module(".saving", __name__).load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
