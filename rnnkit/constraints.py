"""Constraints: where a weight is put back to after every step of the optimizer.

constraint(weight) -> weight
"""

from __future__ import annotations

from typing import Any

__all__ = ["get"]


def get(given: Any) -> Any:
    """The object itself."""
    return given
