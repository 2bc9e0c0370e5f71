"""The divisions of a persistent kernel that a GPU can take, the most promising first."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rnnkit_kernels.cuda_gpu.emit.division import CHUNK, Division
from rnnkit_kernels.cuda_gpu.emit.tensor_division import ROWS, TensorDivision
from rnnkit_kernels.cuda_gpu.estimate import Step, at_once
from rnnkit_kernels.cuda_gpu.place import Place

from .floors import PREDICTED, Constants, step
from .runner import Absent

__all__ = ["admissible", "best", "clusters_of", "on_tensor_cores"]

_HOPPER = 90
_POWERS = (1, 2, 4, 8, 16, 32)
_REGISTERS, _OF_A_BLOCK = 255, 65536
_PROGRAM = 64  # registers beside the weights, at the least
_THREADS = 1024


def clusters_of(place: Place, large: bool = True) -> dict[int, int]:
    """By their blocks: how many clusters run at once on the GPU. large: those of 16 too, if it runs any."""
    processors, capability = place.processors()
    if capability < _HOPPER:
        return {1: processors}
    return at_once(processors, place.large_clusters() if large else 0)


def admissible(
    gates: int, units: int, rows: int, itemsize: int = 4, clusters: Collection[int] = _POWERS[:5], back: bool = False
) -> list[Division]:
    """Those whose weights fit into registers beside a step's program, without threads or rows that are all idle.

    clusters: of how many blocks there are any
    """
    found = []
    for split in _POWERS:
        for cluster in (size for size in clusters if size <= min(split, units)):
            shape = Division(units, split, cluster, 1)
            length = gates * shape.own if back else units
            weights = shape.pieces(length, back) * CHUNK * (1 if back else gates) * itemsize // 4
            room = min(_REGISTERS, _OF_A_BLOCK // shape.threads)
            if shape.threads > _THREADS or weights + _PROGRAM > room or (cluster - 1) * shape.own >= units:
                continue
            found += [Division(units, split, cluster, r) for r in _POWERS if r <= split and r < 2 * rows]
    return found


def on_tensor_cores(asked: Step) -> list[TensorDivision]:
    """The same of those whose products run on tensor cores."""
    found = []
    for split in (split for split in _POWERS if split >= ROWS):
        for cluster in (size for size in asked.at_once if size <= asked.units):
            division = TensorDivision(asked.units, split, cluster)
            if (cluster - 1) * division.own >= asked.units:
                continue
            shares = asked.shares(division)
            taken = sum(s.registers for s in shares) + max((4 * s.tiles for s in shares), default=0)
            if taken + _PROGRAM <= min(_REGISTERS, _OF_A_BLOCK // division.threads):
                found.append(division)
    return found


def best(asked: Step, constants: Constants | None = None) -> Sequence[Division]:
    """All of them, on tensor cores where the step rounds, by the time that the constants let expect. Raises Absent
    where there is none."""
    found: Sequence[Division] = on_tensor_cores(asked) if asked.rounding else _plain(asked)
    if not found:
        raise Absent(f"the weights of {asked.units} units fit into no cluster's registers")
    return sorted(found, key=lambda division: step(asked, division, constants or PREDICTED))


def _plain(asked: Step) -> list[Division]:
    return admissible(len(asked.cell.gates), asked.units, asked.rows, clusters=tuple(asked.at_once), back=asked.back)
