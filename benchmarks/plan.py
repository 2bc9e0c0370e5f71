"""What one run was asked for, and what it found out about its machine."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any

from .contenders import Contender
from .timing import Effort

__all__ = ["Plan", "sgemm_peak"]


@dataclass(frozen=True, eq=False)
class Plan:
    """The arguments of every group.

    contenders  by name, those that are there; missing: a sentence for each that is not
    effort      how long to measure; quick: small shapes
    cells, shapes  where not empty, the only ones wanted
    speeds      of this machine, as they are found: "sgemm" in FLOP/s
    """

    threads: int
    contenders: dict[str, Contender] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    effort: Effort = field(default_factory=Effort)
    quick: bool = False
    cells: tuple[str, ...] = ()
    shapes: tuple[tuple[int, ...], ...] = ()
    speeds: dict[str, float] = field(default_factory=dict)

    def chosen(self, cells: Any) -> list[str]:
        """Those of the cells that are wanted."""
        return [cell for cell in cells if not self.cells or cell in self.cells]

    def grid(self, shapes: Any, small: Any) -> tuple[tuple[int, ...], ...]:
        """The shapes asked for, else the small ones of a quick run, else all."""
        size = len(shapes[0])
        return tuple(s for s in self.shapes if len(s) == size) or tuple(small if self.quick else shapes)

    @property
    def peak(self) -> float:
        """FLOP/s of a float32 matrix product on this many threads, measured once in this run."""
        if "sgemm" not in self.speeds:
            self.speeds["sgemm"] = sgemm_peak(256 if self.quick else 1024, self.effort)
        return self.speeds["sgemm"]


def sgemm_peak(size: int, effort: Effort) -> float:
    """The fastest call of NumPy's and PyTorch's products of two float32 matrices of that size."""
    import numpy as np

    a, b = np.random.default_rng(0).standard_normal((2, size, size), dtype=np.float32)
    products = [lambda: a @ b]
    try:
        import torch
    except ImportError:
        pass
    else:
        ta, tb = torch.from_numpy(a), torch.from_numpy(b)
        products.append(lambda: ta @ tb)
    fastest = math.inf
    for product in products:
        product()  # threads are there, memory is touched
        begin = time.perf_counter()
        while (start := time.perf_counter()) < begin + 3 * effort.block:
            product()
            fastest = min(fastest, time.perf_counter() - start)
    return 2.0 * size**3 / fastest
