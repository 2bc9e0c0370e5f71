"""Which kernels a recurrence gets: one that takes all steps at once, and how it is divided, or one for every level.

A kernel that takes all steps pays a meeting of its threads for a step, some tenths of a microsecond; kernels for each
level pay a launch, one or two, but use the whole GPU for a product. The numbers of the estimate come from the latency
model that the kernels were designed with; they have not been measured.
"""

from __future__ import annotations

from functools import lru_cache

from ..contract import Cell
from ..levels import Level, backward_levels, forward_levels
from ..replay import Replay
from .emit.division import CHUNK, Division
from .words import Rounding

__all__ = ["choose"]

_WEIGHTS = 128  # registers of a thread that weights may take
# Registers for weights, for each row's sums and operands, and for each value of the step, there and back; on the way
# back before Hopper, without the values. Counted so, no kernel spills below these limits: found by compiling.
_THERE, _BACK, _BACK_BEFORE = 230, 184, 100
_THREADS = 256  # of a block: 255 registers for each
_BLOCKS = 8  # of a cluster: more than that are not promised everywhere
_HOPPER = 90  # the first GPU with clusters
_AT_LEAST = 128  # threads: below, shorter sums cost less than idle ones

_MEETING, _CLUSTER_MEETING, _LAUNCH = 0.1, 0.35, 1.5  # microseconds
_PRODUCTS, _TENSOR, _OF_A_BLOCK = 10e6, 40e6, 120e3  # multiply-adds a microsecond: in small tiles; of one block


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
) -> Division | None:
    """None stands for a kernel for every level.

    rows, units  B and H;  itemsize: bytes of a number
    processors   multiprocessors of the GPU, capability: 90 for 9.0
    rounding     what tensor cores may round the factors of products to
    """
    if not processors:
        return None
    levels = (backward_levels if back else forward_levels)(cell).levels
    room = (_BACK if back else _THERE) * 4 // itemsize - _values(levels)
    if back and capability < _HOPPER:
        room = min(room, _BACK_BEFORE * 4 // itemsize)
    row = CHUNK + (1 if back else len(cell.gates))
    division = _division(len(cell.gates), units, rows, itemsize, processors, capability, room, row)
    if division is None:
        return None
    products = len(cell.gates) * units * units
    at_once = max(1, processors // division.cluster) * division.rows
    meeting = _CLUSTER_MEETING if division.cluster > 1 else _MEETING
    step = len(levels) * meeting + products * division.rows / (division.cluster * _OF_A_BLOCK)
    apart = len(levels) * _LAUNCH + products * rows / (_TENSOR if rounding and itemsize == 4 else _PRODUCTS)
    return division if -(-rows // at_once) * step < apart else None


def _values(levels: tuple[Level, ...]) -> int:
    """How many numbers of a row and unit a step reads and makes."""
    return len({name for level in levels for name in (*level.outputs, *Replay(level.outputs).leaves)})


def _division(
    gates: int, units: int, rows: int, itemsize: int, processors: int, capability: int, room: int, row: int
) -> Division | None:
    """The least split whose weights fit into registers, in the smallest cluster that has threads enough, with as many
    rows as make every multiprocessor work.

    room  numbers that a thread may hold, the step's values aside;  row: those of them that each row takes
    """
    for split in (1, 2, 4, 8, 16, 32):
        weights = gates * CHUNK * -(-units // (CHUNK * split))
        if weights * itemsize > 4 * _WEIGHTS or weights + row > room or (split < 4 and units * split < _AT_LEAST):
            continue
        cluster = 1
        while -(-units // cluster) * split > _THREADS:
            cluster *= 2
        if cluster > min(split, _BLOCKS) or (cluster > 1 and capability < _HOPPER):
            continue
        wanted, most = -(-rows * cluster // processors), 1
        while most < min(wanted, split) and weights + 2 * most * row <= room:
            most *= 2
        return Division(units, split, cluster, most)
    return None
