"""How a recurrence is divided whose products run on tensor cores, and a product among the warps of a block."""

from __future__ import annotations

from dataclasses import dataclass

from ..words import Rounding
from .division import Division

__all__ = ["ROWS", "Share", "TensorDivision"]

ROWS = 8  # of the batch: the width of a tile
_TILE = 16  # outputs
_STEP = {"tf32": 8, "bf16": 16}  # numbers of a product's length that are multiplied at once
_MOST_BLOCKS, _WARP = 16, 32


@dataclass(frozen=True)
class Share:
    """A warp's share of a product: tiles of 16 outputs by steps of its length. parts warps share the length, groups of
    them the outputs."""

    tiles: int
    steps: int
    parts: int
    groups: int

    @property
    def registers(self) -> int:
        """Of weights."""
        return 4 * self.tiles * self.steps

    @property
    def words(self) -> int:
        """Of shared memory that the multiplied vectors take, whole steps for every warp."""
        return self.parts * self.steps * 8 * ROWS

    @property
    def sums(self) -> int:
        """Numbers that all warps' sums are."""
        return self.parts * self.groups * self.tiles * _TILE * ROWS


@dataclass(frozen=True)
class TensorDivision(Division):
    """The program is divided as in `Division`, with 8 rows, a split of 8 or more, and up to 16 blocks of a cluster."""

    rows: int = ROWS

    def __post_init__(self) -> None:
        whole = self.cluster > 0 and self.cluster & (self.cluster - 1) == 0 and self.cluster <= _MOST_BLOCKS
        if self.split not in (8, 16, 32) or self.rows != ROWS or not whole:
            raise ValueError(
                f"{self}: for tensor cores the split is 8, 16 or 32, rows are {ROWS}, and the cluster is a power of 2, "
                f"at most {_MOST_BLOCKS}"
            )

    @property
    def threads(self) -> int:
        """Of 1, 2, 4 or 8 warps, which share products in more ways than 3 or 7; who has no unit helps to multiply."""
        least = self.own * self.split
        return 1 << (max(least, _WARP) - 1).bit_length()

    @property
    def back_split(self) -> int:
        """No threads share a sum: warps do."""
        return 1

    def share(self, gates: int, back: bool, rounding: Rounding) -> Share:
        """Of a product with so many gates: there all units by the gates of the block's own, back the other way.

        The fewest registers; then the least that goes through shared memory: every warp reads the vectors of its part
        of the length, and every part has sums of its own.
        """
        assert rounding is not None
        of_own = gates * self.own
        outputs, length = (self.units, of_own) if back else (of_own, self.units)
        tiles, steps = -(-outputs // _TILE), -(-length // _STEP[rounding])
        found = []
        for parts in (p for p in range(1, self.warps + 1) if self.warps % p == 0):
            groups = self.warps // parts
            share = Share(-(-tiles // groups), -(-steps // parts), parts, groups)
            found.append((share.registers, groups * share.words + 2 * share.sums, parts, share))
        return min(found, key=lambda each: each[:3])[-1]
