"""What every optimizer shares: the order of a step, rate, accumulation, weight decay, the refusal of bad numbers."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np

from rnnkit_kernels.elementwise import Elementwise, decayed
from rnnkit_kernels.types import Array

from .. import trees
from ..foreign import UnderstandsKeras
from ..ranges import check_flags, number, steps
from . import clipping

__all__ = ["Optimizer", "Updated"]

_CLIPPINGS = {
    "clipnorm": clipping.by_norm,
    "global_clipnorm": clipping.by_global_norm,
    "clipvalue": clipping.by_value,
}
_ABOVE_0, _BELOW_1 = (0.0, math.inf, "()"), (0.0, 1.0, "[)")
_LIMITS = {
    "weight_decay": (0.0, math.inf, "[)"),
    "initial_accumulator_value": (0.0, math.inf, "[)"),
    **dict.fromkeys(["epsilon", *_CLIPPINGS], _ABOVE_0),
    **dict.fromkeys(["momentum", "rho", "beta_1", "beta_2"], _BELOW_1),
}


@dataclass(frozen=True)
class Updated:
    """One parameter after a step: a leaf to `trees`, where a tuple would be a branch."""

    param: Array
    slots: Mapping[str, Array]


@dataclass(frozen=True)
class Optimizer(metaclass=UnderstandsKeras):
    """What all rules share: the order of a step, clipping, decay, accumulation.

    learning_rate    step size; or a schedule, any function iteration -> step size, asked with the number of calls of
                     `step` before this one
    weight_decay     share of every parameter that a step takes away before the update, times learning_rate (decoupled)
    clipnorm         each gradient array is scaled down to this L2 norm where it is longer
    global_clipnorm  all gradients together are scaled down to this L2 norm where they are longer
    clipvalue        each entry of a gradient is limited to [-clipvalue, clipvalue]
    gradient_accumulation_steps
                     parameters move with every n-th call only, n from 2 up, along the mean gradient of n calls: clipped
                     as a mean, decayed once. Between, the gradients are summed, and all else stays as it is.
    None, the default of the last five, leaves them out.
    Raises ValueError for a number out of range and for two clippings at once, TypeError for what is no number,
    and for a flag that is neither True nor False.
    A NaN or infinite gradient is not looked for.
    """

    learning_rate: float | Callable[[int], float] = 0.01
    weight_decay: float | None = field(default=None, kw_only=True)
    clipnorm: float | None = field(default=None, kw_only=True)
    global_clipnorm: float | None = field(default=None, kw_only=True)
    clipvalue: float | None = field(default=None, kw_only=True)
    gradient_accumulation_steps: int | None = field(default=None, kw_only=True)

    # Numbers kept beside the slots, one for all parameters, and what they start from.
    numbers: ClassVar[Mapping[str, float]] = {}

    def __post_init__(self) -> None:
        check_flags(self)
        for name in (entry.name for entry in fields(self)):
            if name in _LIMITS and getattr(self, name) is not None:
                object.__setattr__(self, name, number(name, getattr(self, name), *_LIMITS[name]))
        rate = self.learning_rate
        if isinstance(rate, type):
            raise TypeError(f"learning_rate is the class {rate.__name__}: write it with its brackets.")
        if not callable(rate):
            object.__setattr__(self, "learning_rate", number("learning_rate", rate))
        if (n := self.gradient_accumulation_steps) is not None:
            object.__setattr__(self, "gradient_accumulation_steps", steps("gradient_accumulation_steps", n, least=2))
        given = [name for name in _CLIPPINGS if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are given together, expected one clipping at most: keep one.")

    @property
    @abstractmethod
    def slots(self) -> tuple[str, ...]:
        """Names of the arrays kept for every parameter."""

    def first(self, slot: str) -> float:
        """What the slot of that name is filled with before the first step."""
        return 0.0

    def advanced(self, numbers: Mapping[str, float], t: int) -> dict[str, float]:
        """The `numbers` of step t = 1, 2, ..., from those of the step before."""
        return dict(numbers)

    @abstractmethod
    def update(self, p: Array, g: Array, kept: Mapping[str, Any], rate: float, t: int) -> Updated:
        """The rule for one parameter p and its gradient g, at learning rate `rate` in step t = 1, 2, ...

        kept  by name: the slots, arrays like p, as the last step left them, and the numbers of this step
        """

    def compiled(self, rate: float, t: int, kept: Mapping[str, float]) -> tuple[str, tuple[float, ...]] | None:
        """The name of a rule that `Elementwise.moved` may know, and its numbers in that step, where there is one that
        does what `update` does, bit by bit; else None. kept: the `numbers` of this step."""
        return None

    def init(self, params: Any) -> dict[str, Any]:
        """The state before the first step, by name: "iterations", 0; the numbers; each slot, a tree like `params`; and,
        where gradients are accumulated, their sum so far, "gradient_accumulator", a tree like `params`.
        """
        state: dict[str, Any] = {"iterations": 0, **self.numbers}
        for name in self.slots:
            state[name] = trees.map(lambda p, name=name: np.full_like(p, self.first(name)), params)
        if self.gradient_accumulation_steps is not None:
            state["gradient_accumulator"] = trees.map(np.zeros_like, params)
        return state

    def step(
        self, params: Any, grads: Any, state: Mapping[str, Any], kernels: Elementwise | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """One step down the gradient; or, between two of an optimizer that accumulates, one gradient more, and `params`
        as they are.

        params, grads: trees of one structure and of the same shapes.  state: from `init` or the last `step`.
        kernels: what computes a rule in one pass where it has it, `Backend.elementwise`; the bits are the same.
        Returns the new (params, state). Raises ValueError where structures, shapes or slots do not match, and for a
        schedule that gives no rate.
        """
        self._check_state(state)
        done = int(state["iterations"])
        new: dict[str, Any] = {**state, "iterations": done + 1}
        n = self.gradient_accumulation_steps
        if n is not None:
            grads = _like(params, grads, "gradient")
            total = trees.map(np.add, grads, _like(params, state["gradient_accumulator"], "gradient_accumulator"))
            if (done + 1) % n:
                return params, new | {"gradient_accumulator": total}
            grads = trees.map(lambda g: g / n, total)
            new["gradient_accumulator"] = trees.map(np.zeros_like, total)
        t = done // (n or 1) + 1
        rate = self._rate(done)
        new |= (numbers := self.advanced({name: float(state[name]) for name in self.numbers}, t))
        slots = self.slots
        rows = _rows(params, self._clipped(params, grads), *(state[name] for name in slots), names=("gradient", *slots))
        moved = self._moved(rows, rate, t, numbers, kernels)
        found = [trees.like(params, leaves) for leaves in zip(*moved, strict=True)] or [params] * (1 + len(slots))
        return found[0], new | dict(zip(slots, found[1:], strict=True))

    def _moved(
        self, rows: list[tuple[Array, ...]], rate: float, t: int, numbers: Mapping[str, float],
        kernels: Elementwise | None,
    ) -> list[tuple[Array, ...]]:  # fmt: skip
        """What each row, a parameter, its gradient and its slots, becomes: the parameter, decayed and updated, and the
        slots."""
        decay = None if self.weight_decay is None else (self.weight_decay, rate)
        slots = self.slots

        def updated(row: tuple[Array, ...]) -> tuple[Array, ...]:
            p, g, *kept = row
            new = self.update(decayed(p, decay), g, {**dict(zip(slots, kept, strict=True)), **numbers}, rate, t)
            return new.param, *[new.slots[name] for name in slots]

        compiled = None if kernels is None else self.compiled(rate, t, numbers)
        if kernels is None or compiled is None:
            return [updated(row) for row in rows]
        found = kernels.moved(*compiled, rows, decay)
        return [updated(row) if new is None else new for row, new in zip(rows, found, strict=True)]

    def _check_state(self, state: Mapping[str, Any]) -> None:
        sums = () if self.gradient_accumulation_steps is None else ("gradient_accumulator",)
        expected = {"iterations", *self.numbers, *self.slots, *sums}
        if set(state) != expected:
            raise ValueError(
                f"the state holds {sorted(state)}, {self} expects {sorted(expected)}: "
                "start from init(params) of this optimizer."
            )

    def _rate(self, iteration: int) -> float:
        rate = self.learning_rate
        if not callable(rate):
            return rate
        return number(f"the learning rate of {rate!r} at iteration {iteration}", rate(iteration))

    def _clipped(self, params: Any, grads: Any) -> Any:
        for name, clip in _CLIPPINGS.items():
            if (limit := getattr(self, name)) is not None:
                return clip(_like(params, grads, "gradient"), limit)
        return grads


def _rows(params: Any, *others: Any, names: tuple[str, ...]) -> list[tuple[Array, ...]]:
    """Each parameter with what stands at its place in the other trees, checked and cast by `_fitting`."""
    return [
        row if _alike(row) else (row[0], *[_fitting(row[0], a, name) for a, name in zip(row[1:], names, strict=True)])
        for row in trees.rows(params, *others)
    ]


def _alike(row: tuple[Any, ...]) -> bool:
    """Whether these are arrays of one shape and dtype: nearly always."""
    p = row[0]
    return all(type(a) is np.ndarray and a.shape == p.shape and a.dtype == p.dtype for a in row)


def _like(params: Any, tree: Any, role: str) -> Any:
    """`tree` with every leaf in its parameter's dtype, refused where structure or shapes differ."""
    return trees.map(lambda p, leaf: _fitting(p, leaf, role), params, tree)


def _fitting(p: Array, leaf: Array, role: str) -> Array:
    """`leaf` in its parameter's dtype. Raises TypeError for what is no array, ValueError for one of another shape."""
    if type(p) is type(leaf) is np.ndarray and p.shape == leaf.shape and p.dtype == leaf.dtype:
        return leaf
    for what, given in (("parameter", p), (role, leaf)):
        if not hasattr(given, "shape"):
            raise TypeError(
                f"a {what} is {given!r}, expected an array: a list is a place of the tree, write np.array([...])."
            )
    if p.shape != leaf.shape:
        raise ValueError(f"a {role} {leaf.shape} came for a parameter {p.shape}, expected the same shape.")
    return leaf.astype(p.dtype, copy=False)
