"""What pooling computes in a window, as LLVM functions: f(job, out, source, rows, first tap, last + 1).

    largest       y, and beside it which tap it is: the first of several, and -1 where it is NaN
    largest_back  dx: the sum of dy over the windows in which this tap was the one
    mean, mean_back  the sum over taps divided by how many there are, or by a number that is given
    ties          how many taps are equal to the number that stands beside the result
    ties_back     dx: dy where the number beside dy is the one beside dx, else 0

Vectors lie over the channels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from llvmlite import ir

from ..convolution.code import get, put, word
from ..convolution.drivers import Job
from ..emit.code import Code, Int, function
from ..emit.entry import Source, addresses
from ..emit.vec import Lanes
from ..jit import emitters

__all__ = ["POOLS", "Pools", "functions"]

POOLS = ("largest", "largest_back", "mean", "mean_back", "ties", "ties_back")

Body = Callable[[Code, Int, Int, Int, Any], Any]


@dataclass(frozen=True)
class Pools:
    """Writes the functions into a module."""

    lanes: Lanes

    def functions(self, module: ir.Module) -> list[ir.Function]:
        return [self._function(module, name, getattr(self, f"_{name}")) for name in POOLS]

    def _function(self, module: ir.Module, name: str, body: Body) -> ir.Function:
        """A loop over rows and vectors of channels; the body makes one vector of the result."""
        code = function(module, f"pooling_{name}", 6)
        job, out, source, rows = code.args[:4]
        lanes = self.lanes
        columns = word(code, job, Job.COLUMNS)
        with code.loop(0, rows) as row, code.loop(0, columns, lanes.count) as column:
            inside = code.lanes_below(columns - column, lanes.count)
            at = column * lanes.itemsize
            to = out + row * word(code, job, Job.OUT_ROW) + at
            here = source + row * word(code, job, Job.SOURCE_ROW) + at
            put(code, lanes, body(code, to, here, column, inside), to, inside)
        code.done()
        return code.f

    def _tap(self, code: Code, here: Int, tap: Int) -> Int:
        """Where what the tap meets stands."""
        return here + code.word(word(code, code.args[0], Job.OFFSETS) + tap * 8)

    def _largest(self, code: Code, to: Int, here: Int, column: Int, inside: Any) -> Any:
        job, _, _, _, tap0, tap1 = code.args
        lanes, b = self.lanes, code.b
        best, which = code.room(lanes.vector), code.room(lanes.vector)
        b.store(get(code, lanes, self._tap(code, here, tap0), inside), best)
        b.store(self._number(code, tap0), which)
        with code.loop(tap0 + 1, tap1) as tap:
            new, old = get(code, lanes, self._tap(code, here, tap), inside), b.load(best, typ=lanes.vector)
            # Comparisons with NaN are false: once there, it stays, and a new one is let through by itself.
            taken = b.or_(b.fcmp_ordered(">", new, old), b.fcmp_unordered("uno", new, new))
            b.store(b.select(taken, new, old), best)
            b.store(b.select(taken, self._number(code, tap), b.load(which, typ=lanes.vector)), which)
        made = b.load(best, typ=lanes.vector)
        none = lanes.vector([-1.0] * lanes.count)
        found = b.select(b.fcmp_unordered("uno", made, made), none, b.load(which, typ=lanes.vector))
        put(code, lanes, found, word(code, job, Job.OTHER) + (to - word(code, job, Job.OUT)), inside)
        return made

    def _largest_back(self, code: Code, to: Int, here: Int, column: Int, inside: Any) -> Any:
        job, _, _, _, tap0, tap1 = code.args
        lanes, b = self.lanes, code.b
        beside = word(code, job, Job.OTHER) - word(code, job, Job.START)
        zero = lanes.vector([0.0] * lanes.count)
        total = code.room(lanes.vector)
        b.store(zero, total)
        with code.loop(tap0, tap1) as tap:
            place = self._tap(code, here, tap)
            owed, which = get(code, lanes, place, inside), get(code, lanes, place + beside, inside)
            mine = self._number(code, code.word(word(code, job, Job.STEPS) + tap * 8))
            share = b.select(b.fcmp_ordered("==", which, mine), owed, zero)
            b.store(b.fadd(b.load(total, typ=lanes.vector), share), total)
        return b.load(total, typ=lanes.vector)

    def _mean(self, code: Code, to: Int, here: Int, column: Int, inside: Any) -> Any:
        tap0, tap1 = code.args[4:]
        return code.b.fdiv(self._total(code, here, inside), self._number(code, tap1 - tap0))

    def _mean_back(self, code: Code, to: Int, here: Int, column: Int, inside: Any) -> Any:
        total = self._total(code, here, inside)
        return code.b.fdiv(total, self._number(code, word(code, code.args[0], Job.DEPTH)))

    def _ties(self, code: Code, to: Int, here: Int, column: Int, inside: Any) -> Any:
        job, _, _, _, tap0, tap1 = code.args
        lanes, b = self.lanes, code.b
        sought = get(code, lanes, word(code, job, Job.OTHER) + (to - word(code, job, Job.OUT)), inside)
        one, zero = (lanes.vector([number] * lanes.count) for number in (1.0, 0.0))
        total = code.room(lanes.vector)
        b.store(zero, total)
        with code.loop(tap0, tap1) as tap:
            same = b.fcmp_ordered("==", get(code, lanes, self._tap(code, here, tap), inside), sought)
            b.store(b.fadd(b.load(total, typ=lanes.vector), b.select(same, one, zero)), total)
        return b.load(total, typ=lanes.vector)

    def _ties_back(self, code: Code, to: Int, here: Int, column: Int, inside: Any) -> Any:
        job, lanes, b = code.args[0], self.lanes, code.b
        sought = get(code, lanes, here + (word(code, job, Job.OTHER) - word(code, job, Job.START)), inside)
        met = get(code, lanes, word(code, job, Job.BESIDE) + (to - word(code, job, Job.OUT)), inside)
        zero = lanes.vector([0.0] * lanes.count)
        return b.select(b.fcmp_ordered("==", met, sought), get(code, lanes, here, inside), zero)

    def _total(self, code: Code, here: Int, inside: Any) -> Any:
        lanes = self.lanes
        tap0, tap1 = code.args[4:]
        total = code.room(lanes.vector)
        code.b.store(lanes.vector([0.0] * lanes.count), total)
        with code.loop(tap0, tap1) as tap:
            vector = get(code, lanes, self._tap(code, here, tap), inside)
            code.b.store(code.b.fadd(code.b.load(total, typ=lanes.vector), vector), total)
        return code.b.load(total, typ=lanes.vector)

    def _number(self, code: Code, whole: Int) -> Any:
        """A whole number in all lanes."""
        return code.spread(code.b.sitofp(whole.value, self.lanes.scalar), self.lanes.count)


@lru_cache(maxsize=16)
def functions(lanes: Lanes) -> dict[str, int]:
    """Addresses of the functions of `Pools`, by name."""
    source = Source(f"pooling,{lanes.dtype},{lanes.count}#{emitters()}", Pools(lanes).functions, len(POOLS))
    return dict(zip(POOLS, addresses(source), strict=True))
