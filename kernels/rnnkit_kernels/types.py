"""The one array type that signatures name: a NumPy array, or anything that speaks its dispatch protocols (CuPy)."""

from __future__ import annotations

from typing import Any, TypeAlias

from numpy.typing import NDArray

__all__ = ["Array"]

Array: TypeAlias = NDArray[Any]
