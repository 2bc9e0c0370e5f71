"""Large products, of all steps at once, which CuPy hands to cuBLAS: whether they may round what they multiply."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .words import Rounding

__all__ = ["products"]

_ONE_AT_A_TIME = threading.RLock()  # CuPy's setting is the whole process's


@contextmanager
def products(cupy: Any, rounding: Rounding) -> Iterator[None]:
    """Within the block products of float32 round to TF32 where anything may be rounded, be it to bf16, which CuPy does
    not offer; else they are strict, whatever CUPY_TF32 says. Afterwards CuPy does what it did before.

    The setting is CuPy's own, for the process: products that somebody else asks for at the same moment have it too.
    """
    core, kinds = cupy._core, cupy._core._routines_linalg
    with _ONE_AT_A_TIME:
        before = core.get_compute_type(np.float32)
        core.set_compute_type(np.float32, kinds.COMPUTE_TYPE_DEFAULT if rounding is None else kinds.COMPUTE_TYPE_TF32)
        try:
            yield
        finally:
            core.set_compute_type(np.float32, before)
