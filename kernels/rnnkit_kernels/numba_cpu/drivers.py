"""The loops over time, chunks and parts: plain functions, compiled once for all cells, that reach a cell by address.

Part p of P works on its share: of the rows, all steps through, without ever waiting; or of the units, and then all
parts meet after every level. Before that the parts have laid the weights out, in a run of its own: a part of rows thus
needs no other at its side, and who calls may do it where no thread comes in time. What a cell computes in a level, and
the products, are called by address.
"""

from __future__ import annotations

from functools import lru_cache

from .jit import c_function, compiled
from .parallel.atomics import call, flush_denormals, load, meet, restore_denormals, store
from .table import Slot

__all__ = ["PACK_JOB", "SUM_JOB", "driver"]

PACK_JOB = 11  # words: a function's address and its ten arguments, the last two: vectors in all, vectors of a block
SUM_JOB = 16  # words of a job of a chunk, see `_chunk`


@compiled
def word(table, slot):  # type: ignore[no-untyped-def]
    return load(table + 8 * slot)


@compiled
def share(count, grain, part, parts):  # type: ignore[no-untyped-def]
    """A part's share of `count` things that come in grains: first, last + 1."""
    grains = (count + grain - 1) // grain
    first = grains * part // parts * grain
    last = grains * (part + 1) // parts * grain
    return min(first, count), min(last, count)


@compiled
def pack(table, part):  # type: ignore[no-untyped-def]
    """Lays the weights out as tiles read them; the parts divide every matrix among them."""
    mode = flush_denormals()
    parts = word(table, Slot.PARTS)
    job = table + word(table, Slot.PACKING)
    for _ in range(word(table, Slot.PACKING_COUNT)):
        first, last = share(load(job + 72), load(job + 80), part, parts)
        if first < last:
            call(
                load(job), load(job + 8), load(job + 16), load(job + 24), load(job + 32), load(job + 40),
                load(job + 48), load(job + 56), load(job + 64), first, last,
            )  # fmt: skip
        job += 8 * PACK_JOB
    restore_denormals(mode)


@compiled
def ranges(table, part):  # type: ignore[no-untyped-def]
    """The rows and the vectors of units of a part: first row, last + 1, first vector, last + 1."""
    parts, rows, vectors = word(table, Slot.PARTS), word(table, Slot.ROWS), word(table, Slot.VECTORS)
    if word(table, Slot.SPLIT) == 0:
        first, last = share(rows, 1, part, parts)
        return first, last, 0, vectors
    each = word(table, Slot.UNITS_A_PART)
    return 0, rows, min(part * each, vectors), min((part + 1) * each, vectors)


@compiled
def step(table, t, place, part, r0, r1, w0, w1):  # type: ignore[no-untyped-def]
    """All levels of one step."""
    together = word(table, Slot.SPLIT) != 0 and word(table, Slot.PARTS) > 1
    for k in range(word(table, Slot.LEVELS)):
        if r0 < r1 and w0 < w1:
            call(load(word(table, Slot.LEVEL) + 8 * k), table, t, place, part, r0, r1, w0, w1)
        if together:
            meet(word(table, Slot.BARRIER), word(table, Slot.PARTS))


@compiled
def run_forward(table, part):  # type: ignore[no-untyped-def]
    mode = flush_denormals()
    r0, r1, w0, w1 = ranges(table, part)
    for t in range(word(table, Slot.STEPS)):
        step(table, t, 0, part, r0, r1, w0, w1)
    restore_denormals(mode)


@compiled
def run_backward(table, part):  # type: ignore[no-untyped-def]
    """Chunk by chunk from the end. Step t of a chunk that begins at b stands at place t - b of the ring; the place
    after the chunk's last step holds the step after it, zeros at the very end."""
    mode = flush_denormals()
    parts, split = word(table, Slot.PARTS), word(table, Slot.SPLIT)
    together = split != 0 and parts > 1
    r0, r1, w0, w1 = ranges(table, part)
    end, chunk = word(table, Slot.STEPS), word(table, Slot.CHUNK)
    while end > 0:
        begin = max(0, end - chunk)
        place = end - begin
        if not together:
            _behind(table, place, end, r0, r1)
        else:
            if part == 0:
                _behind(table, place, end, r0, r1)
            meet(word(table, Slot.BARRIER), parts)
        for t in range(end - 1, begin - 1, -1):
            step(table, t, t - begin, part, r0, r1, w0, w1)
        _chunk(table, part, begin, end, r0, r1, together)
        if together:
            meet(word(table, Slot.BARRIER), parts)
        end = begin
    _to_first_state(table, part, r0, r1, together)
    restore_denormals(mode)


@compiled
def _behind(table, place, end, r0, r1):  # type: ignore[no-untyped-def]
    """Gradient columns of the step after a chunk, for some rows: zeros at the end, else what stands at place 0."""
    size, ring = word(table, Slot.RING_ROW), word(table, Slot.RING)
    step_bytes = word(table, Slot.RING_STEP)
    for offset in range(r0 * size, r1 * size, 8):
        to = ring + place * step_bytes + offset
        store(to, 0 if end == word(table, Slot.STEPS) else load(ring + offset))


@compiled
def _chunk(table, part, begin, end, r0, r1, together):  # type: ignore[no-untyped-def]
    """The products over the steps of a chunk. A job is, in words:

    0 what: 0 the gradient of weights, 1 a product for every row      1 its function
    2 to  3 bytes of a row of it  4 bytes between two parts' (0: all parts write to one)
    5 from  6 its step  7 its row
    8 bytes from the ring's row to the columns wanted
    9 rows of the result, or its columns for a product    10 its columns, or k of a product
    11 how many columns make a grain    12 packed weights of a product    13 step of the result
    """
    parts, rows = word(table, Slot.PARTS), word(table, Slot.ROWS)
    ring, ring_step, ring_row = word(table, Slot.RING), word(table, Slot.RING_STEP), word(table, Slot.RING_ROW)
    job = table + word(table, Slot.JOBS)
    for _ in range(word(table, Slot.JOB_COUNT)):
        function, to, to_row = load(job + 8), load(job + 16), load(job + 24)
        gradient = ring + load(job + 64)
        if load(job) == 0:
            source, a_step, a_row = load(job + 40), load(job + 48), load(job + 56)
            source += begin * a_step
            n0, n1 = 0, load(job + 80)
            if together:
                n0, n1 = share(n1, load(job + 88), part, parts)
            else:
                to += part * load(job + 32)
                source += r0 * a_row
                gradient += r0 * ring_row
            steps, height = end - begin, r1 - r0
            b_step = ring_step
            if height == rows and a_step == rows * a_row and ring_step == rows * ring_row:
                steps, height = 1, steps * height
            if n0 < n1 and height > 0:
                call(
                    function, to, to_row, source, a_step, a_row, gradient, b_step, ring_row, steps, height,
                    load(job + 72), n0, n1,
                )  # fmt: skip
        else:
            _rows(table, job, part, begin, end, r0, r1, together)
        job += 8 * SUM_JOB


@compiled
def _rows(table, job, part, begin, end, r0, r1, together):  # type: ignore[no-untyped-def]
    """A product for every step and row of a chunk."""
    parts, rows = word(table, Slot.PARTS), word(table, Slot.ROWS)
    ring_step, ring_row = word(table, Slot.RING_STEP), word(table, Slot.RING_ROW)
    function, to, to_row = load(job + 8), load(job + 16), load(job + 24)
    gradient = word(table, Slot.RING) + load(job + 64)
    to_step, columns, length, panels = load(job + 104), load(job + 72), load(job + 80), load(job + 96)
    to += begin * to_step
    if r1 - r0 == rows and to_step == rows * to_row and ring_step == rows * ring_row:
        first, last = 0, (end - begin) * rows
        if together:
            first, last = share(last, 6, part, parts)
        if first < last:
            call(
                function, to + first * to_row, to_row, gradient + first * ring_row, ring_row, length, panels,
                last - first, columns,
            )  # fmt: skip
        return
    for s in range(end - begin):
        if r0 < r1:
            call(
                function, to + s * to_step + r0 * to_row, to_row, gradient + s * ring_step + r0 * ring_row, ring_row,
                length, panels, r1 - r0, columns,
            )  # fmt: skip


@compiled
def _to_first_state(table, part, r0, r1, together):  # type: ignore[no-untyped-def]
    """What the first state's h is owed through the first step's products: the job behind those of the chunks."""
    job = table + word(table, Slot.JOBS) + 8 * SUM_JOB * word(table, Slot.JOB_COUNT)
    if load(job + 8) == 0:
        return
    if together:
        r0, r1 = share(word(table, Slot.ROWS), 6, part, word(table, Slot.PARTS))
    ring_row, to_row = word(table, Slot.RING_ROW), load(job + 24)
    if r0 < r1:
        call(
            load(job + 8), load(job + 16) + r0 * to_row, to_row,
            word(table, Slot.RING) + load(job + 64) + r0 * ring_row, ring_row, load(job + 80), load(job + 96),
            r1 - r0, load(job + 72),
        )  # fmt: skip


@lru_cache(maxsize=3)
def driver(which: str) -> int:
    """The address of the C function `void f(int64 table, int64 part)` of "pack", "forward" or "backward"."""
    function = {"pack": pack, "forward": run_forward, "backward": run_backward}[which]
    return c_function(function, "void(int64, int64)")
