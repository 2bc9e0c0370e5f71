"""Which part of a step a block takes, for the kernels of single levels."""

from __future__ import annotations

from dataclasses import dataclass

from ...levels import Level
from ..words import Rounding

__all__ = ["Tile", "tile_of"]

_DEPTH, _STAGES, _PAD_LEFT, _PAD_RIGHT = 32, 3, 4, 8  # as in `sources/level.cuh`
_ROWS = (8, 16, 32)  # of a tile, without tensor cores
_TENSOR_ROWS = (32, 64, 128)
_BLOCKS = 128  # about as many as a large GPU has multiprocessors


@dataclass(frozen=True)
class Tile:
    """columns, rows_each, units_each: of a thread; across, down: threads over units and over rows; see
    `sources/level.cuh`."""

    columns: int
    rows_each: int
    units_each: int
    across: int = 16
    down: int = 8
    rounding: Rounding = None

    @property
    def rows(self) -> int:
        return self.down * self.rows_each

    @property
    def units(self) -> int:
        return self.across * self.units_each

    @property
    def threads(self) -> int:
        return self.across * self.down

    def struct(self, name: str) -> str:
        sizes = {
            "columns": max(1, self.columns), "rows_each": self.rows_each, "units_each": self.units_each,
            "across": self.across, "down": self.down, "rows": self.rows, "units": self.units,
        }  # fmt: skip
        members = ", ".join(f"{key} = {value}" for key, value in sizes.items())
        tensor = f"static constexpr bool tensor = {'true' if self.rounding else 'false'};"
        return f"struct {name} {{ static constexpr int {members}; {tensor} }};"

    def shared(self, itemsize: int) -> int:
        """Bytes of shared memory that the products take."""
        numbers = self.units * max(1, self.columns)
        pieces = _STAGES * (self.rows * (_DEPTH + _PAD_LEFT) + _DEPTH * (numbers + _PAD_RIGHT))
        return max(pieces, self.rows * (numbers + _PAD_LEFT)) * itemsize


def tile_of(level: Level, rows: int, units: int, rounding: Rounding = None) -> Tile:
    """The largest tile of which there are enough to keep a large GPU busy, or the smallest.

    With four numbers of the panel a thread, as many products are made of each number of the left side.
    """
    columns = len(level.columns)
    if not columns:
        return Tile(0, 1, 1)
    found = None
    for height in reversed(_TENSOR_ROWS if rounding else _ROWS):
        found = _tensor(columns, height, rounding) if rounding else Tile(columns, height // 8, max(1, 4 // columns))
        if -(-rows // found.rows) * -(-units // found.units) >= _BLOCKS and height < 2 * rows:
            break
    assert found is not None
    return found


def _tensor(columns: int, rows: int, rounding: Rounding) -> Tile:
    """Tiles of a multiple of 8 numbers and of 16 rows; two rows or more a thread."""
    down = 32 if rows == 128 else 16
    return Tile(columns, rows // down, max(1, 4 // columns), across=8, down=down, rounding=rounding)
