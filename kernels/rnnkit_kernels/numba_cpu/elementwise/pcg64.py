"""NumPy's default generator, see `rnnkit_kernels.pcg64`, run on several places of its one stream at once.

Each of four walkers takes every fourth number: a product of 128 bits is slow to wait for.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from ...pcg64 import MODULUS, leap, taken
from ...types import Array
from ..jit import compiled
from ..parallel.atomics import intrinsic

__all__ = ["drawn"]

_LOW = (1 << 64) - 1
_WALKERS = 4
_FIRST = range(1, _WALKERS + 1)  # the steps to where each walker begins


def drawn(rng: np.random.Generator, scale: Array, rate: float, kept: Any) -> None:
    """Fills `scale`, 1-D, with `kept` where `rng.random()` is `rate` or more, else 0, and leaves `rng` as if it had
    drawn as many numbers."""
    place, increment = taken(rng, scale.size)
    starts = [(factor * place + offset) % MODULUS for factor, offset in (leap(n, increment) for n in _FIRST)]
    words = np.empty((_WALKERS + 2, 2), np.uint64)
    for number, value in enumerate((*starts, *leap(_WALKERS, increment))):
        words[number] = value >> 64, value & _LOW
    # A number is the first 53 of 64 bits, as an integer, times 2^-53: it is compared as that integer.
    _fill(words, scale, np.uint64(math.ceil(rate * 2.0**53) << 11), kept)


@intrinsic
def _step(typingctx, high, low, factor_high, factor_low, offset_high, offset_low):  # type: ignore[no-untyped-def]
    """The two words of factor * state + offset, modulo 2^128."""
    tuples: Any = types.UniTuple
    pair = tuples(types.uint64, 2)
    wide = ir.IntType(128)

    def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
        shift = ir.Constant(wide, 64)
        state, factor, offset = (
            builder.or_(builder.shl(builder.zext(args[k], wide), shift), builder.zext(args[k + 1], wide))
            for k in (0, 2, 4)
        )
        new = builder.add(builder.mul(state, factor), offset)
        words = [builder.trunc(value, ir.IntType(64)) for value in (builder.lshr(new, shift), new)]
        return context.make_tuple(builder, pair, words)

    return pair(*[types.uint64] * 6), emit


@compiled
def _output(high, low):  # type: ignore[no-untyped-def]
    """What a state gives: its words, xored, turned right by its first 6 bits."""
    word = high ^ low
    turn = high >> np.uint64(58)
    return (word >> turn) | (word << ((np.uint64(64) - turn) & np.uint64(63)))


@compiled
def _fill(words, scale, least, kept):  # type: ignore[no-untyped-def]
    h0, l0, h1, l1 = words[0, 0], words[0, 1], words[1, 0], words[1, 1]
    h2, l2, h3, l3 = words[2, 0], words[2, 1], words[3, 0], words[3, 1]
    fh, fl, oh, ol = words[4, 0], words[4, 1], words[5, 0], words[5, 1]
    dropped = kept - kept
    whole = scale.size // 4 * 4
    for i in range(0, whole, 4):
        scale[i] = kept if _output(h0, l0) >= least else dropped
        scale[i + 1] = kept if _output(h1, l1) >= least else dropped
        scale[i + 2] = kept if _output(h2, l2) >= least else dropped
        scale[i + 3] = kept if _output(h3, l3) >= least else dropped
        h0, l0 = _step(h0, l0, fh, fl, oh, ol)
        h1, l1 = _step(h1, l1, fh, fl, oh, ol)
        h2, l2 = _step(h2, l2, fh, fl, oh, ol)
        h3, l3 = _step(h3, l3, fh, fl, oh, ol)
    for i in range(whole, scale.size):
        scale[i] = kept if _output(h0, l0) >= least else dropped
        h0, l0, h1, l1, h2, l2 = h1, l1, h2, l2, h3, l3
