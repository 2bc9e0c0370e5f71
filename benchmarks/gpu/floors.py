"""What a step takes at the least: the design's predictions, and a model of a few constants of a GPU.

A kernel that takes all steps waits in each for the cell's chain of functions, for what its blocks tell each other, and
for the products of one block's share; kernels for each level wait for a launch and share the products over the GPU.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rnnkit_kernels.cuda_gpu.emit.division import CHUNK, Division

__all__ = ["PAGE", "PREDICTED", "Constants", "floor", "step", "waves"]

# (B, T, H): microseconds of a step of the LSTM's way there, strict float32, predicted from latencies before anything
# was measured
PAGE = {
    (1, 1000, 256): 0.37,
    (32, 50, 20): 0.18,
    (64, 100, 128): 0.45,
    (64, 100, 256): 0.89,
    (128, 500, 32): 0.21,
    (64, 512, 512): 2.8,
    (128, 256, 1024): 18.6,
    (256, 120, 16): 0.17,
}


@dataclass(frozen=True)
class Constants:
    """Of one GPU; times in microseconds.

    gates      the chain of an LSTM's functions, from the sums to h
    block      a meeting of a block's threads
    exchange   by blocks of a cluster: a number of every thread put to all of them, a meeting, and a read
    node       a kernel of a captured graph, beside its own work
    products   by rows of a block: multiply-adds a microsecond of one block of 256 threads, weights in registers
    at_once    by blocks of a cluster: clusters that run at once
    processors multiprocessors of the GPU
    """

    gates: float
    block: float
    exchange: Mapping[int, float]
    node: float
    products: Mapping[int, float]
    at_once: Mapping[int, int]
    processors: int

    def rate(self, rows: int) -> float:
        """That of the nearest number of rows that is known."""
        return self.products[min(self.products, key=lambda known: abs(math.log2(known / rows)))]


def _predicted(clock: float = 1755.0, processors: int = 132) -> Constants:
    """The latencies, in clocks, of the design; 128 multiply-adds a clock of a multiprocessor."""
    return Constants(
        gates=150 / clock,
        block=90 / clock,
        exchange=dict.fromkeys((2, 4, 8, 16), 290 / clock),
        node=1.5,
        products=dict.fromkeys((1, 2, 4, 8), 128 * clock),
        at_once={size: processors // size for size in (2, 4, 8, 16)},
        processors=processors,
    )


PREDICTED = _predicted()


def waves(division: Division, rows: int, constants: Constants) -> int:
    """How often the clusters that run at once have to go round."""
    clusters = -(-rows // division.rows)
    at_once = constants.at_once.get(division.cluster, 0) if division.cluster > 1 else constants.processors
    return -(-clusters // at_once) if at_once else 1 << 30


def step(gates: int, division: Division, rows: int, constants: Constants, meetings: int = 1) -> float:
    """Microseconds of a step of a persistent kernel. gates: of the cell; meetings: levels."""
    if division.cluster > 1 and division.cluster not in constants.exchange:
        return math.inf
    meeting = constants.exchange[division.cluster] if division.cluster > 1 else constants.block
    pieces = division.pieces(division.units) * CHUNK * division.split
    products = gates * division.own * pieces * division.rows / constants.rate(division.rows)
    return waves(division, rows, constants) * (constants.gates + meetings * meeting + products)


def floor(
    gates: int, units: int, rows: int, divisions: Iterable[Division], constants: Constants, meetings: int = 1
) -> float:
    """Microseconds of a step of the fastest of the divisions, and of kernels for each level."""
    whole = constants.processors * max(constants.products.values())
    apart = meetings * constants.node + constants.gates + gates * units * units * rows / whole
    return min([apart, *(step(gates, d, rows, constants, meetings) for d in divisions)])
