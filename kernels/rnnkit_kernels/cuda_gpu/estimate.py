"""What a step of a recurrence takes, before it has run: how often each thing comes that takes time, and its cost.

The one estimate: kernels are chosen by it, the benchmarks rank divisions and make floors with it, and fit its costs to
times of a GPU.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from math import inf

from ..contract import Cell
from ..levels import Lowered, backward_levels, forward_levels
from .emit.division import Division
from .emit.persistent_backward import gates_back
from .emit.tensor_division import Share, TensorDivision
from .words import Rounding

__all__ = ["COSTS", "LARGE", "PORTABLE", "Costs", "Step", "at_once"]

PORTABLE, LARGE = 8, 16  # blocks of a cluster: as many as are promised, and as many as have to be asked for
_SCHEDULERS = 4  # tensor cores of a block
_CLOCKS = 1755  # of a microsecond
_MILLION = 1e6


@dataclass(frozen=True)
class Costs:
    """Microseconds; of products: of a million multiply-adds. The numbers come from the latency model that the kernels
    were designed with; none has been measured.

    meeting          a block's threads meet once a level, with what each does between two meetings
    cluster_meeting  the same of the blocks of a cluster
    parts_meeting    the warps that share a product of tensor cores meet once more, on the way there
    block_product    of one block that holds its weights in registers
    tile             a tensor core multiplies 16 outputs and 8 rows by 8 numbers of TF32 or 16 of bf16, as long for both
    launch           of a level's kernel
    product          of the whole GPU in a level's small tiles; and where factors are rounded to TF32 or to bf16: a
                     number of bf16 has half the bytes, and tensor cores multiply twice as many of them at once, so
                     whatever a tile waits for, it takes half as long
    """

    meeting: float = 0.1
    cluster_meeting: float = 0.35
    parts_meeting: float = 0.1
    block_product: float = 1 / 0.12
    tile: float = 17 / _CLOCKS
    launch: float = 1.5
    product: float = 0.1
    product_tf32: float = 0.025
    product_bf16: float = 0.0125


COSTS = Costs()


def at_once(processors: int, large: int) -> dict[int, int]:
    """How many clusters of so many blocks run at once, one block the whole of a multiprocessor. large: those of 16."""
    sizes = {size: max(1, processors // size) for size in (1, 2, 4, PORTABLE)}
    return sizes | ({LARGE: large} if large else {})


@dataclass(frozen=True)
class Step:
    """A step of the whole batch.

    units, rows  H and B
    at_once      by blocks of a cluster: clusters that run at once; those that it does not name do not run
    rounding     what tensor cores round factors to
    """

    cell: Cell
    back: bool
    units: int
    rows: int
    at_once: Mapping[int, int]
    rounding: Rounding = None

    @property
    def lowered(self) -> Lowered:
        return (backward_levels if self.back else forward_levels)(self.cell)

    def products(self) -> Iterator[int]:
        """Of how many gates each product is."""
        lowered = self.lowered
        for product in (p for level in lowered.levels for p in level.products if p.operand != "x"):
            yield len(gates_back(self.cell, lowered, product) if self.back else product.gates)

    def shares(self, division: TensorDivision) -> list[Share]:
        """A warp's of each product."""
        return [division.share(gates, self.back, self.rounding) for gates in self.products()]

    def counts(self, division: Division | None) -> dict[str, float]:
        """By names of `Costs`: how often each comes, one after the other. None: a kernel for every level."""
        levels = len(self.lowered.levels)
        if division is None:
            kind = f"product_{self.rounding}" if self.rounding else "product"
            return {"launch": levels, kind: len(self.cell.gates) * self.units**2 * self.rows / _MILLION}
        found: dict[str, float] = {"cluster_meeting" if division.cluster > 1 else "meeting": levels}
        if isinstance(division, TensorDivision):
            shares, beside = self.shares(division), -(-division.warps // _SCHEDULERS)
            found["tile"] = sum(share.tiles * share.steps for share in shares) * beside
            found["parts_meeting"] = 0 if self.back else len(shares)
        else:
            found["block_product"] = sum(self._of_a_block(division, gates) for gates in self.products()) / _MILLION
        waves = -(-self.rows // (division.rows * max(1, self.at_once.get(division.cluster, 0))))
        return {name: waves * count for name, count in found.items()}

    def time(self, division: Division | None, costs: Costs = COSTS) -> float:
        """Microseconds; infinity where such clusters do not run."""
        if division is not None and not self.at_once.get(division.cluster):
            return inf
        each = asdict(costs)
        return sum(each[name] * count for name, count in self.counts(division).items() if count)

    def _of_a_block(self, division: Division, gates: int) -> float:
        """Multiply-adds of one block, those with zeros that fill up lines among them."""
        if self.back:
            return division.own * division.cluster * division.line(gates * division.own, back=True) * division.rows
        return gates * division.own * division.line(self.units) * division.rows
