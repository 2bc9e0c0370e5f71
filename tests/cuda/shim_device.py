"""A device of the benchmarks whose kernels run on the CPU."""

from __future__ import annotations

import time
from typing import Any

from gpu_benchmark_cases import FakeDevice
from on_cpu import OnCpu

__all__ = ["H200", "Shim"]

H200 = 132, 90


class Shim(FakeDevice):
    """A fake device whose kernels run, and whose time is the clock's."""

    def __init__(self, **how: Any) -> None:
        super().__init__(OnCpu(gpu=H200, **how))

    def timed(self, run: Any, calls: int) -> tuple[float, float]:
        begin = time.perf_counter()
        for _ in range(calls):
            run()
        return (2 * (time.perf_counter() - begin) / calls,) * 2
