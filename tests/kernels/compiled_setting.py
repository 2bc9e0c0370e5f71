"""The setting of a compiled run: how many threads, what fresh memory holds, how long the chunks of the way back are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from rnnkit_kernels.contract import Cell
from rnnkit_kernels.numba_cpu import backward_plan, memory
from rnnkit_kernels.numba_cpu.programs import Compiled, compiled_cell
from rnnkit_kernels.numba_cpu.table import Slot


@contextmanager
def poisoned() -> Iterator[None]:
    """Memory that the kernels ask for without asking for zeros is NaN in every place, recycled or not."""
    empty = memory.empty

    def full(shape: Any, dtype: Any) -> Any:
        array = empty(shape, dtype)
        array.reshape(-1).view(np.uint8).fill(0xFF)
        return array

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "empty", full)
        yield


@contextmanager
def small_chunks() -> Iterator[None]:
    """A way back works through the time in chunks of as few steps as it may."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("_RING", 1 << 40), ("_LEAST", 1)):
            patch.setattr(backward_plan, name, value, raising=False)
        backward_plan.backward_plan.cache_clear()
        yield
    backward_plan.backward_plan.cache_clear()


def chunk_steps(tape: Any, trace: bool = False) -> int:
    """How many steps a chunk has on the way back over a tape."""
    plan = backward_plan.backward_plan(tape.plan, tape.split, trace)
    words = plan.words.made([0] * (len(plan.words._bases) - 1))
    return int(words[Slot.CHUNK])


@contextmanager
def threads(count: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RNNKIT_NUM_THREADS", str(count))
        yield


def program_of(cell: Cell, dtype: str, single: int, registers: int) -> Compiled:
    """For vectors of as many bytes as `single` float32 take."""
    return compiled_cell(cell, dtype, single if dtype == "float32" else max(1, single // 2), registers)
