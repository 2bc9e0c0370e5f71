"""What a convolution's kernels need that depends on shapes alone: which steps meet which taps, tiles, chunks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import gcd

from ..textbook.convolution import Window
from .place import Launch

__all__ = ["Chunks", "Shape", "Sweep", "Way"]

_DEPTH, _APART, _SINGLE = 16, 4, 256  # as in sources/convolution.cuh
_TILES = {"wide": (64, 64), "narrow": (128, 16), "flat": (16, 128)}  # rows and columns of a tile of 128 threads
_THREADS = 128
_FEW = 16  # columns or rows for which a tile of that many is enough; and channels x filters of a group that is small
_BLOCKS = 512  # that dW is cut into by rows, where it has fewer tiles: they keep a GPU of any size busy
_LEAST = 256, 64  # rows of a chunk, for tiles and for small groups


@dataclass(frozen=True)
class Shape:
    """x (B, T, C), y (B, N, O)."""

    B: int
    T: int
    C: int
    N: int
    O: int
    window: Window
    groups: int

    @property
    def small(self) -> bool:
        """Whether groups have so few channels and filters that a tile of them would be empty."""
        numbers = (self.C // self.groups) * (self.O // self.groups)
        return self.groups > 1 and numbers <= _FEW


@dataclass(frozen=True)
class Way:
    """Rows first, first + step, ... of the result, and the taps that meet them; shifts: what a tap adds to the step."""

    first: int
    rows: int
    taps: range
    shifts: tuple[int, ...]


@dataclass(frozen=True)
class Sweep:
    """y from x, or dx from dy, see sources/convolution_sums.cuh."""

    shape: Shape
    back: bool

    @cached_property
    def ways(self) -> tuple[Way, ...]:
        """For y one. For dx one for each remainder of a step by the stride: t is met by the taps j for which
        n = (t + left - j d) / s is whole."""
        window, k = self.shape.window, self.shape.window.size
        s, d = window.stride, window.dilation
        if not self.back:
            return (Way(0, self.shape.N, range(k), tuple(j * d - window.left for j in range(k))),)
        found, apart = [], s // gcd(s, d)
        for first in range(min(s, self.shape.T)):
            start = next((j for j in range(min(k, apart)) if (first + window.left - j * d) % s == 0), k)
            taps = range(start, k, apart)
            shifts = tuple((first + window.left - j * d) // s for j in taps)
            found.append(Way(first, -(-(self.shape.T - first) // s), taps, shifts))
        return tuple(found)

    @property
    def sizes(self) -> tuple[int, int]:
        """Columns and depth: numbers of a group in the result, and in what it is made of."""
        C, O, G = self.shape.C, self.shape.O, self.shape.groups
        return (C // G, O // G) if self.back else (O // G, C // G)

    @cached_property
    def head(self) -> tuple[int, ...]:
        shape, (columns, depth) = self.shape, self.sizes
        s = shape.window.stride
        moves = (1, shape.N, shape.T, s) if self.back else (s, shape.T, shape.N, 1)
        return shape.B, columns, depth, shape.groups, *moves

    @cached_property
    def tail(self) -> tuple[int, ...]:
        """The ways and their shifts."""
        columns, depth = self.sizes
        words: list[int] = []
        shifts: list[int] = []
        panel = 0
        for way in self.ways:
            words += [way.first, way.rows, len(way.taps), 5 * len(self.ways) + len(shifts), panel]
            shifts += way.shifts
            panel += self.shape.groups * len(way.taps) * depth * columns
        return *words, *shifts

    def launch(self, itemsize: int) -> Launch:
        columns, G = self.sizes[0], self.shape.groups
        rows = self.shape.B * max(way.rows for way in self.ways)
        if self.shape.small:
            return Launch("sums_apart", (-(-rows * G * columns // _SINGLE), len(self.ways)), _SINGLE, 0)
        tile = "narrow" if columns <= _FEW else "wide"
        return _launch(f"sums_{tile}", tile, rows, columns, G, len(self.ways), itemsize)


@dataclass(frozen=True)
class Chunks:
    """dW by chunks of rows, see sources/convolution_gradients.cuh. blocks: how many there are to be, about."""

    shape: Shape
    blocks: int = _BLOCKS

    @cached_property
    def shifts(self) -> tuple[int, ...]:
        window = self.shape.window
        return tuple(j * window.dilation - window.left for j in range(window.size))

    @property
    def sizes(self) -> tuple[int, int]:
        """Rows and columns of a group's dW as a matrix."""
        shape = self.shape
        return shape.window.size * (shape.C // shape.groups), shape.O // shape.groups

    @property
    def tile(self) -> str:
        rows, columns = self.sizes
        return "apart" if self.shape.small else "flat" if rows <= _FEW else "narrow" if columns <= _FEW else "wide"

    @cached_property
    def rows(self) -> int:
        """Of a chunk. It depends on nothing but shapes, so that sums do not depend on the GPU."""
        all_rows = self.shape.B * self.shape.N
        blocks = self.launch(1, 1).blocks[0]
        wanted = max(1, min(self.blocks // blocks, -(-all_rows // _LEAST[self.shape.small])))
        return max(_DEPTH, -(-all_rows // wanted))

    @property
    def count(self) -> int:
        return -(-self.shape.B * self.shape.N // self.rows)

    @cached_property
    def head(self) -> tuple[int, ...]:
        shape = self.shape
        C, O, G = shape.C, shape.O, shape.groups
        return shape.B, O // G, C // G, G, shape.window.stride, shape.T, shape.N, shape.window.size, self.rows

    def launch(self, chunks: int, itemsize: int) -> Launch:
        rows, columns = self.sizes
        if self.tile == "apart":
            return Launch("part_apart", (-(-rows * self.shape.O // _SINGLE), chunks), _SINGLE, 0)
        return _launch(f"part_{self.tile}", self.tile, rows, columns, self.shape.groups, chunks, itemsize)


def _launch(kernel: str, tile: str, rows: int, columns: int, groups: int, others: int, itemsize: int) -> Launch:
    height, width = _TILES[tile]
    blocks = -(-rows // height) * -(-columns // width) * groups
    return Launch(kernel, (blocks, others), _THREADS, _DEPTH * (height + _APART + width) * itemsize)
