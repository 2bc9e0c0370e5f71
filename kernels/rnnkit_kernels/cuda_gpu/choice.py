"""Which kernels a recurrence gets: one that takes all steps at once, and how it is divided, or one for every level.

A kernel that takes all steps pays a meeting of its threads for a step, some tenths of a microsecond; kernels for each
level pay a launch, one or two, but use the whole GPU for a product. What each takes is `estimate`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from ..contract import Cell
from ..levels import Level
from ..replay import Replay
from .emit.division import CHUNK, Division
from .emit.tensor_division import TensorDivision
from .estimate import LARGE, PORTABLE, Step, at_once
from .place import Place
from .words import Rounding

__all__ = ["choose", "chosen"]

_WEIGHTS = 128  # registers of a thread that weights may take
# Registers for weights, for each row's sums and operands, and for each value of the step, there and back; on the way
# back before Hopper, without the values. For tensor cores: weights, sums and values. Counted so, no kernel spills below
# these limits: found by compiling.
_THERE, _BACK, _BACK_BEFORE = 230, 184, 100
_TENSOR_THERE, _TENSOR_BACK = 200, 190
_THREADS = 256  # of a block: 255 registers for each
_HOPPER = 90  # the first GPU with clusters
_AMPERE = 80  # the first with tensor cores for numbers of float's range
_AT_LEAST = 128  # threads: below, shorter sums cost less than idle ones
_ROUNDED = 1.1  # nothing is rounded for less than a tenth of the time


def chosen(
    place: Place, cell: Cell, back: bool, units: int, rows: int, itemsize: int, rounding: Rounding
) -> Division | None:
    """`choose` at a place, which is asked for clusters of 16 blocks only where one would take them."""
    processors, capability = place.processors()
    given = cell, back, units, rows, itemsize, processors, capability, rounding
    found = choose(*given, processors // LARGE)
    if found is None or found.cluster < LARGE:
        return found
    return choose(*given, place.large_clusters())


@lru_cache(maxsize=512)
def choose(
    cell: Cell,
    back: bool,
    units: int,
    rows: int,
    itemsize: int,
    processors: int,
    capability: int,
    rounding: Rounding = None,
    large: int = 0,
) -> Division | None:
    """None stands for a kernel for every level.

    rows, units  B and H;  itemsize: bytes of a number
    processors   multiprocessors of the GPU, capability: 90 for 9.0
    rounding     what tensor cores may round the factors of products to
    large        clusters of 16 blocks that run at once
    """
    if not processors:
        return None
    rounding = rounding if itemsize == 4 and capability >= _AMPERE else None
    step = Step(cell, back, units, rows, at_once(processors, large), rounding)
    task = _Task(step, itemsize, processors, capability)
    found = [division for division in (task.plain(), *task.tensor()) if division is not None]
    best = min(found, key=task.rank, default=None)
    return best if best is not None and step.time(best) < step.time(None) else None


@dataclass(frozen=True)
class _Task:
    """What `choose` is asked."""

    step: Step
    itemsize: int
    processors: int
    capability: int

    @property
    def most(self) -> int:
        """Blocks of a cluster."""
        return 1 if self.capability < _HOPPER else LARGE if LARGE in self.step.at_once else PORTABLE

    def plain(self) -> Division | None:
        """The least split whose weights fit into registers, in the smallest cluster that has threads enough, with as
        many rows as make every multiprocessor work."""
        back, units = self.step.back, self.step.units
        gates, room = len(self.step.cell.gates), (_BACK if back else _THERE) * 4 // self.itemsize - self._values()
        if back and self.capability < _HOPPER:
            room = min(room, _BACK_BEFORE * 4 // self.itemsize)
        row = CHUNK + (1 if back else gates)  # registers that each row takes
        for split in (1, 2, 4, 8, 16, 32):
            weights = gates * CHUNK * -(-units // (CHUNK * split))
            few = split < 4 and units * split < _AT_LEAST
            if weights * self.itemsize > 4 * _WEIGHTS or weights + row > room or few:
                continue
            cluster = 1
            while -(-units // cluster) * split > _THREADS:
                cluster *= 2
            if cluster > min(split, self.most):
                continue
            wanted, most = -(-self.step.rows * cluster // self.processors), 1
            while most < min(wanted, split) and weights + 2 * most * row <= room:
                most *= 2
            return Division(units, split, cluster, most)
        return None

    def tensor(self) -> Iterator[TensorDivision]:
        """Those whose weights fit into registers."""
        if self.step.rounding is None:
            return
        units, room = self.step.units, (_TENSOR_BACK if self.step.back else _TENSOR_THERE) - self._values()
        for split in (8, 16):
            cluster = 1
            while cluster <= self.most:
                division = TensorDivision(units, split, cluster)
                if division.threads <= _THREADS and cluster <= units:
                    shares = self.step.shares(division)
                    sums = max((4 * max(2, share.tiles) for share in shares), default=0)
                    if sum(share.registers for share in shares) + sums <= room:
                        yield division
                cluster *= 2

    def rank(self, division: Division) -> tuple[float, int, int]:
        """The least is best: the time; then few blocks of a cluster; then many threads, of fewer registers each."""
        rounded = _ROUNDED if isinstance(division, TensorDivision) else 1
        return self.step.time(division) * rounded, division.cluster, -division.threads

    def _values(self) -> int:
        """How many numbers of a row and unit a step reads and makes."""
        levels: tuple[Level, ...] = self.step.lowered.levels
        return len({name for level in levels for name in (*level.outputs, *Replay(level.outputs).leaves)})
