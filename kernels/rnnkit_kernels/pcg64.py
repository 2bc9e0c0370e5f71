"""NumPy's default generator, PCG64 (O'Neill 2014, HMC-CS-2014-0905), as a place in one stream of numbers.

The state is a linear congruence modulo 2^128, s' = A s + C; n steps together are one of the same form, with A^n and
C (A^(n-1) + ... + 1). The next number is made of the state behind one step.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

__all__ = ["MODULUS", "POWERS", "leap", "powers", "taken"]

_MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645
MODULUS = 1 << 128
POWERS = 48


def taken(rng: np.random.Generator, count: int) -> tuple[int, int]:
    """The state before the next `count` doubles of `rng`, a PCG64, and its increment; leaves `rng` behind them.

    Half a word that an earlier draw of 32 bits has left stays for the next one, as with `rng.random`.
    """
    generator = rng.bit_generator
    with generator.lock:
        state: dict[str, Any] = dict(generator.state)
        place, increment = state["state"]["state"], state["state"]["inc"]
        factor, offset = leap(count, increment)
        state["state"] = {"state": (factor * place + offset) % MODULUS, "inc": increment}
        generator.state = state
    return place, increment


@lru_cache(maxsize=64)
def leap(steps: int, increment: int) -> tuple[int, int]:
    """The factor and the offset of so many steps at once, by squaring (Brown 1994)."""
    factor, offset, square, shift = 1, 0, _MULTIPLIER, increment
    while steps:
        if steps & 1:
            factor, offset = factor * square % MODULUS, (offset * square + shift) % MODULUS
        square, shift = square * square % MODULUS, (square + 1) * shift % MODULUS
        steps >>= 1
    return factor, offset


@lru_cache(maxsize=16)
def powers(increment: int) -> tuple[tuple[int, int], ...]:
    """The factor and the offset of 1, 2, 4, ... 2^(POWERS - 1) steps."""
    return tuple(leap(1 << k, increment) for k in range(POWERS))
