"""Whether padding is finite.

Nothing that stands in padding is let through, but for one thing: the gradient of W is a sum of x times gradient
columns over all rows and steps; those of padding are zeros, and zero times NaN or infinity is NaN. Only then x has to
be copied.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from llvmlite import ir

from ..types import Array
from . import machine
from .emit.code import function
from .emit.entry import Source, addresses
from .emit.vec import Lanes
from .jit import compiled, emitters
from .parallel.atomics import call
from .words import address

__all__ = ["finite_padding"]


def finite_padding(x: Array, mask: Array) -> bool:
    """Whether x (T, B, F), its last axis contiguous, holds no NaN and no infinity where mask (T, B), contiguous, is
    False. float32 or float64."""
    T, B, F = x.shape
    lanes = Lanes(x.dtype.name, machine.lanes(x.dtype))
    found = np.empty(lanes.count, x.dtype)
    _call(_address(lanes), address(x), *x.strides[:2], T, B, F, address(mask), address(found))
    return bool((found == 0).all())


@compiled
def _call(f, x, x_step, x_row, T, B, F, mask, to):  # type: ignore[no-untyped-def]
    call(f, x, x_step, x_row, T, B, F, mask, to)


@lru_cache(maxsize=4)
def _address(lanes: Lanes) -> int:
    key = f"padding,{lanes.dtype},{lanes.count}#{emitters()}"
    return addresses(Source(key, lambda module: [_zeros_or_nan(module, lanes)], 1))[0]


def _zeros_or_nan(module: ir.Module, lanes: Lanes) -> ir.Function:
    """f(x, bytes of a step, bytes of a row, T, B, F, mask, to): a vector, the sums of 0 x over what is in padding."""
    code = function(module, "padding", 8)
    x, x_step, x_row, T, B, F, mask, to = code.args
    byte, zero = ir.IntType(8), lanes.vector([0.0] * lanes.count)
    total = code.room(lanes.vector)
    code.b.store(zero, total)
    with code.loop(0, T) as t, code.loop(0, B) as row:
        live = code.load(mask + t * B + row, byte)
        with code.when(code.b.icmp_unsigned("==", live, byte(0))):
            start = x + t * x_step + row * x_row
            with code.loop(0, F, lanes.count) as at:
                inside = code.lanes_below(F - at, lanes.count)
                value = code.masked_load(start + at * lanes.itemsize, lanes.vector, inside, lanes.itemsize)
                code.b.store(code.fma(value, zero, code.b.load(total, typ=lanes.vector)), total)
    code.store(code.b.load(total, typ=lanes.vector), to, align=lanes.itemsize)
    code.done()
    return code.f
