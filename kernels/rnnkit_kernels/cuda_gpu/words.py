"""What a kernel is told, in 64-bit words: whole numbers without a sign, and doubles, as the bits that they are."""

from __future__ import annotations

import numpy as np

__all__ = ["REALS", "Rounding", "real_of", "word_of_double", "words_of"]

# The C++ name of an array's dtype; what is of no other dtype has kernels.
REALS = {np.dtype(np.float32): "float", np.dtype(np.float64): "double"}

# What tensor cores round the factors of products to, "tf32" or "bf16"; None: nothing is rounded.
Rounding = str | None


def real_of(what: str, dtype: object) -> str:
    """The dtype's name in C++. Raises TypeError where kernels have none for it."""
    found = REALS.get(np.dtype(dtype))  # type: ignore[call-overload]
    if found is None:
        raise TypeError(f"{what}: kernels take float32 or float64, got {np.dtype(dtype)}")  # type: ignore[call-overload]
    return found


def word_of_double(number: float) -> int:
    """The bits of a double as a 64-bit number with a sign."""
    return int(np.float64(number).view(np.int64))


def words_of(number: int) -> tuple[int, int]:
    """The upper and the lower half of 128 bits, each as a 64-bit number with a sign."""
    halves = number >> 64, number & 0xFFFF_FFFF_FFFF_FFFF
    return tuple(half - (half >> 63 << 64) for half in halves)  # type: ignore[return-value]
