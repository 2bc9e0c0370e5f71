"""Metrics of single steps: of the last one, and of each step or output of a horizon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnkit_kernels.types import Array

from ..losses import MSE, Comparison
from .base import Average
from .means import Mean

__all__ = ["LastStep", "PerHorizon"]


_MSE = Mean("mse", MSE())


@dataclass(frozen=True)
class LastStep(Average):
    """A metric over the last step of each row only, y[:, -1]; with a mask over the last real one.

    metric  what is averaged there, an `Average`; mean squared error unless given
    name    the key in a history
    y is (B, T, ...); for y (B, D), of a model without steps, it is the last output. A row whose steps are all masked
    is not counted. Raises ValueError for y (B,), and for rows of classes (B, C).
    """

    metric: Average = _MSE
    name: str = "last_step_mse"

    def __post_init__(self) -> None:
        _check("LastStep", self.metric)

    def pair(self, y: Any, target: Any, *, sample_weight: Any = None, mask: Any = None) -> Comparison:
        pair = self.metric.pair(y, target, sample_weight=sample_weight, mask=mask)
        classes = pair.size < pair.y.size  # the last axis is a row that is judged as a whole
        if len(pair.y.shape) < 2 + classes:
            raise ValueError(f"y {pair.y.shape} has no steps: expected (batch, time, ...) for {self.name}.")
        if pair.mask is not None and len(pair.mask.shape) > 1:
            shape = np.broadcast_shapes(pair.mask.shape, (1, pair.y.shape[1]) + (1,) * (len(pair.y.shape) - 2))
            real = np.broadcast_to(pair.mask, shape)
        else:
            real = np.ones_like(pair.y, dtype=bool)
        real = np.any(real, axis=tuple(range(2, len(real.shape))))
        step = np.arange(real.shape[1], like=pair.y)
        last = np.max(step * real, axis=1, keepdims=True)  # a row with none keeps its mask, which hides all of it
        return pair.only((step == last).reshape(real.shape + (1,) * (len(pair.y.shape) - 2)))

    def values(self, y: Array, target: Array) -> Array:
        return self.metric.values(y, target)

    def result(self, total: float, count: float) -> float:
        return self.metric.result(total, count)


@dataclass(frozen=True)
class PerHorizon:
    """A metric for each step, or output, of a forecast's horizon: "mae_1" one step ahead, "mae_2", ... in a history.

    metric  a name, such as "mae", or an `Average`
    axis    which axis of y is the horizon. None: the last; where that has length 1, the one before it, if that is not
            the batch. So H outputs (B, H) or (B, T, H), and H steps (B, H, 1)
    name    what stands before the number; the metric's unless given
    """

    metric: Any = "mae"
    axis: int | None = None
    name: str = ""

    def __post_init__(self) -> None:
        from .names import get

        object.__setattr__(self, "metric", get(self.metric))
        _check("PerHorizon", self.metric)
        object.__setattr__(self, "name", self.name or self.metric.name)

    def __call__(
        self, y: Array, target: Array, *, sample_weight: Array | None = None, mask: Array | None = None
    ) -> tuple[Any, Any]:
        """One batch: sums of weighed values and of weights, (H,) both. Arguments and errors: `Average`.

        Raises ValueError where `axis` is none of y's, or is the batch.
        """
        pair = self.metric.pair(y, target, sample_weight=sample_weight, mask=mask)
        values = self.metric.values(pair.y, pair.target)
        rank = len(values.shape)
        axis = self.axis
        if axis is None:
            axis = rank - 2 if rank > 2 and values.shape[-1] == 1 else rank - 1
        if not -rank <= axis < rank or axis % rank == 0:
            raise ValueError(
                f"axis {axis} is no horizon of {self.name} of shape {values.shape}: the batch comes first."
            )
        others = tuple(k for k in range(rank) if k != axis % rank)
        total, count = (np.sum(pair.weighed(a), axis=others, dtype=np.float64) for a in (values, np.ones_like(values)))
        return total, count

    def result(self, total: Any, count: Any) -> dict[str, float]:
        """The figure of each step: {"1": ..., "2": ..., ...}."""
        pairs = zip(np.atleast_1d(total), np.atleast_1d(count), strict=True)
        return {str(k): self.metric.result(float(t), float(c)) for k, (t, c) in enumerate(pairs, start=1)}


def _check(kind: str, metric: Any) -> None:
    if not isinstance(metric, Average):
        raise TypeError(f"{kind} takes a metric that is a mean of values, such as metrics.mae; got {metric!r}.")
