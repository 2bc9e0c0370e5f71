"""C functions for a team of threads to run, and processes that use one: for test_threads."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
from numba import cfunc, types

from rnnkit_kernels.numba_cpu.parallel import atomics, threads

ROOT = Path(__file__).parents[2]
LINE = 16  # int64 words from one part's words to the next's
BARRIER = 8192  # bytes from the first word to one that no part writes
_kept: list[np.ndarray] = []
thread_number = types.ExternalFunction("pthread_self", types.uintp())


def words(count: int = 4096) -> tuple[np.ndarray, int]:
    """Zeroed words and their address, which stays good to the end of the process."""
    memory = np.zeros(count + 16, np.int64)
    memory = memory[-memory.ctypes.data % 128 // 8 :][:count]
    _kept.append(memory)
    return memory, memory.ctypes.data


@lru_cache(maxsize=1)
def count():
    """Adds 1 to the part's own word."""

    @cfunc("void(int64, int64)")
    def job(table, part):
        atomics.store(table + 128 * part, atomics.load(table + 128 * part) + 1)

    return job


@lru_cache(maxsize=2)
def trace(participants: int):
    """Writes down which thread ran the part, and as the how-manieth of all. The first `participants` parts meet."""

    @cfunc("void(int64, int64)")
    def job(table, part):
        if part < participants:
            atomics.meet(table + BARRIER, participants)
        atomics.store(table + 128 * part + 136, thread_number())
        atomics.store(table + 128 * part + 144, atomics.fetch_add(table, 1))

    return job


@lru_cache(maxsize=4)
def rounds(participants: int, meetings: int = 3000):
    """Each part writes the number of the round beside the others', meets them, and counts what it finds amiss.

    Words: 0 the barrier, 16 the count of what was amiss, then two boards of the parts' words, used in turn.
    """

    @cfunc("void(int64, int64)")
    def job(table, part):
        for r in range(1, meetings + 1):
            board = table + 256 + (r % 2) * 128 * participants
            atomics.store(board + 128 * part, r)
            atomics.meet(table, participants)
            for other in range(participants):
                if atomics.load_acquire(board + 128 * other) != r:
                    atomics.fetch_add(table + 128, 1)

    return job


@lru_cache(maxsize=1)
def until_told():
    """Runs until word 0 is no longer zero; word 1 says that it has begun."""

    @cfunc("void(int64, int64)")
    def job(table, part):
        atomics.store_release(table + 8, 1)
        while atomics.load_acquire(table) == 0:
            atomics.yield_processor()

    return job


@lru_cache(maxsize=1)
def delayed():
    """Pauses as often as the part's second word says, then adds 1 to its first, in one step."""

    @cfunc("void(int64, int64)")
    def job(table, part):
        own = table + 128 * part
        for _ in range(atomics.load(own + 8)):
            atomics.pause()
        atomics.fetch_add(own, 1)

    return job


@lru_cache(maxsize=2)
def behind(parts: int):
    """Counts in the word behind the barrier's line how many of all parts' first words are not those of part 0."""

    @cfunc("void(int64, int64)")
    def job(table, part):
        for other in range(parts):
            if atomics.load_acquire(table + 128 * other) != atomics.load_acquire(table):
                atomics.fetch_add(table + BARRIER + 128, 1)

    return job


def use(times: int = 50) -> int:
    """Has a team of two count and meet, and returns how many there really were."""
    with threads.team(2) as t:
        memory, table = words()
        for _ in range(times):
            t.run(count().address, table, 2)
        assert memory[0] == memory[LINE] == times, memory[: 2 * LINE : LINE]
        memory, table = words()
        t.run(rounds(t.size, 100).address, table, t.size)
        assert memory[LINE] == 0
        return t.size


def alone(code: str, timeout: float = 60, **environment: str) -> str:
    """What a fresh process prints that runs `code`, which must end well within `timeout` seconds."""
    paths = [ROOT / "kernels", Path(__file__).parent]
    settings = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), **environment}
    done = subprocess.run(
        [sys.executable, "-c", code], env=settings, capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stderr}"
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout.strip()
