"""The compiled way back through time.

The gradients of weights, input and initial state are made at once. What belongs to single steps (`states`, `x_pre`,
`u_pre`, `vectors`) is made when it is asked for: the same kernels run again and keep what they otherwise overwrite.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ..contract import Gradients
from ..types import Array
from . import memory
from .backward_plan import backward_plan
from .drivers import driver
from .parallel import threads
from .recurrence import CompiledTape, scratch
from .words import address

__all__ = ["CompiledGradients", "backward"]


class CompiledGradients(Gradients):
    """Gradients whose parts of single steps are made on demand; see `contract.Gradients` for the fields."""

    def __init__(self, tape: CompiledTape, dh: Array, dstate: dict[str, Array], dx: bool) -> None:
        made = _Run(tape, dh, dstate, trace=False, dx=dx)
        own = self.__dict__
        own["weights"], own["x"], own["state0"], own["fresh"] = made.weights(), made.dx, made.state0(), {}
        own["_again"] = tape, dh, dstate

    @cached_property
    def _traced(self) -> _Run:
        tape, dh, dstate = self.__dict__["_again"]
        run = _Run(tape, dh, dstate, trace=True, dx=False)
        run.state0()
        return run

    @cached_property
    def states(self) -> dict[str, Array]:
        return {name: self._traced.view(f"d.{name}") for name in self._traced.tape.cell.state}

    @cached_property
    def x_pre(self) -> Array:
        return self._traced.pre(self._traced.plan.gradient.x)

    @cached_property
    def u_pre(self) -> Array:
        return self._traced.pre(self._traced.plan.gradient.u)

    @cached_property
    def vectors(self) -> dict[str, Array]:
        return self._traced.vectors()


def backward(tape: CompiledTape, dh: Array, dstate: dict[str, Array] | None = None, *, dx: bool = True) -> Gradients:
    """See `textbook.recurrence.backward`: the same arguments but for `clip`, the same result, the same refusals."""
    cell, h = tape.cell, tape.h
    if dh.shape != (tape.shape.T, *h.shape[1:]):
        raise ValueError(f"{cell.name}: dh is (T, B, H) = {h[1:].shape}, as h; got {dh.shape}")
    owed = dstate or {}
    for name, last in owed.items():
        if name not in cell.state or last.shape != h.shape[1:]:
            shapes = ", ".join(f"{k} {h.shape[1:]}" for k in cell.state)
            raise ValueError(f"{cell.name}: dstate is a dict of {shapes}; got {name!r} {last.shape}")
    if dh.dtype != h.dtype or (dh.shape[2] > 1 and dh.strides[2] != dh.itemsize):
        dh = np.ascontiguousarray(dh, dtype=h.dtype)
    return CompiledGradients(tape, dh, owed, dx)


class _Run:
    """One run back, and what came out of it. trace: whether every step's values are kept; dx: whether dL/dx is made."""

    def __init__(self, tape: CompiledTape, dh: Array, dstate: dict[str, Array], trace: bool, dx: bool) -> None:
        shape = tape.shape
        self.tape, self._trace, self._dtype = tape, trace, tape.h.dtype
        self.dx = memory.empty((shape.T, shape.B, shape.F), self._dtype) if dx else None
        with threads.team(tape.split.parts) as team:
            split = tape.split.among(team.size)
            self.plan = plan = backward_plan(tape.plan, split, trace, dx)
            self._work, begin = scratch(plan.work)
            self._made = memory.empty((plan.made,), np.uint8)
            self._made[: plan.zeroed] = 0
            for name in tape.cell.state:
                self.view(f"d.{name}")[-1] = dstate.get(name, 0)
            told = tape.told
            if tape.mask is not None and (x := tape.factor) is not tape.given:
                told = address(x), *x.strides[:2], *told[3:]
            at_dx = 0 if self.dx is None else address(self.dx)
            words = plan.words.made((begin, *told, address(dh), *dh.strides[:2], at_dx, address(self._made)))
            team.run(driver("backward"), address(words), split.parts, before=driver("pack"))
        if plan.copies > 1:
            for name, size in plan.sizes.items():
                _add(self._array(name, plan.copies, size))
        if trace:
            self._ring_at = begin - address(self._work) + plan.ring
        else:
            del self._work

    def _array(self, name: str, *shape: int) -> Array:
        return np.ndarray(shape, self._dtype, self._made, self.plan.at[name])

    def view(self, name: str) -> Array:
        """dL/d(state) by its name in the table: of every step where all are kept, else of the first alone."""
        steps = self.tape.shape.T + 1 if self._trace else 1
        return self._array(name, steps, self.tape.shape.B, self.tape.shape.H)

    def weights(self) -> dict[str, Array]:
        tape, plan = self.tape, self.plan
        found = {name: np.ndarray(shape, self._dtype, self._made, at) for name, (at, shape) in plan.whole.items()}
        if len(found) < len(tape.weights):
            H, count = tape.shape.H, plan.gradient.stored
            sums = np.concatenate([self._array("sums", count, H), self._totals()[0]])
            for name, weight in tape.weights.items():
                if name not in found:
                    found[name] = _picked(sums, plan.columns[name]).reshape(weight.shape)
        return {name: found[name] for name in tape.weights}

    def state0(self) -> dict[str, Array]:
        """By name; what h is owed through the products of the first step comes on top."""
        owed = {name: self.view(f"d.{name}")[0] for name in self.tape.cell.state}
        if self.plan.gradient.h_range[0] < self.plan.gradient.h_range[1]:
            first = self._array("first", self.tape.shape.B, self.tape.shape.H)
            first = first if self.tape.drop is None else first * self.tape.drop
            owed["h"] += first if self.tape.mask is None else np.where(self.tape.mask[0][:, None], first, 0)
        return owed

    def _columns(self) -> Array:
        """The stored gradient columns of all steps, (T, B, columns, H)."""
        shape, plan = self.tape.shape, self.plan
        strides = shape.B * plan.row, plan.row, shape.H * self._dtype.itemsize, self._dtype.itemsize
        size = shape.T, shape.B, plan.gradient.stored, shape.H
        return np.ndarray(size, self._dtype, self._work, self._ring_at, strides)

    def _totals(self) -> Array:
        """Of the columns that are not stored: (T, columns, H), or over all steps (1, columns, H)."""
        return self._array("totals", *self.plan.totals)[..., : self.tape.shape.H]

    def pre(self, at: dict[str, int]) -> Array:
        columns, shape = self._columns(), self.tape.shape
        return np.stack([columns[:, :, at[q]] for q in self.tape.cell.gates], axis=2).reshape(shape.T, shape.B, -1)

    def vectors(self) -> dict[str, Array]:
        cell, weights = self.tape.cell, self.tape.weights
        sums = np.concatenate([self._columns().sum(axis=1), self._totals()], axis=1)
        own = [name for name in (*cell.gate_vectors, *cell.unit_vectors) if name in weights]
        zero = np.zeros_like(sums[:, 0])
        return {
            name: np.concatenate([zero if k is None else sums[:, k] for k in self.plan.columns[name]], axis=1)
            for name in own
        }


def _add(copies: Array) -> None:
    """Adds to the first what the other threads made, in their order."""
    for more in copies[1:]:
        copies[0] += more


def _picked(sums: Array, at: list[int | None]) -> Array:
    """Columns side by side; None stands for zeros."""
    return np.stack([np.zeros_like(sums[0]) if k is None else sums[k] for k in at])
