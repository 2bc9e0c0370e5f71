"""One thread for the products of a recurrence.

A step multiplies small matrices, thousands of times a second. OpenBLAS splits even those over all cores and waits for
every part actively: on two idle cores that gains nothing, on busy ones it was measured ten times slower.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["CHOSEN_BY", "one_thread"]

CHOSEN_BY = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")


@contextmanager
def one_thread() -> Iterator[bool]:
    """Holds NumPy's own OpenBLAS to one thread inside, and says whether it does.

    Nothing is changed where the environment has chosen a number, or where NumPy was built with another BLAS.
    """
    library = None if any(os.environ.get(name) for name in CHOSEN_BY) else _openblas()
    if library is None:
        yield False
        return
    before = int(library.scipy_openblas_get_num_threads64_())
    library.scipy_openblas_set_num_threads64_(1)
    try:
        yield True
    finally:
        library.scipy_openblas_set_num_threads64_(before)


def _openblas() -> Any:
    """The library that NumPy's wheels bring and have loaded: opening it again gives the same one."""
    package = Path(np.__file__).parent
    for folder in (package.parent / "numpy.libs", package / ".dylibs"):
        for path in sorted(folder.glob("*scipy_openblas64*")):
            try:
                library = ctypes.CDLL(str(path))
            except OSError:
                continue
            if hasattr(library, "scipy_openblas_set_num_threads64_"):
                return library
    return None
