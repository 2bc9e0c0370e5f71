"""What a call of a compiled convolution needs that depends on shapes alone: made once, used by every call of the shape.

dx is a convolution of dy: row t of it is met by the taps j for which (t + left - j d) / s is a whole number n, and n an
output step. With a stride s every s-th row of dx has the same taps, so there are s such convolutions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ...textbook.convolution import Window
from .. import machine
from ..emit.entry import Source, addresses
from ..emit.vec import Lanes
from ..jit import emitters
from ..words import Words
from .gradients import GRADIENT_NAMES, Gradients
from .table import Operand, Sweep, Table, kind, ways_back
from .tiles import NAMES, Sums

__all__ = ["BackwardPlan", "ForwardPlan", "Shape", "backward_plan", "forward_plan", "functions"]

_FORWARD = ("work", "W", "x", "b", "y")
_BACKWARD = ("work", "W", "x", "dy", "dx", "made")

_LEAST = 48  # rows of a piece below which edges and calls cost too much
_EVEN = 16  # pieces for each thread that make their shares about equal


@dataclass(frozen=True)
class Shape:
    """Of a call. lanes, registers: of the compiled form; parts: threads; line, apart: bytes between two steps of x and
    of dy, and between two rows of their batch."""

    lanes: Lanes
    registers: int
    B: int
    T: int
    C: int
    O: int
    window: Window
    groups: int
    parts: int
    x: tuple[int, int]
    dy: tuple[int, int] = (0, 0)

    @property
    def N(self) -> int:
        return self.window.outputs(self.T)

    @property
    def size(self) -> int:
        """Bytes of a number."""
        return self.lanes.itemsize

    @property
    def pieces(self) -> int:
        """How many pieces each row of the batch is cut into: small enough for the cache, and enough for all threads."""
        pieces = -(-self.N * (self.C + self.O) * self.size // (machine.cache_bytes(2) // 2))
        if self.parts > 1 and self.B % self.parts:
            pieces = max(pieces, -(-_EVEN * self.parts // self.B))
        return max(1, min(pieces, self.N // _LEAST))


@lru_cache(maxsize=16)
def functions(lanes: Lanes, registers: int, back: bool) -> dict[str, int]:
    """Addresses of the functions of `Sums`, or with `back` of `Gradients`, by name."""
    writer: Any = Gradients if back else Sums
    names = GRADIENT_NAMES if back else NAMES
    key = f"convolution,{back},{lanes.dtype},{lanes.count},{registers}#{emitters()}"
    source = Source(key, writer(lanes, registers).functions, len(names))
    return dict(zip(names, addresses(source), strict=True))


def _forward_sweep(shape: Shape) -> Sweep:
    window, size = shape.window, shape.size
    per_tap = shape.C // shape.groups * shape.O * size
    return Sweep(
        shape.N, window.stride, window.left, shape.T, window.dilation, tuple(j * per_tap for j in range(window.size)),
        across=size, inner=shape.O * size, group=shape.O // shape.groups * size,
    )  # fmt: skip


def _backward_sweeps(shape: Shape) -> list[tuple[int, Sweep]]:
    """For every way back its first row, and the convolution of dy that writes its rows."""
    size, per_tap = shape.size, shape.C // shape.groups * shape.O * shape.size
    return [
        (
            way.first,
            Sweep(
                way.rows, 1, way.left, shape.N, way.dilation, tuple(j * per_tap for j in way.taps),
                across=shape.O * size, inner=size, group=shape.O // shape.groups * size,
            ),
        )
        for way in ways_back(shape.window, shape.T)
    ]  # fmt: skip


def _begun(shape: Shape, bases: tuple[str, ...]) -> tuple[Table, int]:
    """An empty table, and the address of as many zeros as any row of a result has numbers."""
    table = Table(shape.lanes, bases)
    return table, table.words.of(np.zeros(max(shape.C, shape.O), shape.lanes.dtype))


class ForwardPlan:
    """words: of the table; work: bytes of scratch; zeros: the address of a bias that is none."""

    words: Words

    def __init__(self, shape: Shape) -> None:
        table, self.zeros = _begun(shape, _FORWARD)
        depth, columns = shape.C // shape.groups, shape.O // shape.groups
        name = kind(shape.lanes, shape.window.size, depth, columns, shape.groups)
        found = functions(shape.lanes, shape.registers, False)
        row = shape.O * shape.size
        jobs = table.sweep(
            _forward_sweep(shape), name, found[name], Operand("x", *shape.x), Operand("y", row, shape.N * row), 0,
            (0, "b"), depth, columns, shape.groups,
        )  # fmt: skip
        table.done(PARTS=shape.parts, BATCH=shape.B, PIECES=shape.pieces, SUMS=jobs, PACK=found["pack"])
        self.words, self.work = table.words, table.room.size


class BackwardPlan:
    """words, work: see `ForwardPlan`.

    dx      whether there are jobs for dL/dx
    made    how many numbers each part adds up: dW, and behind it at `bias` db
    turned  whether dW is (G, k, O / G, C / G); else it is (G, k, C / G, O / G)
    """

    words: Words

    def __init__(self, shape: Shape, dx: bool) -> None:
        table, zeros = _begun(shape, _BACKWARD)
        G, size = shape.groups, shape.size
        depth, columns = shape.C // G, shape.O // G
        name = kind(shape.lanes, shape.window.size, columns, depth, G)
        found = functions(shape.lanes, shape.registers, False) | functions(shape.lanes, shape.registers, True)
        row, jobs = shape.C * size, 0
        for first, sweep in _backward_sweeps(shape) if dx else ():
            out = Operand("dx", shape.window.stride * row, shape.T * row)
            jobs += table.sweep(
                sweep, name, found[name], Operand("dy", *shape.dy), out, first * row, zeros, columns, depth, G
            )
        self.bias = shape.window.size * depth * shape.O
        self.made = self.bias + shape.O
        self._shape, self._table, self._found = shape, table, found
        self.apart = name == "apart"
        self.turned = (
            not self.apart and -(-columns // shape.lanes.count) * depth > -(-depth // shape.lanes.count) * columns
        )
        sums = self._gradients() + self._bias()
        table.done(PARTS=shape.parts, BATCH=shape.B, PIECES=shape.pieces, SUMS=jobs, GRADIENTS=sums, PACK=found["pack"])
        self.words, self.work = table.words, table.room.size

    def _gradients(self) -> int:
        """The jobs of dW, one for each group."""
        shape, words = self._shape, self._table.words
        G, size, window = shape.groups, shape.size, shape.window
        depth, columns = shape.C // G, shape.O // G
        segments, line = _forward_sweep(shape).segments, shape.x[0]
        steps = np.arange(window.size, dtype=np.int64) * (window.dilation * line)
        if self.apart:
            name, offsets, depth, columns, G = "parted", steps, 1, shape.C, 1
        elif self.turned:
            name, offsets = "turned", np.arange(columns, dtype=np.int64) * size
        else:
            name, offsets = "summed", (steps[:, None] + np.arange(depth) * size).ravel()
        height, width = (columns, depth) if self.turned else (depth, columns)
        common: dict[str, Any] = {
            "FUNCTION": self._found[name], "ROWS": shape.N, "SEGMENTS": words.of(segments),
            "SEGMENT_COUNT": len(segments), "SOURCE_ROW": window.stride * line, "SOURCE_BATCH": shape.x[1],
            "OFFSETS": words.of(offsets), "STEPS": words.of(steps), "DEPTH": height, "COLUMNS": width,
            "OUT_ROW": width * size, "COPY": self.made * size, "OTHER_ROW": shape.dy[0], "OTHER_BATCH": shape.dy[1],
        }  # fmt: skip
        for g in range(G):
            self._table.job(
                **common, SOURCE=(g * depth * size - window.left * line, "x"), OTHER=(g * columns * size, "dy"),
                OUT=(g * window.size * depth * columns * size, "made"),
            )  # fmt: skip
        return G

    def _bias(self) -> int:
        """The job of db: the sum over rows of 1 dy[row, o]. It is wanted even without a bias, see `convolution`."""
        shape, words = self._shape, self._table.words
        self._table.job(
            FUNCTION=self._found["summed"], ROWS=shape.N, SEGMENTS=words.of(np.array([0, shape.N, 0, 1], np.int64)),
            SEGMENT_COUNT=1, SOURCE=words.of(np.ones(1, shape.lanes.dtype)), OFFSETS=words.of(np.zeros(1, np.int64)),
            DEPTH=1, COLUMNS=shape.O, OUT=(self.bias * shape.size, "made"), OUT_ROW=shape.O * shape.size,
            COPY=self.made * shape.size, OTHER=(0, "dy"), OTHER_ROW=shape.dy[0], OTHER_BATCH=shape.dy[1],
        )  # fmt: skip
        return 1


@lru_cache(maxsize=64)
def forward_plan(shape: Shape) -> ForwardPlan:
    return ForwardPlan(shape)


@lru_cache(maxsize=64)
def backward_plan(shape: Shape, dx: bool) -> BackwardPlan:
    return BackwardPlan(shape, dx)
