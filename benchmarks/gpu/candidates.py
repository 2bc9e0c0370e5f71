"""The divisions of a persistent kernel that a GPU can take, the most promising first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rnnkit_kernels.cuda_gpu.emit.division import CHUNK, Division
from rnnkit_kernels.levels import backward_levels, forward_levels

from .floors import PREDICTED, Constants, step
from .runner import Absent

__all__ = ["admissible", "best", "levels_of"]

_POWERS = (1, 2, 4, 8, 16, 32)
_REGISTERS, _OF_A_BLOCK = 255, 65536
_PROGRAM = 64  # registers beside the weights, at the least
_THREADS = 1024
_CLUSTER = 16  # blocks: more than 8 have to be asked for


def levels_of(cell: Any, back: bool) -> int:
    return len((backward_levels if back else forward_levels)(cell).levels)


def admissible(
    gates: int, units: int, rows: int, itemsize: int = 4, clusters: bool = True, back: bool = False
) -> list[Division]:
    """Those whose weights fit into registers beside a step's program, without threads or rows that are all idle."""
    found = []
    for split in _POWERS:
        for cluster in (size for size in _POWERS if size <= min(split, _CLUSTER, units) and (clusters or size == 1)):
            shape = Division(units, split, cluster, 1)
            length = gates * shape.own if back else units
            weights = shape.pieces(length, back) * CHUNK * (1 if back else gates) * itemsize // 4
            room = min(_REGISTERS, _OF_A_BLOCK // shape.threads)
            if shape.threads > _THREADS or weights + _PROGRAM > room or (cluster - 1) * shape.own >= units:
                continue
            found += [Division(units, split, cluster, r) for r in _POWERS if r <= split and r < 2 * rows]
    return found


def best(
    cell: Any, back: bool, units: int, rows: int, constants: Constants | None = None, clusters: bool = True
) -> Sequence[Division]:
    """All of them, by the time of a step that the constants let expect. Raises Absent where there is none."""
    gates, known = len(cell.gates), constants or PREDICTED
    found = admissible(gates, units, rows, clusters=clusters, back=back)
    if not found:
        raise Absent(f"the weights of {units} units fit into no cluster's registers")
    levels = levels_of(cell, back)
    return sorted(found, key=lambda d: step(gates, d, rows, known, levels))
