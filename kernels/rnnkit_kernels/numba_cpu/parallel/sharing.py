"""How a call's parts are shared out among the threads of a crew, whose memory `crew` describes.

The caller calls every thread, does its own parts, and then all that no thread has begun by then: where other processes
hold the cores, a thread may come milliseconds after it was called. A part's results do not depend on who computes it.
"""

from __future__ import annotations

from ..jit import compiled
from .atomics import call, compare_exchange, load, load_acquire, processor, rest, store, store_release
from .crew import (
    ASLEEP,
    BYTES,
    CALLED,
    EXILE,
    EXILED,
    FIRST,
    FUNCTION,
    IDLE,
    LOCK,
    LOOKUP,
    MASK,
    MASK_BYTES,
    NARROW,
    PARTS,
    PROCESSOR,
    SPINS,
    STATE,
    STEP,
    TABLE,
    THREAD,
    WORKING,
    work,
)

__all__ = ["dispatch"]

_LONG = 40_000  # looks, a millisecond and more: parts are about equal, so one that has begun ends sooner


@compiled
def dispatch(base: int, size: int, release: int, before: int, function: int, table: int, parts: int) -> None:
    """Has `share_out` run `before`, unless it is 0, and then `function`."""
    if before:
        share_out(base, size, release, before, table, parts)
    share_out(base, size, release, function, table, parts)


@compiled
def share_out(base: int, size: int, release: int, function: int, table: int, parts: int) -> None:
    """function(table, part) for all parts: part p is of thread p % size, thread 0 being the caller's.

    release: address of `void PyThread_release_lock(void *)`. Returns when all parts are done.
    """
    last = min(size, parts)
    here = processor()
    for w in range(1, last):
        own = base + w * BYTES
        store(own + FUNCTION, function)
        store(own + TABLE, table)
        store(own + FIRST, w)
        store(own + STEP, size)
        store(own + PARTS, parts)
        rouse(own, release, here)
    work(function, table, 0, size, parts)
    for w in range(last - 1, 0, -1):  # the last was called last
        if compare_exchange(base + w * BYTES + STATE, CALLED, IDLE) == CALLED:
            work(function, table, w, size, parts)
    for w in range(1, last):
        await_end(base + w * BYTES)


@compiled
def rouse(own: int, release: int, here: int) -> None:
    """Calls the thread with memory `own` to the job that stands there; here: the caller's processor."""
    if load(own + LOOKUP) and load(own + EXILED) != here + 1 and _astray(own, here):
        exile(own, here)
    if compare_exchange(own + STATE, IDLE, CALLED) != IDLE:
        store_release(own + STATE, CALLED)
        call(release, load(own + LOCK))


@compiled
def _astray(own: int, here: int) -> bool:
    """Whether the thread may be about to begin where the caller is, or is kept off where the caller no longer is."""
    return load_acquire(own + STATE) == ASLEEP or load(own + PROCESSOR) == here or load(own + EXILED) != 0


@compiled
def await_end(own: int) -> None:
    """Returns when the thread with memory `own` has no job.

    A system may give a processor that was let go to another process for ten milliseconds. So that is done soon only
    where the thread that is waited for needs the same one.
    """
    looks = 0
    while load_acquire(own + STATE) == WORKING:
        looks += 1
        rest(looks, SPINS if load(own + PROCESSOR) == processor() else _LONG)


@compiled
def exile(own: int, here: int) -> None:
    """Keeps the thread with memory `own` off the processor `here`, the caller's, until it has begun a job.

    A system that saves power, or shares processors between machines, wakes a thread where its waker runs. There it
    would wait until the caller has done its own part, and the two would take turns from then on.
    """
    if not load(own + EXILED):
        for at in range(0, MASK_BYTES, 8):
            store(own + MASK + at, 0)
        call(load(own + LOOKUP), load(own + THREAD), MASK_BYTES, own + MASK)
    others = 0
    for at in range(0, MASK_BYTES, 8):
        bits = load(own + MASK + at)
        if here // 64 == at // 8:
            bits &= ~(1 << (here % 64))
        others |= bits
        store(own + NARROW + at, bits)
    if others:
        store(own + EXILED, here + 1)
        call(load(own + EXILE), load(own + THREAD), MASK_BYTES, own + NARROW)
