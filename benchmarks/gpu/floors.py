"""What a step takes at the least: the design's predictions, and the estimate of `rnnkit_kernels.cuda_gpu.estimate` with
costs that were measured.

A kernel that takes all steps waits in each for the cell's chain of functions, for what its blocks tell each other, and
for the products of one block's share; kernels for each level wait for a launch and share the products over the GPU.

What is compared with what: "fp32" of `PAGE` with "rnnkit", "TF32" and "bf16" with "rnnkit TF32" and "rnnkit bf16" as
chosen, all of them of the LSTM's way there alone. `floor` is of strict float32, and stands beside "rnnkit" of any cell.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rnnkit_kernels.cuda_gpu.emit.division import Division
from rnnkit_kernels.cuda_gpu.estimate import COSTS, Costs, Step

__all__ = ["PAGE", "PREDICTED", "Constants", "floor", "step"]

# (B, T, H): microseconds of a step of the LSTM's way there, by what products round to, predicted from latencies before
# anything was measured: the least of the kinds of kernels that exist
PAGE = {
    (1, 1000, 256): {"fp32": 0.37},
    (32, 50, 20): {"fp32": 0.18},
    (64, 100, 128): {"fp32": 0.45, "TF32": 0.36},
    (64, 100, 256): {"fp32": 0.89, "TF32": 0.42, "bf16": 0.36},
    (128, 500, 32): {"fp32": 0.21},
    (64, 512, 512): {"fp32": 2.8, "TF32": 0.89, "bf16": 0.54},
    (128, 256, 1024): {"fp32": 18.6, "TF32": 4.3, "bf16": 1.7},
    (256, 120, 16): {"fp32": 0.17},
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

    def asked(self, cell: Any, back: bool, units: int, rows: int, rounding: str | None = None) -> Step:
        """A step with the clusters that run at once here."""
        return Step(cell, back, units, rows, {1: self.processors, **self.at_once}, rounding)

    def costs(self, asked: Step, division: Division | None) -> Costs:
        """Of the step; of what has no constant here, the estimate's own. The chain of functions is as long whether a
        cell's levels cut it or not."""
        gates = self.gates / len(asked.lowered.levels)
        cluster, rows = (division.cluster, division.rows) if division is not None else (1, 1)
        return replace(
            COSTS,
            meeting=self.block + gates,
            cluster_meeting=self.exchange.get(cluster, math.inf) + gates,
            block_product=1e6 / self.rate(rows),
            launch=self.node + gates,
            product=1e6 / (self.processors * max(self.products.values())),
        )


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


def step(asked: Step, division: Division | None, constants: Constants) -> float:
    """Microseconds of a step of a kernel that takes all, or with None of kernels for each level."""
    return asked.time(division, constants.costs(asked, division))


def floor(asked: Step, divisions: Iterable[Division], constants: Constants) -> float:
    """Of the fastest of the divisions, and of kernels for each level."""
    return min(step(asked, division, constants) for division in (None, *divisions))
