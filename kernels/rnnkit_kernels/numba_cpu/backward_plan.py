"""What a way back needs that depends on shapes alone; see `plan` for the way there."""

from __future__ import annotations

import math
from functools import lru_cache

from ..levels import Gradient
from . import machine
from .drivers import SUM_JOB
from .emit.narrow import NARROW
from .emit.products import BLOCK
from .packing import met_gates, pack_backward
from .plan import ForwardPlan, begun, constant
from .programs import products
from .split import Split
from .table import Slot
from .words import Room, Words

__all__ = ["BackwardPlan", "backward_plan"]

BESIDE = ("dh", "dh_step", "dh_row", "dx", "made")  # what a call knows besides what the way there was told

_LINE = 64  # bytes of a cache line
_RING = 4  # what part of a core's second cache the gradients of a chunk of steps may fill
_LEAST = 192  # rows of a chunk at least: each adds to all of dW and dU, which do not fit into the cache


class BackwardPlan:
    """work  bytes of scratch memory
    made  bytes of the memory for what comes out beside dx; `at`: how far into it each begins: W, U, sums of stored
          gradient columns, totals of the others, one after the other for each thread that makes its own; d.* for each
          state; first: what the first h is owed through U
    ring  how far into scratch the stored gradient columns begin; row: bytes between two rows of them
    totals  (steps told apart, columns, units and what fills the last vector)
    columns  by name, which gradient columns add up to a vector's gradient, gate by gate; None stands for zeros
    whole    by name, how far into `made` the gradient of a weight begins that lies there as it is, and its shape
    """

    def __init__(self, there: ForwardPlan, split: Split, trace: bool, dx: bool) -> None:
        program, shape = there.program, there.shape
        lowered, layout, size = program.backward, program.backward_layout, program.lanes.itemsize
        gradient = lowered.gradient
        assert gradient is not None
        self.program, self.shape, self.gradient = program, shape, gradient
        words, packing, room = begun(program, lowered, layout, shape, split, BESIDE)
        T, B, H = shape.T, shape.B, shape.H
        pack_backward(packing, lowered, layout, shape.F if dx else 0)
        row = -(-gradient.stored * H * size // 8) * 8  # rows are copied word by word
        if row % 512 == 0:
            row += _LINE  # else the rows of a chunk fall on the same few sets of the cache
        rows = B if split.by_units else -(-B // split.parts)
        chunk = T if trace else min(T, max(machine.cache_bytes(2) // _RING // (rows * row), -(-_LEAST // rows), 1))
        self.row, self.ring = row, room.take((chunk + 1) * B * row)
        self.copies = 1 if split.by_units else split.parts
        made = Room()
        gates = len(program.cell.gates)
        self.sizes = {"W": shape.F * gates * H, "U": H * gates * H, "sums": gradient.stored * H}
        self.totals = T if trace else 1, gradient.columns - gradient.stored, packing.vectors * program.lanes.count
        self.sizes["totals"] = math.prod(self.totals)
        self.at = {name: made.take(self.copies * count * size) for name, count in self.sizes.items()}
        self.zeroed = made.size
        self.first = self.at["first"] = made.take(B * H * size)
        for name in program.cell.state:
            self.at[f"d.{name}"] = made.take((T + 1 if trace else 1) * B * H * size)
        for slot, number, base in (
            (Slot.LEVEL, words.of(program.backward_addresses), ""),
            (Slot.STATE_SLOTS, -1, ""),
            (Slot.KEPT_STEP, B * H * size, ""),
            (Slot.KEPT_STEP_1, B * size, ""),
            (Slot.DH, 0, "dh"),
            (Slot.DH_STEP, 0, "dh_step"),
            (Slot.DH_ROW, 0, "dh_row"),
            (Slot.D_STEP, B * H * size if trace else 0, ""),
            (Slot.RING, self.ring, "work"),
            (Slot.RING_STEP, B * row, ""),
            (Slot.RING_ROW, row, ""),
            (Slot.TOTALS, self.at["totals"], "made"),
            (Slot.TOTALS_PART, 0 if split.by_units else self.sizes["totals"] * size, ""),
            (Slot.TOTALS_STEP, self.sizes["totals"] * size // T if trace else 0, ""),
            (Slot.CHUNK, chunk, ""),
        ):
            words.set(slot, number, base)
        words.set(layout.of["s.h"], 0, "h")
        self._tape = there.at
        for name, offset in there.at.items():
            if name in layout.of:
                words.set(layout.of[name], offset, "rest")
        for name in program.cell.state:
            words.set(layout.of[f"d.{name}"], self.at[f"d.{name}"], "made")
        packing.write(layout, "work")
        self._jobs(words, packing.panels)
        words.ready()
        self.words, self.work, self.made = words, room.size, made.size
        self.columns = {name: self._columns_of(name) for name in shape.weights if name not in ("W", "U")}
        self.whole: dict[str, tuple[int, tuple[int, ...]]] = {
            "W": (self.at["W"], (shape.F, gates * H)),
            "U": (self.at["U"], (H, gates * H)),
        }
        for name, at in self.columns.items():
            first = at[0]
            if first is not None and at == list(range(first, min(first + len(at), gradient.stored))):
                self.whole[name] = self.at["sums"] + first * H * size, (len(at) * H,)

    def _columns_of(self, name: str) -> list[int | None]:
        cell, gradient = self.program.cell, self.gradient
        if name in cell.unit_vectors:
            return [gradient.p.get(f"p.{name}")]
        if name in cell.gate_vectors:
            return [gradient.p.get(f"p.{name}.{q}") for q in cell.gates]
        if name == "b":
            return [gradient.x[q] for q in cell.gates]
        operands = self.program.operands  # an inner product has no bias
        return [None if q in operands else gradient.u[q] for q in cell.gates]

    def _jobs(self, words: Words, panels: dict[str, int]) -> None:
        """What is done after every chunk, and behind it what is done at the very end; see `drivers` for the words."""
        program, gradient, shape = self.program, self.gradient, self.shape
        gates, functions, size = program.cell.gates, products(program.lanes, program.registers), program.lanes.itemsize
        line, met = shape.H * size, met_gates(gradient)
        words.set(Slot.JOBS, 8 * len(words))
        count = 0

        def job(*numbers: int | tuple[int, str]) -> None:
            nonlocal count
            begin = len(words)
            for number in numbers:
                words.add(*(number if isinstance(number, tuple) else (number, "")))
            words.grow(begin + SUM_JOB)
            count += 1

        def weights(
            name: str, gate: int, source: tuple[int | tuple[int, str], ...], column: int, wide: int, height: int
        ) -> None:
            to = (self.at[name] + gate * line, "made")
            row = line * (gradient.stored if name == "sums" else len(gates))
            job(
                0, functions["gradient"], to, row, self.sizes[name] * size, *source, column * line, height,
                wide * shape.H, BLOCK * program.lanes.count,
            )  # fmt: skip

        step = shape.B * line
        for gate, column, wide in _runs(gates, gradient.x):
            weights("W", gate, ((0, "x"), (0, "x_step"), (0, "x_row")), column, wide, shape.F)
        for gate, column, wide in _runs(gates, {q: gradient.u[q] for q in met}):
            weights("U", gate, ((0, "met"), step, line), column, wide, shape.H)
        for q in program.operands:
            operand = (self._tape[f"v.{q}"], "rest")
            weights("U", gates.index(q), (operand, step, line), gradient.u[q], 1, shape.H)
        one = words.of(constant(1.0, shape.H, program.lanes.dtype))
        summed = _summed(gradient, shape.weights, program.operands)
        if summed:
            # the place is counted in gates: here in columns
            weights("sums", summed[0], (one, 0, 0), summed[0], summed[-1] + 1 - summed[0], 1)
        if "input" in panels:
            first, last = gradient.x_range
            input_row = shape.F * size
            function = functions["narrow" if shape.F <= NARROW else "product"]
            job(
                1, function, (0, "dx"), input_row, 0, 0, 0, 0, first * line, shape.F,
                (last - first) * shape.H, 0, (panels["input"], "work"), shape.B * input_row,
            )  # fmt: skip
        words.set(Slot.JOB_COUNT, count)
        first, last = gradient.h_range
        job(
            1, functions["product"] if met else 0, (self.first, "made"), line, 0, 0, 0, 0, first * line, shape.H,
            (last - first) * shape.H, 0, (panels.get("panel.0.0", 0), "work"), 0,
        )  # fmt: skip


def _summed(gradient: Gradient, weights: tuple[str, ...], operands: tuple[str, ...]) -> list[int]:
    """The stored columns whose sums over steps and rows are gradients of vectors, in order."""
    own = [at for name, at in gradient.p.items() if at < gradient.stored and name.split(".")[1] in weights]
    on_x = "b" in weights and not any(name.startswith("p.b.") for name in gradient.p)
    inputs = list(gradient.x.values()) if on_x else []
    recurrent = [at for q, at in gradient.u.items() if q not in operands] if "b_h" in weights else []
    return sorted({*own, *inputs, *recurrent})


def _runs(gates: tuple[str, ...], columns: dict[str, int]) -> list[tuple[int, int, int]]:
    """Gates and their gradient columns as stretches that lie side by side in both: first gate, first column, length."""
    runs: list[tuple[int, int, int]] = []
    for q, column in sorted(columns.items(), key=lambda item: item[1]):
        gate = gates.index(q)
        if runs and gate == runs[-1][0] + runs[-1][2] and column == runs[-1][1] + runs[-1][2]:
            runs[-1] = (*runs[-1][:2], runs[-1][2] + 1)
        else:
            runs.append((gate, column, 1))
    return runs


@lru_cache(maxsize=512)
def backward_plan(there: ForwardPlan, split: Split, trace: bool, dx: bool = True) -> BackwardPlan:
    """there: the plan of the way there, which left the tape; dx: whether dL/dx is asked for."""
    return BackwardPlan(there, split, trace, dx)
