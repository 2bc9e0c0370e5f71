"""Which part of a step a block takes, for the kernels of single levels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...levels import Level
from ..words import Rounding

__all__ = ["ROOM", "Tile", "tile_of"]

ROOM = 227 << 10  # bytes of shared memory that a block may have on a Hopper GPU; others have down to 64 KB
_DEPTH, _PAD_LEFT, _PAD_RIGHT = 32, 4, 8  # as in `sources/pieces.cuh`
_STAGES, _FEWEST_STAGES, _MOST_STAGES = 3, 2, 8
_ROWS = (8, 16, 32)  # of a tile, without tensor cores
_BLOCKS = 128  # about as many as a large GPU has multiprocessors

_TENSOR_ROWS, _TENSOR_UNITS = (16, 32, 64, 128), (8, 16, 32, 64)
_NUMBERS = 64  # that are summed for a row of a tile; units have no less than 8
_PROCESSORS = 132  # of an H200
_ON_THEIR_WAY = 32 << 10  # bytes that a multiprocessor asks for before it waits


@dataclass(frozen=True)
class Tile:
    """columns, rows_each, units_each: of a thread; across, down: threads over units and over rows; stages: how many
    pieces of a product are there or on their way; see `sources/level.cuh` and `sources/pieces.cuh`."""

    columns: int
    rows_each: int
    units_each: int
    across: int = 16
    down: int = 8
    rounding: Rounding = None
    stages: int = _STAGES

    @property
    def rows(self) -> int:
        return self.down * self.rows_each

    @property
    def units(self) -> int:
        return self.across * self.units_each

    @property
    def threads(self) -> int:
        return self.across * self.down

    @property
    def pairs(self) -> bool:
        """Whether products are made of pairs of numbers."""
        return self.rounding == "bf16"

    def struct(self, name: str) -> str:
        sizes = {
            "columns": max(1, self.columns), "rows_each": self.rows_each, "units_each": self.units_each,
            "across": self.across, "down": self.down, "rows": self.rows, "units": self.units, "stages": self.stages,
        }  # fmt: skip
        members = ", ".join(f"{key} = {value}" for key, value in sizes.items())
        flags = {"tensor": self.rounding is not None, "pairs": self.pairs}
        told = ", ".join(f"{key} = {'true' if value else 'false'}" for key, value in flags.items())
        word = f"using Word = {'unsigned' if self.pairs else 'real'};"
        return f"struct {name} {{\n  static constexpr int {members};\n  static constexpr bool {told};\n  {word}\n}};"

    def shared(self, itemsize: int) -> int:
        """Bytes of shared memory that the products take."""
        numbers = self.units * max(1, self.columns)
        pad = 0 if self.rounding and numbers % 16 == 8 else _PAD_RIGHT
        pieces = self.stages * (self.rows * (_DEPTH + _PAD_LEFT) + _DEPTH * (numbers + pad))
        return max(pieces, self.rows * (numbers + _PAD_LEFT)) * itemsize


def tile_of(
    level: Level, rows: int, units: int, rounding: Rounding = None, itemsize: int = 4, room: int = ROOM
) -> Tile:
    """The largest tile of which there are enough to keep a large GPU busy, or the smallest.

    With four numbers of the panel a thread, as many products are made of each number of the left side. Tensor cores
    leave nothing to do but to read: see `_least_read`.

    itemsize  bytes of a number;  room: bytes of shared memory that a block may have
    Raises ValueError where no tile has room.
    """
    columns = len(level.columns)
    if not columns:
        return Tile(0, 1, 1)
    if rounding:
        return _least_read(level, rows, units, rounding, room)
    found = None
    for tile in _exact_tiles(columns):
        if tile.shared(itemsize) <= room and (found is None or tile.stages == _STAGES):
            found = tile
            if -(-rows // tile.rows) * -(-units // tile.units) >= _BLOCKS and tile.rows < 2 * rows:
                break
    if found is None:
        raise ValueError(
            f"a product of {columns} columns takes {tile.shared(itemsize)} bytes of shared memory in numbers of "
            f"{itemsize} bytes, and a block of this GPU may have {room}: take float32, or backend='auto'"
        )
    return found


def _exact_tiles(columns: int) -> Iterator[Tile]:
    """From large to small; last of all one that asks for less ahead."""
    for height in reversed(_ROWS):
        yield Tile(columns, height // 8, max(1, 4 // columns))
    yield Tile(columns, 1, max(1, 4 // columns), stages=_FEWEST_STAGES)


def _least_read(level: Level, rows: int, units: int, rounding: Rounding, room: int) -> Tile:
    """The tile with which the busiest multiprocessor reads least in a step.

    A block reads its rows of the left side and its part of the panel, both as long as the product is, and shares
    neither with other blocks: what all read together is the left side as often as there are tiles across, and the panel
    as often as there are tiles below each other. Fewer and larger tiles read less in all; with fewer than there are
    multiprocessors, some read nothing and the others more. An LSTM's step there at B = 128, H = 1024, of which a block
    reads 1024 (rows + 4 units) numbers, in MB:

        rows x units   blocks   a block, fp32   all, fp32   all, bf16   the busiest multiprocessor, fp32
            32 x 8        512            0.26         134          67                               1.05
            64 x 8        256            0.39         101          50                               0.79
           128 x 8        128            0.66          84          42                               0.66
            64 x 16       128            0.52          67          34                               0.52
           128 x 16        64            0.79          50          25                               0.79
    """
    products = [product for product in level.products if product.operand != "x"]

    def read(tile: Tile) -> tuple[int, int]:
        across, below = -(-units // tile.units), -(-rows // tile.rows)
        wide = min(units, tile.units)
        block = sum(min(rows, tile.rows) + wide * (product.last - product.first) for product in products)
        return -(-across * below // _PROCESSORS) * block, across * below * block

    tiles = _tensor_tiles(len(level.columns), rounding)
    return min((tile for tile in tiles if tile.shared(4) <= room), key=read)


def _tensor_tiles(columns: int, rounding: Rounding) -> Iterator[Tile]:
    """Tiles of a multiple of 8 units and of 16 rows, from small to large.

    256 threads, two warps for each of a multiprocessor's four schedulers, or 512 where a thread would own more than 16
    sums. A block is often alone on its multiprocessor, so it asks for some pieces ahead, more of them where they are
    small. A piece is 32 words long whatever a word holds: of bf16 that is 64 numbers, as many bytes as 32 numbers of
    TF32, and so are the steps that a warp makes between two meetings of the block.
    """
    for rows in _TENSOR_ROWS:
        for units in _TENSOR_UNITS:
            if units * columns > max(_NUMBERS, 8 * columns):
                continue
            across = min(units, 32)
            down = (256 if rows * units * columns <= 256 * 16 else 512) // across
            down = min(down, rows)
            piece = (rows + units * columns) * _DEPTH * 4
            stages = max(_STAGES, min(_MOST_STAGES, 1 + -(-_ON_THEIR_WAY // piece)))
            yield Tile(columns, rows // down, units // across, across, down, rounding, stages)
