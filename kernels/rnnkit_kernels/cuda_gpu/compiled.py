"""A cell compiled for one direction, one dtype and one set of options: its text, its table, its launches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from ..contract import Cell
from ..levels import Lowered, backward_levels, forward_levels
from ..program import trace
from ..types import Array
from .emit.division import Division
from .emit.level import kernels
from .emit.persistent import Persistent
from .emit.persistent_tensor import persistent
from .emit.places import Options, Places
from .emit.tile import ROOM, Tile, tile_of
from .layout import NUMBERS, Layout
from .place import Launch, Module, Place

__all__ = ["CompiledCell", "cluster_of", "compiled_cell"]

_PORTABLE, _HOPPER = 8, 90  # blocks of a cluster that every GPU has which has any; the first that has


@dataclass(frozen=True)
class CompiledCell:
    """division: of a kernel that takes all steps at once; None stands for a kernel for each level of each step, each
    with its tile."""

    cell: Cell
    back: bool
    options: Options
    division: Division | None
    tiles: tuple[Tile, ...]

    @cached_property
    def lowered(self) -> Lowered:
        return _levels(self.cell, self.back)

    @cached_property
    def kept(self) -> tuple[str, ...]:
        return tuple(trace(self.cell).kept)

    @cached_property
    def operands(self) -> tuple[str, ...]:
        """The gates that have an inner product."""
        return tuple(trace(self.cell).operands)

    @cached_property
    def layout(self) -> Layout:
        panels, rounding = self.division is None, self.options.rounding
        return Layout.make(self.cell, self.lowered, self.kept, self.operands, panels, rounding)

    @cached_property
    def prefix(self) -> str:
        return "backward" if self.back else "forward"

    @cached_property
    def persistent(self) -> Persistent:
        assert self.division is not None
        return persistent(Places(self.cell, self.lowered, self.options), self.layout, self.division)

    @cached_property
    def text(self) -> str:
        if self.division is not None:
            return self.persistent.text
        return kernels(Places(self.cell, self.lowered, self.options), self.layout, self.tiles, self.prefix)

    @cached_property
    def reads_b_h(self) -> bool:
        """Whether there is a product with h to which no product with x is added: its bias cannot be added to that."""
        return "call.b_h" in self.text

    def module(self, place: Place) -> Module:
        skeleton = "level.cuh" if self.division is None else "persistent.cuh"
        return place.module(self.options.real, skeleton, self.text, self.prefix)

    def launches(self, rows: int, units: int, together: int = 1) -> list[Launch]:
        """The kernels of one step, or of all, for so many calls at once."""
        if (d := self.division) is not None:
            blocks = -(-rows // d.rows) * d.cluster, 1
            shared = self.persistent.shared_bytes()
            return [
                Launch(
                    f"{self.prefix}_persistent", blocks, d.threads, shared, d.cluster, together, self.layout.as_argument
                )
            ]
        made = []
        for k, tile in enumerate(self.tiles):
            shared = tile.shared(self.options.itemsize)
            blocks = tile.blocks(rows, units)
            made.append(Launch(f"{self.prefix}_level{k}", blocks, tile.threads, shared, tile.split, together))
        return made

    def sums_room(self, units: int) -> int:
        """Blocks of units whose parts of a row sum are kept apart."""
        return max((-(-units // tile.units) for tile in self.tiles), default=0)

    def run(self, place: Place, sizes: tuple[int, int, int], *calls: Mapping[str, Array]) -> None:
        """All steps of one call, or of several at once. sizes: T, B, H of each; calls: arrays by the layout's names,
        those that are not used left out."""
        T, B, H = sizes
        if not T or not B:
            return  # a launch of no blocks is an error
        numbers = {"t": T - 1 if self.back else 0, "steps": T, "rows": B, "units": H}
        words: list[int] = []
        for arrays in calls:
            words += [numbers[name] for name in NUMBERS]
            words += [place.address(arrays[name]) if name in arrays else 0 for name in self.layout.arrays]
        steps = T if self.division is None else 1
        self.module(place).repeat(self.launches(B, H, len(calls)), place.table(words), steps)


def _levels(cell: Cell, back: bool) -> Lowered:
    return backward_levels(cell) if back else forward_levels(cell)


_made = lru_cache(maxsize=256)(CompiledCell)


def compiled_cell(
    cell: Cell, back: bool, options: Options, rows: int, units: int, division: Division | None = None,
    room: int = ROOM, cluster: int = 1,
) -> CompiledCell:  # fmt: skip
    """For so many rows at once, of one call or of several together. room: bytes of shared memory that a block may
    have; cluster: blocks that may share a tile. Raises ValueError where a step has no room there."""
    if division is not None:
        return _made(cell, back, options, division, ())
    lowered, how = _levels(cell, back), (options.rounding, options.itemsize, room)
    first, last = (0, 1) if lowered.gradient is None else lowered.gradient.h_range
    tiles = tuple(tile_of(level, rows, units, *how, last - first, cluster) for level in lowered.levels)
    return _made(cell, back, options, None, tiles)


def cluster_of(place: Place) -> int:
    """How many blocks of a step may share a tile at a place: 8 where there are clusters, for no GPU takes fewer."""
    return _PORTABLE if place.processors()[1] >= _HOPPER else 1
