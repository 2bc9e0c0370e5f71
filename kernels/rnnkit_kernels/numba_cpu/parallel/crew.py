"""The threads behind `threads.team`: compiled loops that wait for C functions to call, outside of Python.

A thread of the crew enters `serve` once and never comes back: it needs no GIL, runs no Python, and there is nothing of
it that the end of the interpreter could trip over. It waits for its next job by looking at its word of memory, for
some hundred microseconds; then it sleeps on a lock of CPython's own (`PyThread_acquire_lock`: the lock beneath
`threading.Lock`, which works without the GIL on every system).

Memory of thread w of the crew, int64 words from `base + w * BYTES` on (w = 0 is the caller's):

    STATE     IDLE, CALLED, WORKING, ASLEEP, ABSENT (not come yet) or GONE: what both sides change, see below
    FUNCTION, TABLE, FIRST, STEP, PARTS   the job: function(table, part) for part = first, first + step, ... < parts
    LOCK      address of the lock it sleeps on, held by the thread except between waking it and its getting up
    PATIENCE  how many times to look before sleeping
    EXILE, LOOKUP   addresses of `sched_setaffinity` and `sched_getaffinity`: see `sharing.exile`; LOOKUP is 0 where no
              thread is to be kept off a processor, while EXILE stays for one that already is
    EXILED    1 + the processor it is kept off, while it may use NARROW only, else 0
    THREAD, PROCESSOR   the system's number of the thread, and the processor it was last seen on
    MASK, NARROW   processors the thread may use, as the system's bits: always, and until it has begun a job

The caller takes a thread from IDLE or ASLEEP to CALLED, and in the second case unlocks the sleeper. From there the
thread goes on to WORKING and back to IDLE; or the caller, whose own parts are done, takes the job back, and the thread
is IDLE again without having noticed: where other processes hold its processor, that may be milliseconds before it
runs. Between CALLED and IDLE the job is of whoever changed the word, and the words of the job are only read in WORKING.
A thread that is IDLE for long falls ASLEEP. What two sides may change is changed by compare-and-exchange.
"""

from __future__ import annotations

import ctypes
import sys
import time
from threading import Thread, get_native_id
from typing import Any

import numpy as np

from ...types import Array
from ..jit import compiled
from .atomics import call, compare_exchange, load, load_acquire, pause, processor, rest, store, store_release
from .cores import LIMIT, cores

__all__ = ["Crew"]

BYTES = 512
STATE, FUNCTION, TABLE, FIRST, STEP, PARTS = (8 * k for k in range(6))
LOCK, PATIENCE, EXILE, LOOKUP, EXILED, THREAD, PROCESSOR = (128 + 8 * k for k in range(7))
MASK, NARROW, MASK_BYTES = 256, 384, 128
IDLE, CALLED, WORKING, ASLEEP, ABSENT, GONE = range(6)

SPINS = 400  # looks, some ten microseconds, before a thread that waits lets others use its processor at times
_REST = 150e-6  # seconds a thread looks for its next job before it sleeps
_CROWDED = 20  # looks before a thread sleeps where there are more threads than cores
_ARRIVAL = 10.0  # seconds within which a new thread must have come to its loop


@compiled
def serve(own: int, acquire: int) -> None:
    """What a thread of the crew does until it is GONE; acquire: address of `int PyThread_acquire_lock(void *, int)`."""
    if compare_exchange(own + STATE, ABSENT, IDLE) != ABSENT:
        return
    looks = 0
    while load_acquire(own + STATE) != GONE:
        if load_acquire(own + STATE) == CALLED:
            if compare_exchange(own + STATE, CALLED, WORKING) != CALLED:
                continue  # taken back
            if load(own + EXILED):
                store(own + EXILED, 0)
                call(load(own + EXILE), 0, MASK_BYTES, own + MASK)
            store(own + PROCESSOR, processor())
            work(load(own + FUNCTION), load(own + TABLE), load(own + FIRST), load(own + STEP), load(own + PARTS))
            store_release(own + STATE, IDLE)
            looks = 0
        elif looks < load(own + PATIENCE):
            looks += 1
            rest(looks, SPINS)
            store(own + PROCESSOR, processor())
        elif compare_exchange(own + STATE, IDLE, ASLEEP) == IDLE:
            call(acquire, load(own + LOCK), 1)


@compiled
def work(function: int, table: int, first: int, step: int, parts: int) -> None:
    """function(table, part) for part = first, first + step, ... < parts."""
    for part in range(first, parts, step):
        call(function, table, part)


@compiled
def wait(looks: int) -> None:
    """`looks` pauses, to learn how long one takes."""
    for _ in range(looks):
        pause()


class Crew:
    """The threads that this process has started, at most `LIMIT - 1`. Not for two callers at once."""

    def __init__(self) -> None:
        words = np.zeros((LIMIT + 1) * BYTES // 8, np.int64)
        self.memory = words[-words.ctypes.data % BYTES // 8 :]
        self.base = self.memory.ctypes.data
        self.size = 1
        self.complete = False
        python = ctypes.pythonapi
        self._acquire, self.release = _address(python.PyThread_acquire_lock), _address(python.PyThread_release_lock)
        self._looks = 0

    def grow(self, wanted: int) -> int:
        """Starts threads until there are `wanted`, the caller's included; returns how many there are.

        The first time a thread cannot be had, the crew stays as it is for good.
        """
        if self.size < wanted and not self.complete:
            if not self._looks:
                wait(1)
                self._looks = int(_REST / min(_seconds_of_wait() for _ in range(3)) * 1000) + 1
            self.complete = True  # also when starting is interrupted: what has been begun is not begun twice
            while self.size < wanted and self._start(self.size):
                self.size += 1
            self.complete = self.size < wanted
            self._settle()
        return min(self.size, wanted)

    def _settle(self) -> None:
        crowded = self.size > cores()  # more threads than cores: one that waits takes the place of one that works
        self._set(PATIENCE, _CROWDED if crowded else self._looks)
        if sys.platform == "linux":
            system = ctypes.CDLL(None)
            self._set(EXILE, _address(system.sched_setaffinity))
            self._set(LOOKUP, 0 if crowded else _address(system.sched_getaffinity))

    def _set(self, word: int, value: int) -> None:
        self.memory[word // 8 :: BYTES // 8] = value

    def _start(self, w: int) -> bool:
        new = ctypes.PYFUNCTYPE(ctypes.c_void_p)(("PyThread_allocate_lock", ctypes.pythonapi))
        acquire = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)(self._acquire)
        lock = new()
        if not lock:
            return False
        acquire(lock, 1)
        own = self.memory[w * BYTES // 8 :]
        own[LOCK // 8], own[STATE // 8] = lock, ABSENT
        serve.compile("void(int64, int64)")
        try:
            # the thread's own reference keeps the memory alive for as long as it looks at it
            Thread(target=_live, args=(self.memory, w, self._acquire), name=f"rnnkit-{w}", daemon=True).start()
        except (RuntimeError, MemoryError):  # the system gives no more threads, or the interpreter is ending
            return False
        end = time.monotonic() + _ARRIVAL
        while own[STATE // 8] == ABSENT and time.monotonic() < end:
            time.sleep(20e-6)
        if own[STATE // 8] == ABSENT:
            own[STATE // 8] = GONE  # should it come after all, it leaves again
            return False
        return True

    def close(self) -> None:
        """Threads without a job go to sleep at once."""
        self._set(PATIENCE, 0)


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _live(memory: Array, w: int, acquire: int) -> None:
    memory[(w * BYTES + THREAD) // 8] = get_native_id()
    serve(memory.ctypes.data + w * BYTES, acquire)


def _seconds_of_wait() -> float:
    start = time.perf_counter()
    wait(1000)
    return time.perf_counter() - start
