"""Small kernels of a few constants each: launched, held against what they should compute, and timed by the round."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from rnnkit_kernels.cuda_gpu.place import Launch

from .device import Device

__all__ = ["CLUSTERS", "ROWS", "THREADS", "Rounds", "SmallKernels", "printed"]

CLUSTERS, ROWS = (2, 4, 8, 16), (1, 2, 4, 8)
THREADS = 256
_SPLIT, _OWN, _WEIGHTS = 8, 32, 128  # as in constants.cuh
_ALONE = 200 << 10  # bytes of shared memory that only one block of a multiprocessor can have
_NODES = 3200  # of a run that is replayed
_ROOM = 1024  # numbers that come out: of the 16 blocks of a cluster, or one of each block of a GPU
_CHECKED = 5  # rounds
_WEIGHT = 2.0**-20


@dataclass(frozen=True)
class Rounds:
    """Times of `few` and of `many` rounds are taken so often; their difference counts."""

    few: int
    many: int
    tries: int


@lru_cache(maxsize=1)
def printed() -> str:
    """The text behind `persistent.cuh`, for blocks that are in no cluster."""
    return Path(__file__).with_name("constants.cuh").read_text(encoding="utf-8")


class SmallKernels:
    """device: where they run. sizes: blocks of the clusters that it may have, none before compute capability 9.0.

    Each measure raises what a launch raises, and ValueError where a kernel computes something else than it should, or
    where more rounds take no longer.
    """

    def __init__(self, device: Device, rounds: Rounds) -> None:
        self._device, self._rounds, place = device, rounds, device.backend.place
        self.processors, capability = place.processors()
        self.sizes = CLUSTERS if capability >= 90 else ()
        text = printed() + "".join(f"OF_BLOCKS({n})\n" for n in self.sizes)
        self._module = place.module("float", "persistent.cuh", text, "constants")
        self._out = place.xp.empty(_ROOM, np.float32)
        self._weights = place.xp.full(_WEIGHTS, _WEIGHT, np.float32)

    def empty(self) -> float:
        """Seconds from event to event."""
        return self._median(lambda: self._timed(_launch("empty"), 0))

    def asked(self, launches: int = 1) -> float:
        """Seconds of the host for a table and so many launches."""
        run = self._run(_launch("empty"), 0, launches)
        return self._median(lambda: self._device.timed(run, 100)[1])

    def node(self) -> float:
        """Seconds of a kernel that does nothing in a run that was recorded."""
        return self._median(lambda: self._timed(_launch("empty"), 0, _NODES)) / _NODES

    def gates(self) -> float:
        """Seconds from the parts of an LSTM's sums to h."""
        h, c = 0.0, 1.0
        for _ in range(_CHECKED):
            i, f, g, o = (1 / (1 + np.exp(-h)), 1 / (1 + np.exp(-2 * h)), np.tanh(3 * h), 1 / (1 + np.exp(-4 * h)))
            c = f * c + i * g
            h = o * np.tanh(c)
        return self._round(_launch("gates"), np.full(THREADS // 32, h))

    def meeting(self, blocks: int) -> float:
        return self._round(_launch(f"meeting_{blocks}", blocks), np.full(blocks, _CHECKED))

    def exchange(self, blocks: int) -> float:
        """Seconds of putting a block's numbers to all blocks of a cluster, a meeting, and reading one."""
        units = np.arange(blocks * _OWN)
        expected = (units + _CHECKED) % len(units) + _CHECKED
        return self._round(_launch(f"exchange_{blocks}", blocks, 4 * 2 * len(units)), expected)

    def rate(self, rows: int) -> float:
        """Multiply-adds of one block in a microsecond, its weights in registers."""
        length = _OWN * _SPLIT
        launch = _launch(f"products_{rows}", shared=4 * 3 * rows * length)
        seconds = self._round(launch, np.full(1, _CHECKED * rows * _WEIGHTS * _WEIGHT))
        return THREADS * _WEIGHTS * rows / (1e6 * seconds)

    def at_once(self, size: int) -> float:
        """The most clusters, each block on a multiprocessor of its own, that take less than half as long again as one:
        one more than fit waits for the first to end."""

        def seconds(count: int) -> float:
            launch = Launch(f"meeting_{size}", (count * size, 1), THREADS, _ALONE, size)
            return self._median(lambda: self._timed(launch, self._rounds.many))

        least, most = 1, max(1, self.processors // size)
        limit = 1.5 * seconds(1)
        while least < most:
            middle = (least + most + 1) // 2
            if seconds(middle) < limit:
                least = middle
            else:
                most = middle - 1
        return float(least)

    def _round(self, launch: Launch, expected: Any) -> float:
        """Seconds of one round of what computes the expected numbers in its first few."""
        self._out[:] = np.nan
        self._run(launch, _CHECKED)()
        found = self._device.backend.host(self._out)[: len(expected)]
        if not np.allclose(found, expected, rtol=1e-5, atol=0):
            raise ValueError(f"{launch.kernel} computes {found[:4]}, not {expected[:4]}")
        few, many = (self._median(lambda n=n: self._timed(launch, n)) for n in (self._rounds.few, self._rounds.many))
        if not many > few:
            raise ValueError(f"{launch.kernel}: {self._rounds.many} rounds took no longer than {self._rounds.few}")
        return (many - few) / (self._rounds.many - self._rounds.few)

    def _median(self, measure: Callable[[], float]) -> float:
        measure()
        return statistics.median(measure() for _ in range(self._rounds.tries))

    def _run(self, launch: Launch, rounds: int, steps: int = 1) -> Callable[[], Any]:
        place = self._device.backend.place
        words = place.table([0, rounds, place.address(self._out), place.address(self._weights)])
        return lambda: self._module.repeat([launch], words, steps)

    def _timed(self, launch: Launch, rounds: int, steps: int = 1) -> float:
        return self._device.timed(self._run(launch, rounds, steps), 1)[0]


def _launch(kernel: str, blocks: int = 1, shared: int = 0) -> Launch:
    """One cluster of so many blocks."""
    return Launch(kernel, (blocks, 1), THREADS, shared, blocks)
