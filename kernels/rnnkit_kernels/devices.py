"""Arrays that lie in main memory, and arrays that do not: how either is told, and brought down.

An array on a device is used through NumPy's functions, which hand over to its own. Nothing turns it into a NumPy array
by itself: whoever wants its numbers here asks, and waits until the device has made them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["host", "is_here", "number"]


def is_here(a: Any) -> bool:
    """Whether it is a number, a NumPy array or anything else that lies in main memory."""
    return isinstance(a, (np.ndarray, np.generic, float, int)) or not (hasattr(a, "get") and hasattr(a, "dtype"))


def host(a: Any) -> Any:
    """The array in main memory: itself where it lies there, else a copy, for which this waits."""
    return a if is_here(a) else a.get()


def number(a: Any) -> Any:
    """A single number as a float, where it lies in main memory; one on a device stays there, an array of no axes."""
    return float(a) if is_here(a) else a
