"""The compiled recurrence: what goes in and comes out is the textbook's, see `contract`.

A forward pass leaves the same tape as the textbook does, in arrays that the kernel wrote as they are.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Any, ClassVar

import numpy as np

from ..checks import check_call
from ..contract import Cell, Tape
from ..types import Array
from . import memory
from .drivers import driver
from .padding import finite_padding
from .parallel import threads
from .plan import ForwardPlan, Shape, forward_plan
from .programs import Compiled, compiled_cell, width
from .split import Split, choose
from .words import address

__all__ = ["CompiledTape", "forward", "scratch"]

_ALIGNED = 64
_NAMES = {"f": "float32", "d": "float64"}


class CompiledTape(Tape):
    """A tape whose fields are views of the memory that the kernel wrote, made when they are asked for.

    program, shape, split  what ran, on what, and how it was divided
    h, met    (T+1, B, H): h, and m * h, which is h where nothing is dropped
    given     x as it came, with whatever stands in its padding
    told      where all of these lie, as the kernel was told: the values of `plan.CALL` but "work", of weights and zeros
    """

    origin: ClassVar[str] = "numba"

    def __init__(
        self, program: Compiled, shape: Shape, split: Split, plan: ForwardPlan,
        given: tuple[dict[str, Array], Array, Array | None, Array | None], arrays: tuple[Array, Array, Array],
        told: tuple[int, ...],
    ) -> None:  # fmt: skip
        own = self.__dict__
        own["cell"], own["program"], own["shape"], own["split"] = program.cell, program, shape, split
        own["weights"], own["given"], own["mask"], own["drop"] = given
        own["h"], own["met"], own["rest"] = arrays
        own["told"] = told
        own["plan"], own["zone"], own["reset"], own["began"], own["made"] = plan, {}, None, {}, {}

    program: Compiled
    shape: Shape
    split: Split
    plan: ForwardPlan
    given: Array
    h: Array
    met: Array
    rest: Array
    told: tuple[int, ...]

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledTape:
        """Itself: nobody writes to a tape, and where its arrays lie is part of it."""
        return self

    def _view(self, name: str, *shape: int) -> Array:
        at = self.plan.at[name]
        return np.ndarray(shape, self.h.dtype, self.rest, at)

    @cached_property
    def x(self) -> Array:
        """As the textbook has it, with zeros in padding."""
        return self.given if self.mask is None else _without_padding(self.given, self.mask)

    @cached_property
    def factor(self) -> Array:
        """x as the gradient of W takes it: zeros are needed only where 0 x would not be 0."""
        if self.mask is None or finite_padding(self.given, self.mask):
            return self.given
        return self.x

    @cached_property
    def states(self) -> dict[str, Array]:
        T, B, H = self.shape.T, self.shape.B, self.shape.H
        return {name: self.h if name == "h" else self._view(f"s.{name}", T + 1, B, H) for name in self.cell.state}

    @cached_property
    def kept(self) -> dict[str, Array]:
        single, (T, B, H) = self.program.single, (self.shape.T, self.shape.B, self.shape.H)
        kept = {name: self._view(f"k.{name}", T, B, 1 if f"k.{name}" in single else H) for name in self.program.kept}
        if self.mask is not None:
            for value in kept.values():
                value[~self.mask] = 0  # a step that did not happen, maybe of NaN: the way back does not read it
        return kept


def forward(
    cell: Cell,
    weights: dict[str, Array],
    x: Array,
    state0: dict[str, Array],
    *,
    mask: Array | None = None,
    drop: Array | None = None,
    tape: bool = True,
    program: Compiled | None = None,
    split: Split | None = None,
) -> tuple[Array, dict[str, Array], Tape | None]:
    """See `textbook.recurrence.forward`. tape: False leaves none, and keeps nothing on the way.

    program, split  which compiled form and which division among threads; chosen where None
    """
    dtype = x.dtype
    chosen, shape = _known(cell, _form(x), _forms(weights), _forms(state0), _form(mask), _form(drop))
    program = program or chosen
    T, B, F, H = shape[:4]
    size = program.lanes.itemsize
    if mask is not None:
        mask = np.ascontiguousarray(mask)
    if F > 1 and x.strides[2] != size:
        x = np.ascontiguousarray(x)
    h = memory.empty((T + 1, B, H), dtype)
    h[0] = state0["h"]
    met = h
    if drop is not None:
        drop = np.ascontiguousarray(drop, dtype)
        met = memory.empty((T + 1, B, H), dtype)
        np.multiply(h[0], drop, out=met[0])
    weights = {name: w if w.flags.c_contiguous else np.ascontiguousarray(w) for name, w in weights.items()}
    wanted = split or choose(cell, T, B, F, H, size, program.lanes.count)
    with threads.team(wanted.parts) as team:
        used = wanted.among(team.size)
        plan = forward_plan(program, shape, used, tape)
        _work, begin = scratch(plan.work)
        rest = memory.empty((plan.rest or 1,), np.uint8)
        for name in cell.state:
            if name != "h":
                np.ndarray((B, H), dtype, rest, plan.at[f"s.{name}"])[...] = state0[name]
        at_h = address(h)
        told = (
            address(x), *x.strides[:2], 0 if mask is None else address(mask), 0 if drop is None else address(drop),
            at_h, at_h if met is h else address(met), address(rest), *map(address, weights.values()), plan.zeros,
        )  # fmt: skip
        words = plan.words.made((begin, *told))
        team.run(driver("forward"), address(words), used.parts, before=driver("pack"))
    end = (T if tape else T & 1) * B * H * size
    last = {
        name: h[T] if name == "h" else np.ndarray((B, H), dtype, rest, plan.at[f"s.{name}"] + end)
        for name in cell.state
    }
    if not tape:
        return h[1:], last, None
    return h[1:], last, CompiledTape(program, shape, used, plan, (weights, x, mask, drop), (h, met, rest), told)


_Form = tuple[tuple[int, ...], np.dtype[Any]]


@lru_cache(maxsize=512)
def _known(
    cell: Cell, x: _Form, weights: tuple[tuple[str, _Form], ...], state0: tuple[tuple[str, _Form], ...],
    mask: _Form | None, drop: _Form | None,
) -> tuple[Compiled, Shape]:  # fmt: skip
    """The compiled form and the shape of a call with arrays of these forms, which `check_call` has let pass."""
    given = {name: _stand_in(form) for name, form in weights}
    states = {name: _stand_in(form) for name, form in state0}
    check_call(
        cell, given, _stand_in(x), states, None if mask is None else _stand_in(mask),
        None if drop is None else _stand_in(drop),
    )  # fmt: skip
    (T, B, F), dtype = x
    H, name = given["U"].shape[0], _NAMES[dtype.char]
    shape = Shape(T, B, F, H, tuple(given), mask is not None, drop is not None)
    return compiled_cell(cell, name, width(name, H)), shape


def _form(a: Array | None) -> Any:
    return None if a is None else (a.shape, a.dtype)


def _forms(arrays: dict[str, Array]) -> tuple[tuple[str, _Form], ...]:
    return tuple([(name, (a.shape, a.dtype)) for name, a in arrays.items()])


def _stand_in(form: _Form) -> Array:
    """An array of that form, of a single number's memory."""
    return np.broadcast_to(np.empty((), form[1]), form[0])


def scratch(size: int) -> tuple[Array, int]:
    """Memory that begins at a multiple of 64 bytes, and where; the barrier at its beginning is as before its use."""
    block = memory.empty((size + _ALIGNED,), np.uint8)
    at = address(block)
    begin = -(-at // _ALIGNED) * _ALIGNED
    block[begin - at : begin - at + 8] = 0
    return block, begin


def _without_padding(x: Array, mask: Array) -> Array:
    x = x.copy(order="C")
    x[~mask] = 0
    return x
