"""Numbers to work on, and the comparison to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["numbers", "same"]


def same(found: Any, expected: Any) -> None:
    """Also the sign of a zero, and where a NaN stands."""
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(np.signbit(found[found == 0]), np.signbit(expected[expected == 0]))


def numbers(shape: Any, dtype: str, seed: int = 0, special: bool = False) -> Any:
    a = np.asarray(np.random.default_rng(seed).standard_normal(shape)).astype(dtype)
    if special:
        a.reshape(-1)[:5] = 0.0, -0.0, np.nan, np.inf, -np.inf
    return a
