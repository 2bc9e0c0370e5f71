"""Three ways from a window to a horizon: at once, step by step on its own forecasts, and at every step of the window.

An origin is a number of rows that are known. Its window is the rows [origin - window, origin), and its forecast the
rows origin + lead + h, h = 0 .. horizon - 1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rnnkit_kernels.types import Array

from ..chain import shape_in_a_row
from ..layers.base import Shape
from ..model import Sequential

__all__ = ["METHODS", "Direct", "Iterated", "Method", "SequenceToSequence"]


@dataclass(frozen=True)
class Method(ABC):
    """window, horizon, lead in rows; targets: positions of the columns to forecast; columns: D, of the table."""

    window: int
    horizon: int
    lead: int
    targets: tuple[int, ...]
    columns: int

    name: ClassVar[str]

    @property
    @abstractmethod
    def offsets(self) -> Array:
        """The rows that a model learns to answer with, counted from the origin."""

    @property
    @abstractmethod
    def answers(self) -> tuple[Shape, ...]:
        """The shapes, without the batch, that the model's output may have; the first is the usual one."""

    @abstractmethod
    def forecast(self, model: Sequential, x: Array) -> Array:
        """The horizons (B, horizon, T) for windows x (B, window, D), in units of the scale."""

    @property
    def reach(self) -> int:
        """Rows from the origin on that a training window needs."""
        return int(self.offsets.max()) + 1

    @property
    def span(self) -> int:
        """Rows from the origin to the end of its forecast."""
        return self.lead + self.horizon

    def labels(self, values: Array, origins: Array) -> Array:
        """What a model should answer with at each origin (K,), from values (N, D): (K, *offsets.shape, T)."""
        rows = np.add.outer(origins, self.offsets)
        return values[rows][..., list(self.targets)]

    def of_model(self, model: Sequential) -> Shape:
        """`answer_of`, of a model that is to be trained: raises ValueError for one that would be taught wrongly too."""
        return self.answer_of(model)

    def answer_of(self, model: Sequential) -> Shape:
        """The shape of one answer of the model. Builds a model that is not; raises ValueError for what does not fit."""
        D, T = self.columns, len(self.targets)
        model.accept((None, self.window, D))
        shape = shape_in_a_row(model.layers, (None, self.window, D))
        if shape[1:] not in self.answers:
            wanted = " or ".join(str((None, *answer)) for answer in self.answers)
            targets = f"{T} target{'s' * (T > 1)}"
            raise ValueError(
                f"{self.name!r} with window {self.window}, horizon {self.horizon} and {targets} needs a model that "
                f"makes {wanted} of windows {(None, self.window, D)}; this one makes {shape}: {self._hint(shape)}"
            )
        return shape[1:]

    def _hint(self, shape: Shape) -> str:
        if len(shape) == 3 and shape[1] == self.window:
            return "its last recurrent layer returns sequences, or a Flatten is absent before the first Dense"
        return f"let its last layer be Dense({self.answers[0][-1]})"


@dataclass(frozen=True)
class Direct(Method):
    """The whole horizon at once: the model makes horizon * T values, step by step and the targets beside each other."""

    name = "direct"

    @property
    def offsets(self) -> Array:
        return self.lead + np.arange(self.horizon)

    @property
    def answers(self) -> tuple[Shape, ...]:
        H, T = self.horizon, len(self.targets)
        return (H * T,), (H, T)

    def forecast(self, model: Sequential, x: Array) -> Array:
        return model.predict(x, batch_size=len(x)).reshape(len(x), self.horizon, len(self.targets))


@dataclass(frozen=True)
class Iterated(Method):
    """The next row, appended to the window to forecast the row after it, lead + horizon times.

    Raises ValueError unless every column is a target: a row that is to be read must have been forecast whole.
    """

    name = "iterated"

    def __post_init__(self) -> None:
        if len(self.targets) < self.columns:
            raise ValueError(
                f"'iterated' reads its own forecasts and so has to forecast every column; got {len(self.targets)} of "
                f"{self.columns} as targets. Leave targets out, cut the table to those columns, or use 'direct'"
            )

    @property
    def offsets(self) -> Array:
        return np.arange(1)

    @property
    def answers(self) -> tuple[Shape, ...]:
        T = len(self.targets)
        return (T,), (1, T)

    def forecast(self, model: Sequential, x: Array) -> Array:
        B, W, D = x.shape
        rows = np.concatenate([x, np.empty((B, self.span, D), x.dtype)], axis=1)
        for step in range(self.span):
            row = model.predict(rows[:, step : step + W], batch_size=B).reshape(B, D)
            rows[:, W + step, list(self.targets)] = row
        return rows[:, W + self.lead :][..., list(self.targets)]


@dataclass(frozen=True)
class SequenceToSequence(Method):
    """The horizon after every step of the window; the one after the last step is the forecast.

    So a window teaches `window` forecasts instead of one. An output may depend on its own step and those before it
    only, or it would be taught with what it reads: `of_model` refuses a model that looks ahead.
    Source: Géron 2019, Hands-On Machine Learning, chapter 15.
    """

    name = "seq2seq"

    @property
    def offsets(self) -> Array:
        return np.add.outer(np.arange(1 - self.window, 1), self.lead + np.arange(self.horizon))

    @property
    def answers(self) -> tuple[Shape, ...]:
        return ((self.window, self.horizon * len(self.targets)),)

    def of_model(self, model: Sequential) -> Shape:
        shape = super().of_model(model)
        at = self.window // 2
        if at and _looks_ahead(model, at, (self.window, self.columns)):
            raise ValueError(
                f"'seq2seq' teaches an output at every step with the rows after it, and this model's output at step "
                f"{at - 1} changes with step {at}: make its layers causal (no Bidirectional, padding='causal' in a "
                "Conv1D), or use 'direct'"
            )
        return shape

    def forecast(self, model: Sequential, x: Array) -> Array:
        return model.predict(x, batch_size=len(x))[:, -1].reshape(len(x), self.horizon, len(self.targets))

    def _hint(self, shape: Shape) -> str:
        if len(shape) < 3:
            return "let its last recurrent layer return sequences"
        return f"it is to keep every step and end in Dense({self.answers[0][-1]})"


def _looks_ahead(model: Sequential, at: int, shape: tuple[int, int]) -> bool:
    """Whether the outputs before step `at` change with what comes from there on."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, *shape))
    x[1, :at] = x[0, :at]
    y = model.predict(x)[:, :at]
    return not np.allclose(y[0], y[1], rtol=1e-4, atol=1e-6)


METHODS: dict[str, type[Method]] = {kind.name: kind for kind in (Direct, Iterated, SequenceToSequence)}
