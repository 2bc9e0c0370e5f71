"""One step at a time at the price of one C call: the weights are laid out once, and the table of the call is made once.

There are two places for every state. A step reads one and writes the other, so there are two tables, which differ in
where the states begin and in the sign of the way to the new one; a step is the call of the driver with one of them.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache

import numpy as np

from ..checks import check_call
from ..contract import Cell
from ..types import Array
from .drivers import pack, ranges, step, word
from .jit import c_function, compiled
from .parallel import threads
from .parallel.atomics import flush_denormals, load, restore_denormals
from .plan import CALL, Shape, forward_plan
from .programs import Compiled, compiled_cell, width
from .recurrence import scratch
from .split import Split, choose
from .table import Slot
from .words import address

__all__ = ["CompiledSteps"]

_LINE = 64
_BRIEF = 1e6  # multiply-adds of a step, some ten microseconds, up to which other Python threads are kept waiting
_SINGLE, _DOUBLE = 0x7F800000, 0x7FF0000000000000  # the exponent's bits: all of them in infinity and NaN

_keeping = ctypes.PYFUNCTYPE(ctypes.c_int64)
_giving = ctypes.CFUNCTYPE(ctypes.c_int64)


@compiled
def finite(at, count, itemsize):  # type: ignore[no-untyped-def]
    """1 where `count` floats from an address on, a multiple of 8, are finite, else 0. Reads whole words of 8 bytes."""
    bad = 0
    if itemsize == 8:
        for k in range(count):
            bad |= (load(at + 8 * k) & _DOUBLE) == _DOUBLE
        return 1 - bad
    for k in range(count >> 1):
        w = load(at + 8 * k)
        bad |= ((w & _SINGLE) == _SINGLE) | (((w >> 32) & _SINGLE) == _SINGLE)
    if count & 1:
        bad |= (load(at + 8 * (count >> 1)) & _SINGLE) == _SINGLE
    return 1 - bad


@compiled
def share_of_rows(table, part):  # type: ignore[no-untyped-def]
    """One step of a part's rows."""
    mode = flush_denormals()
    r0, r1, w0, w1 = ranges(table, part)
    step(table, 0, 0, part, r0, r1, w0, w1)
    restore_denormals(mode)


@compiled
def run_step(table):  # type: ignore[no-untyped-def]
    """One step in this thread; returns whether the new h is finite."""
    share_of_rows(table, 0)
    width = word(table, Slot.LINE) // word(table, Slot.UNITS)
    new = word(table, Slot.MET) + word(table, Slot.H_STEP)
    return finite(new, word(table, Slot.ROWS) * word(table, Slot.UNITS), width)


@compiled
def look_at_x(table):  # type: ignore[no-untyped-def]
    """Whether the step that lies ready is finite."""
    count = word(table, Slot.ROWS) * word(table, Slot.FEATURES)
    return finite(word(table, Slot.X), count, word(table, Slot.LINE) // word(table, Slot.UNITS))


@compiled
def lay_out(table, part):  # type: ignore[no-untyped-def]
    pack(table, part)


@lru_cache(maxsize=4)
def _address(which: str) -> int:
    asking = {"run_step": run_step, "look_at_x": look_at_x}
    if which in asking:
        return c_function(asking[which], "int64(int64)")
    return c_function({"lay_out": lay_out, "share_of_rows": share_of_rows}[which], "void(int64, int64)")


class CompiledSteps:
    """What `Steps` is, for calls that the compiled kernel takes.

    A step of many rows is divided among threads as `split.choose` says; a step of few runs in the calling thread.
    Raises ValueError for weights and a state that do not belong together.
    """

    finite, quiet = False, True

    def __init__(self, cell: Cell, weights: dict[str, Array], state0: dict[str, Array]) -> None:
        W, U = weights["W"], weights["U"]
        (features, _), units, dtype = W.shape, U.shape[0], W.dtype
        rows = len(state0["h"])
        self._x = np.zeros(rows * features + 1, dtype)[:-1].reshape(
            rows, features
        )  # one more: words of 8 bytes are read
        check_call(cell, weights, self._x[None], state0)
        program = compiled_cell(cell, str(dtype), width(str(dtype), units))
        split = choose(cell, 1, rows, features, units, dtype.itemsize, program.lanes.count)
        if split.by_units:
            split = Split(1, False, "one step is too short to meet in")
        self._parts = split.parts
        plan = forward_plan(program, Shape(1, rows, features, units, tuple(weights), True, False), split, False)
        self._mask, self._masked = np.ones(rows, bool), False
        place = -(-rows * units * dtype.itemsize // _LINE) * _LINE
        block, begin = scratch(2 * place * len(cell.state))
        self._states = [
            {
                name: np.ndarray((rows, units), dtype, block, begin - address(block) + (2 * k + at) * place)
                for k, name in enumerate(cell.state)
            }
            for at in (0, 1)
        ]
        work, start = scratch(plan.work)
        rest = np.empty(plan.rest or 1, np.uint8)
        laid = {name: np.ascontiguousarray(w) for name, w in weights.items()}
        self._h, self._dtype = [states["h"] for states in self._states], dtype
        first = address(self._h[0])
        given = {
            "work": start, "x": address(self._x), "x_step": 0, "x_row": self._x.strides[0],
            "mask": address(self._mask), "drop": 0, "h": first, "met": first, "rest": address(rest),
        }  # fmt: skip
        words = plan.words.made((*(given[name] for name in CALL), *map(address, laid.values()), plan.zeros))
        words[Slot.PARTS] = 1  # there is nobody to share the laying out with
        threads.function(_address("lay_out"))(address(words), 0)
        words[Slot.PARTS] = split.parts
        self._tables = [self._table(words, program, at, place) for at in (0, 1)]
        self._begins = [address(table) for table in self._tables]
        kind = _keeping if rows * (features + units) * U.shape[1] <= _BRIEF else _giving
        self._call, self._look = kind(_address("run_step")), _keeping(_address("look_at_x"))
        self._arguments = [ctypes.c_void_p(begin) for begin in self._begins]
        self._held = block, work, rest, plan
        self._at = 0
        self.state = state0

    def _table(self, words: Array, program: Compiled, at: int, place: int) -> Array:
        """For the step that begins at place `at` of the states."""
        table = words.copy()
        table[Slot.H_STEP] = table[Slot.STATE_STEP] = place if at == 0 else -place
        table[Slot.MET] = address(self._states[at]["h"])
        for name, state in self._states[at].items():
            table[program.forward_layout.of[f"s.{name}"]] = address(state)
        return table

    def step(self, x: Array, mask: Array | None = None) -> Array:
        """See `Steps.step`. Raises TypeError for x of numbers that are none of the stream's, such as complex ones."""
        if x.dtype is not self._dtype and not np.can_cast(x.dtype, self._dtype, "same_kind"):
            raise TypeError(f"a stream of {self._dtype} takes no steps of {x.dtype}")
        self._x[...] = x
        if mask is not None:
            self._mask[...] = mask
            self._masked = True
        elif self._masked:
            self._mask[...] = True
            self._masked = False
        at = self._at
        if self._parts == 1:
            self.finite = self._call(self._arguments[at]) == 1
        else:
            with threads.team(self._parts) as team:
                team.run(_address("share_of_rows"), self._begins[at], self._parts)
        self._at = at = 1 - at
        return self._h[at].copy()

    def takes_finite(self, x: Array) -> bool:
        """See `Steps.takes_finite`; x of the stream's own dtype."""
        self._x[...] = x
        return self._look(self._arguments[0]) == 1

    @property
    def state(self) -> dict[str, Array]:
        """By name, (B, H): copies, on the way out and on the way in."""
        return {name: value.copy() for name, value in self._states[self._at].items()}

    @state.setter
    def state(self, state: dict[str, Array]) -> None:
        for name, value in self._states[self._at].items():
            value[...] = state[name]
