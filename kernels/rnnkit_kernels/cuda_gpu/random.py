"""Random numbers on a GPU: those that NumPy's default generator would draw, bit for bit, each made in its place."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from ..elementwise import Elementwise
from ..pcg64 import powers, taken
from ..types import Array
from .place import Launch, Place
from .words import real_of, word_of_double, words_of

__all__ = ["dropout", "uniform"]

_TEXTBOOK = Elementwise()
_THREADS, _EACH = 256, 16  # as in sources/pcg64.cuh


def dropout(place: Place, rng: np.random.Generator, shape: tuple[int, ...], rate: float, dtype: Any) -> Array:
    """See `Elementwise.dropout`. A generator that is not NumPy's default one draws on the host, and its numbers are
    copied."""
    dtype = np.dtype(dtype)
    real_of("dropout", dtype)
    if not _default(rng):
        return place.xp.asarray(_TEXTBOOK.dropout(rng, shape, rate, dtype))
    # A number is the first 53 of 64 bits, as an integer, times 2^-53: it is compared as that integer.
    least = math.ceil(rate * 2.0**53) << 11
    return _drawn(place, rng, shape, dtype, "dropout_scale", least, float(dtype.type(1) / dtype.type(1 - rate)))


def uniform(place: Place, rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Array:
    """`rng.random(shape)`, cast; numbers that are no floats of 4 or 8 bytes, and other generators, as in `dropout`."""
    dtype = np.dtype(dtype)
    real_of("random numbers", dtype)
    if not _default(rng):
        return place.xp.asarray(rng.random(shape).astype(dtype, copy=False))
    return _drawn(place, rng, shape, dtype, "uniform", 0, 0.0)


def _default(rng: np.random.Generator) -> bool:
    return type(getattr(rng, "bit_generator", None)) is np.random.PCG64


def _drawn(
    place: Place, rng: np.random.Generator, shape: tuple[int, ...], dtype: Any, kernel: str, least: int, kept: float
) -> Array:
    out = place.xp.empty(shape, dtype)
    if out.size == 0:
        return out
    begin, increment = taken(rng, out.size)
    words = [*words_of(begin), out.size, words_of(least)[1], word_of_double(kept), place.address(out)]
    table = place.table([*words, *_leaps(increment)])
    module = place.module(real_of(kernel, dtype), "pcg64.cuh", "", "draw")
    module.repeat([Launch(kernel, (-(-out.size // (_THREADS * _EACH)), 1), _THREADS, 0)], table, 1)
    return out


@lru_cache(maxsize=16)
def _leaps(increment: int) -> tuple[int, ...]:
    return tuple(word for pair in powers(increment) for number in pair for word in words_of(number))
