"""Schedules: the learning rate as a function of the steps done before.

    rate = schedule(iteration)          iteration 0, 1, 2, ...: batches trained on before this one

An optimizer takes one where it takes a number, `Adam(ExponentialDecay(0.01, 1000, 0.9))`, and asks it at every step.
Any other function of the iteration will do as well; those here are frozen, equal by value, and can be saved.
Arguments, but for `name`, and numbers are those of Keras 3, `keras/src/optimizers/schedules/`; `OneCycle` is PyTorch's.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import ClassVar

from .foreign import UnderstandsKeras
from .ranges import check_flags, number, steps

__all__ = ["ALL", "Constant", "CosineDecay", "ExponentialDecay", "InverseTimeDecay", "LearningRateSchedule"]
__all__ += ["OneCycle", "PiecewiseConstantDecay", "PolynomialDecay"]


@dataclass(frozen=True)
class LearningRateSchedule(metaclass=UnderstandsKeras):
    """What the schedules share: the refusal of numbers out of range, when one is made.

    Rates, decays and powers are numbers from 0 up; decay_steps and total_steps whole numbers from 1 up.
    Raises ValueError for a number out of range, TypeError for what is no number or no flag.
    """

    # Ranges of options that are not [0, inf): lower limit, upper limit, which of them are allowed.
    limits: ClassVar[dict[str, tuple[float, float, str]]] = {}

    def __post_init__(self) -> None:
        check_flags(self)
        for entry in fields(self):
            name, given = entry.name, getattr(self, entry.name)
            if name.endswith("_steps"):
                given = steps(name, given, least=0 if name == "warmup_steps" else 1)
            elif not (given is entry.default or isinstance(entry.default, bool) or name in ("boundaries", "values")):
                given = number(name, given, *self.limits.get(name, ()))
            object.__setattr__(self, name, given)

    @abstractmethod
    def __call__(self, iteration: int) -> float:
        """The rate of the step that comes after `iteration` others."""


@dataclass(frozen=True)
class Constant(LearningRateSchedule):
    """The same rate at every step."""

    learning_rate: float

    def __call__(self, iteration: int) -> float:
        return self.learning_rate


@dataclass(frozen=True)
class PiecewiseConstantDecay(LearningRateSchedule):
    """values[0] up to and including iteration boundaries[0], then values[1] up to boundaries[1], ..., then values[-1].

    boundaries  strictly rising iterations;  values: rates, one more than boundaries
    Raises ValueError unless they are that. Lists become tuples.
    """

    boundaries: Sequence[float]
    values: Sequence[float]

    def __post_init__(self) -> None:
        super().__post_init__()
        ends = tuple(number(f"boundaries[{k}]", n) for k, n in enumerate(self.boundaries))
        rates = tuple(number(f"values[{k}]", n) for k, n in enumerate(self.values))
        if len(rates) != len(ends) + 1:
            raise ValueError(
                f"{len(ends)} boundaries and {len(rates)} values are given, expected one value more than boundaries: "
                "before the first, between any two, after the last."
            )
        if any(not low < high for low, high in pairwise(ends)):
            raise ValueError(f"boundaries are {list(ends)}, expected numbers that rise strictly.")
        object.__setattr__(self, "boundaries", ends)
        object.__setattr__(self, "values", rates)

    def __call__(self, iteration: int) -> float:
        return self.values[bisect_left(self.boundaries, iteration)]


@dataclass(frozen=True)
class ExponentialDecay(LearningRateSchedule):
    """rate = initial_learning_rate decay_rate^(iteration / decay_steps).

    With staircase the exponent is rounded down, so that the rate falls in steps (PyTorch's StepLR).
    """

    initial_learning_rate: float
    decay_steps: int
    decay_rate: float
    staircase: bool = False

    def __call__(self, iteration: int) -> float:
        return self.initial_learning_rate * self.decay_rate ** _periods(self, iteration)


@dataclass(frozen=True)
class InverseTimeDecay(LearningRateSchedule):
    """rate = initial_learning_rate / (1 + decay_rate iteration / decay_steps); staircase rounds the quotient down."""

    initial_learning_rate: float
    decay_steps: int
    decay_rate: float
    staircase: bool = False

    def __call__(self, iteration: int) -> float:
        return self.initial_learning_rate / (1 + self.decay_rate * _periods(self, iteration))


@dataclass(frozen=True)
class PolynomialDecay(LearningRateSchedule):
    """From initial_learning_rate at iteration 0 to end_learning_rate at decay_steps:

        rate = end + (initial - end) (1 - iteration / decay_steps)^power

    Then the rate stays; with cycle it starts again on a path that is longer by decay_steps, every time the end of one
    has been passed.
    """

    initial_learning_rate: float
    decay_steps: int
    end_learning_rate: float = 0.0001
    power: float = 1.0
    cycle: bool = False

    def __call__(self, iteration: int) -> float:
        length = self.decay_steps
        if self.cycle:
            length *= max(1, math.ceil(iteration / self.decay_steps))
        left = 1 - min(iteration, length) / length
        span = self.initial_learning_rate - self.end_learning_rate
        return span * left**self.power + self.end_learning_rate


@dataclass(frozen=True)
class CosineDecay(LearningRateSchedule):
    """Half a cosine from initial_learning_rate at iteration 0 to alpha times that at decay_steps, where it stays.

    With warmup_target the rate first rises along a line from initial_learning_rate to warmup_target, over warmup_steps,
    and then decays from there, to alpha warmup_target.
    Raises ValueError for warmup_steps without a warmup_target, which Keras passes over.
    Source: Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5, without restarts; warmup: Goyal et al. 2017,
    arXiv:1706.02677, section 2.2.
    """

    initial_learning_rate: float
    decay_steps: int
    alpha: float = 0.0
    warmup_target: float | None = None
    warmup_steps: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.warmup_steps and self.warmup_target is None:
            raise ValueError(
                f"warmup_steps is {self.warmup_steps} and warmup_target is None: give the rate that it leads to."
            )

    def __call__(self, iteration: int) -> float:
        start, highest, begin = self.initial_learning_rate, self.warmup_target, self.warmup_steps
        if highest is None:
            highest = start
        if iteration < begin:
            return (highest - start) * (iteration / begin) + start
        done = min(iteration - begin, self.decay_steps) / self.decay_steps
        return highest * ((1 - self.alpha) * 0.5 * (1 + math.cos(math.pi * done)) + self.alpha)


@dataclass(frozen=True)
class OneCycle(LearningRateSchedule):
    """Up to max_learning_rate and down again, both along half a cosine, in total_steps.

    It begins at max_learning_rate / div_factor, has its peak at iteration pct_start total_steps - 1, and ends at
    iteration total_steps - 1 with the first rate / final_div_factor, where it stays. (PyTorch turns up again for one
    iteration more and refuses the next.) A peak at or before iteration 0 is where the way down starts from.
    Source: Smith & Topin 2018, arXiv:1708.07120; PyTorch `OneCycleLR`, two phases, the learning rate alone.
    """

    max_learning_rate: float
    total_steps: int
    pct_start: float = 0.3
    div_factor: float = 25.0
    final_div_factor: float = 1e4

    limits: ClassVar[dict[str, tuple[float, float, str]]] = {
        "pct_start": (0.0, 1.0, "[]"),
        "div_factor": (0.0, math.inf, "()"),
        "final_div_factor": (0.0, math.inf, "()"),
    }

    def __call__(self, iteration: int) -> float:
        highest, last = self.max_learning_rate, self.total_steps - 1
        first, peak = highest / self.div_factor, self.pct_start * self.total_steps - 1
        iteration = min(iteration, last)
        if iteration < peak:
            return _cosine(first, highest, iteration / peak)
        if iteration == peak:
            return highest
        return _cosine(highest, first / self.final_div_factor, (iteration - peak) / (last - peak))


def _periods(schedule: ExponentialDecay | InverseTimeDecay, iteration: int) -> float:
    """How often decay_steps have passed; a whole number with staircase."""
    return iteration // schedule.decay_steps if schedule.staircase else iteration / schedule.decay_steps


def _cosine(start: float, end: float, share: float) -> float:
    """Half a cosine from start at share 0 to end at share 1."""
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))


ALL: dict[str, type[LearningRateSchedule]] = {
    kind.__name__: kind
    for kind in (
        Constant,
        CosineDecay,
        ExponentialDecay,
        InverseTimeDecay,
        OneCycle,
        PiecewiseConstantDecay,
        PolynomialDecay,
    )
}
