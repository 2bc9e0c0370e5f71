"""Whether a GPU runs clusters of 16 blocks, which nobody promises, and how many at once: found out by running some."""

from __future__ import annotations

from typing import Any

import numpy as np

from .source import part

__all__ = ["NON_PORTABLE", "large_clusters"]

NON_PORTABLE = 14  # CUDA's number of the attribute that allows clusters of more than 8 blocks
_BLOCKS, _THREADS, _ALONE = 16, 256, 120 << 10  # _ALONE: bytes, more than half of what a multiprocessor has
_WAIT = 20_000  # nanoseconds that a cluster takes
_TRIES = 3


def large_clusters(cupy: Any, processors: int) -> int:
    """How many run at once on the current device, each block on a multiprocessor of its own; 0 where it refuses them.

    Waits for the device before, for other kernels would stand in the way, and for what it launches, some 0.1 ms.
    """
    most = processors // _BLOCKS
    if not most:
        return 0
    try:
        kernel = cupy.RawModule(code=part("clusters.cuh"), options=("-std=c++17",), backend="nvrtc").get_function(
            "clusters_at_once"
        )
        cupy.cuda.driver.funcSetAttribute(kernel.kernel.ptr, NON_PORTABLE, 1)
        kernel.max_dynamic_shared_size_bytes = _ALONE
        return max(_at_once(cupy, kernel, most) for _ in range(_TRIES))
    except RuntimeError:  # CUDA's errors, all of them
        return 0


def _at_once(cupy: Any, kernel: Any, count: int) -> int:
    """Of so many, those that had begun before one ended."""
    times = cupy.zeros((count, 2), np.int64)
    cupy.cuda.Device().synchronize()
    kernel((count * _BLOCKS,), (_THREADS,), (times, np.int32(_WAIT)), shared_mem=_ALONE)
    found = cupy.asnumpy(times)
    return int((found[:, 0] < found[:, 1].min()).sum())
