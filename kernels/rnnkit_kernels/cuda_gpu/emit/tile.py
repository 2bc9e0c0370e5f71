"""Which part of a step a block takes, for the kernels of single levels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product as combinations

from ...levels import Level
from ..words import Rounding

__all__ = ["ROOM", "Tile", "read_by_a_block", "tile_of"]

ROOM = 227 << 10  # bytes of shared memory that a block may have on a Hopper GPU; others have down to 64 KB
_DEPTH, _PAD_LEFT, _PAD_RIGHT = 32, 4, 8  # as in `sources/pieces.cuh`
_STAGES, _FEWEST_STAGES, _MOST_STAGES = 3, 2, 8
_ROWS = (8, 16, 32)  # of a tile, without tensor cores
_BLOCKS = 128  # about as many as a large GPU has multiprocessors

_TENSOR_ROWS, _TENSOR_UNITS = (16, 32, 64, 128), (8, 16, 32, 64)
_SPLITS = (1, 2, 4, 8)  # blocks that share a tile; more than 8 of a cluster are not promised
_NUMBERS, _SHARED_NUMBERS = 64, 128  # that are summed for a row of a tile, at most; units have no less than 8
_PROCESSORS = 132  # of an H200
_ON_THEIR_WAY = 32 << 10  # bytes that a multiprocessor asks for before it waits
_MEETING = 16 << 10  # bytes that it could read while a cluster meets for a product: an estimate, not measured


@dataclass(frozen=True)
class Tile:
    """columns, rows_each, units_each: of a thread; across, down: threads over units and over a block's rows; stages:
    how many pieces of a product are there or on their way; split: how many blocks share out the length of the tile's
    products, and its rows behind them; least: threads that a block has even where some of them have no rows. See
    `sources/level.cuh` and `sources/pieces.cuh`."""

    columns: int
    rows_each: int
    units_each: int
    across: int = 16
    down: int = 8
    rounding: Rounding = None
    stages: int = _STAGES
    split: int = 1
    least: int = 0

    @property
    def rows(self) -> int:
        return self.down * self.rows_each * self.split

    @property
    def units(self) -> int:
        return self.across * self.units_each

    @property
    def threads(self) -> int:
        return max(self.least, self.across * self.down)

    @property
    def pairs(self) -> bool:
        """Whether products are made of pairs of numbers."""
        return self.rounding == "bf16"

    def blocks(self, rows: int, units: int) -> tuple[int, int]:
        """That take so much, (x, y)."""
        return -(-rows // self.rows) * self.split, -(-units // self.units)

    def struct(self, name: str) -> str:
        sizes = {
            "columns": max(1, self.columns), "rows_each": self.rows_each, "units_each": self.units_each,
            "across": self.across, "down": self.down, "threads": self.threads, "rows": self.rows, "units": self.units,
            "split": self.split, "stages": self.stages,
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
    level: Level, rows: int, units: int, rounding: Rounding = None, itemsize: int = 4, room: int = ROOM,
    wide: int = 1, cluster: int = 1,
) -> Tile:  # fmt: skip
    """The largest tile of which there are enough to keep a large GPU busy, or the smallest.

    With four numbers of the panel a thread, as many products are made of each number of the left side. Tensor cores
    leave nothing to do but to read: see `_least_read`.

    itemsize  bytes of a number;  room: bytes of shared memory that a block may have
    wide      gradient columns that the product with those of the step after is summed over
    cluster   blocks that may share a tile: 1 before sm_90
    Raises ValueError where no tile has room.
    """
    columns = len(level.columns)
    if not columns:
        return Tile(0, 1, 1)
    if rounding:
        return _least_read(level, rows, units, rounding, room, wide, cluster)
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


def _least_read(level: Level, rows: int, units: int, rounding: Rounding, room: int, wide: int, cluster: int) -> Tile:
    """The tile with which the busiest multiprocessor reads least in a step.

    A block reads its rows of the left side and its part of the panel, both as long as the product is, and shares
    neither with other blocks: what all read together is the left side as often as there are tiles across, and the panel
    as often as there are tiles below each other. Fewer and larger tiles read less in all; with fewer blocks than there
    are multiprocessors, some read nothing and the others more. The blocks of a cluster take a part of the length each,
    so that a large tile is work for several; afterwards each reads, of the rows that it goes on with, the sums that the
    others have made. An LSTM's step at B = 128, H = 1024, there, of 4 numbers for a unit as long as H, and on the way
    back, of one as long as 4 H; in MB, sums included:

                                       there                                   back
        rows x units / blocks   blocks  all, fp32  all, bf16  busiest   blocks  all, fp32  all, bf16  busiest, fp32
            32 x  8 / 1            512        134         67     1.05      512        336        168           2.62
            64 x 16 / 1            128         67         34     0.52      128        168         84           1.31
           128 x 16 / 1             64         50         25     0.79       64        151         76           2.36
            32 x 32 / 1                                                    128        134         67           1.05
            64 x 32 / 2            128         52         27     0.41      128        101         51           0.79
            64 x 64 / 4                                                    128         69         35           0.54
           128 x 32 / 4            128         40         23     0.31      128         86         43           0.67
           128 x 64 / 8                                                    128         54         29           0.42
    """

    def key(tile: Tile) -> tuple[int, int, int]:
        block, meetings = read_by_a_block(tile, level, rows, units, wide)
        x, y = tile.blocks(rows, units)
        in_turn = -(-x * y // (_PROCESSORS // tile.split * tile.split))
        return in_turn * (block + meetings * _MEETING), x * y * block, x * y if block else 0

    tiles = _tensor_tiles(len(level.columns), rounding, cluster)
    return min((tile for tile in tiles if tile.shared(4) <= room), key=key)


def read_by_a_block(tile: Tile, level: Level, rows: int, units: int, wide: int = 1) -> tuple[int, int]:
    """In a step, for tensor cores: bytes, of its part of the length of both sides of all products, and of the sums of
    its rows that other blocks of its cluster have made; and for how many products they meet."""
    high, broad, own = min(rows, tile.rows), min(units, tile.units), min(rows, tile.rows // tile.split)
    read = met = 0
    for product in level.products:
        if product.operand != "x":
            columns = product.last - product.first
            length = units * (wide if product.operand == "d" else 1)
            read += (high + broad * columns) * length * (2 if tile.pairs else 4) // tile.split
            read += (tile.split - 1) * own * broad * columns * 4
            met += tile.split > 1
    return read, met


def _tensor_tiles(columns: int, rounding: Rounding, cluster: int) -> Iterator[Tile]:
    """Tiles of a multiple of 8 units and of 16 rows, each for one block and for clusters, from small to large.

    256 threads, two warps for each of a multiprocessor's four schedulers, or 512 where a thread would make more than 16
    sums. A block is often alone on its multiprocessor, so it asks for some pieces ahead, more of them where they are
    small. A piece is 32 words long whatever a word holds: of bf16 that is 64 numbers, as many bytes as 32 numbers of
    TF32, and so are the steps that a warp makes between two meetings of the block.
    """
    for rows, units, split in combinations(_TENSOR_ROWS, _TENSOR_UNITS, _SPLITS):
        if split > cluster or units * columns > max(_NUMBERS if split == 1 else _SHARED_NUMBERS, 8 * columns):
            continue
        across, own = min(units, 32), rows // split
        threads = min(256 if rows * units * columns <= 256 * 16 else 512, rows * across)
        down = min(threads // across, own)
        piece = (rows + units * columns) * _DEPTH * 4
        stages = max(_STAGES, min(_MOST_STAGES, 1 + -(-_ON_THEIR_WAY // piece)))
        yield Tile(columns, own // down, units // across, across, down, rounding, stages, split, threads)
