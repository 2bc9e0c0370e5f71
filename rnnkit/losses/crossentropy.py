"""Crossentropies: what a forecast of probabilities costs once the outcome is known.

Each takes probabilities, as a sigmoid or a softmax gives them, or with `from_logits=True` what goes into those. Logits
are the better choice: any number is a logit, while a probability that has been rounded to 0 or 1 tells no more how
sure the model was.

Probabilities are clipped to [1e-7, 1 - 1e-7] as in Keras, so that 0 and 1 cost a finite amount, 16.1 at most. The
gradient is that of the clipped function: 0 outside the interval, where the value no longer changes, and on its two ends
that from inside.
Source: Keras 3, `keras/src/losses/losses.py` and `keras/src/backend/torch/nn.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from rnnkit_kernels.devices import is_here
from rnnkit_kernels.types import Array

from ..ranges import number
from .base import PerRow, PerValue
from .comparison import Comparison, compare_rows
from .regression import EPSILON

__all__ = ["BinaryCrossentropy", "CategoricalCrossentropy", "SparseCategoricalCrossentropy", "log_softmax"]

_NO_PROBABILITY = ", expected a probability from 0 to 1: code no and yes as 0 and 1."


@dataclass(frozen=True)
class BinaryCrossentropy(PerValue):
    """For yes or no, at each entry: with p the probability of yes and t the target,

        l = -t log(p) - (1 - t) log(1 - p)        p = y, or sigmoid(y) from logits

    from_logits      whether y is what goes into the sigmoid; False
    label_smoothing  s in [0, 1]: the target becomes (1 - s) t + s / 2; 0
    target           in [0, 1], any number there; y in [0, 1], unless it is logits
    From logits l = max(y, 0) - t y + log(1 + exp(-|y|)) and dl/dy = sigmoid(y) - t.
    Raises ValueError for a label_smoothing or a target outside [0, 1] (Keras computes on, towards minus infinity).
    """

    names = ("binary_crossentropy", "bce")
    from_logits: bool = False
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "label_smoothing", number("label_smoothing", self.label_smoothing, 0, 1, "[]"))

    def pair(self, y: Any, target: Any, *, sample_weight: Any = None, mask: Any = None) -> Comparison:
        """See `compare`."""
        pair = super().pair(y, target, sample_weight=sample_weight, mask=mask)
        bad = ~((pair.target >= 0) & (pair.target <= 1))
        return pair.without(bad, lambda: f"{_first('target', pair.target, bad)}{_NO_PROBABILITY}")

    def terms(self, y: Array, target: Array) -> tuple[Array, Array]:
        if self.label_smoothing:
            target = target * (1 - self.label_smoothing) + 0.5 * self.label_smoothing
        if self.from_logits:
            e = np.exp(-np.abs(y))
            return np.maximum(y, 0) - target * y + np.log1p(e), np.where(y < 0, e, 1) / (1 + e) - target
        p, inside = _clipped(y)
        values = (target - 1) * np.log1p(-p) - target * np.log(p)
        return values, np.where(inside, (p - target) / (p * (1 - p)), 0)

    def example(self, rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[Array, Array]:
        """Probabilities away from 0 and 1, or normal logits; targets of 0 and 1."""
        y = 3 * rng.standard_normal(shape) if self.from_logits else rng.uniform(0.05, 0.95, shape)
        return y, (rng.random(shape) < 0.5).astype(float)


@dataclass(frozen=True)
class _OfClasses(PerRow):
    """What one-hot rows and labels have in common: y (..., C), t (..., C) -> l (..., 1), dl/dy (..., C)."""

    from_logits: bool = False

    def against(self, y: Array, t: Array) -> tuple[Array, Array]:
        """From logits log p = y - log(sum exp y) and dl/dy = sum(t) p - t.

        From probabilities p = y / sum(y), clipped; with g = dl/dp, dl/dy_k = (g_k - sum_j g_j p_j) / sum(y). A row
        that sums to 0 has nothing to share out: it counts as p = 0 for every class, and its gradient is 0.
        """
        if self.from_logits:
            log_p = log_softmax(y)
            return _cross(t, log_p), np.sum(t, axis=-1, keepdims=True) * np.exp(log_p) - t
        whole = _whole(y)
        share = y / whole
        p, inside = _clipped(share)
        g = np.where(inside, -t / p, 0)
        return _cross(t, np.log(p)), (g - np.sum(g * share, axis=-1, keepdims=True)) / whole

    def _forecast(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        y = 3 * rng.standard_normal(shape)
        return y if self.from_logits else 0.1 + np.abs(y)


@dataclass(frozen=True)
class CategoricalCrossentropy(_OfClasses):
    """For one of C classes, the target a row of C numbers, one-hot or any: l = -sum_c t_c log(p_c), for each row.

    y, target        (..., C), two axes at least; the mean is over rows
    from_logits      whether y is what goes into the softmax; False: y are probabilities, divided by their sum first
    label_smoothing  s in [0, 1]: the target becomes (1 - s) t + s / C; 0
    """

    names = ("categorical_crossentropy",)
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "label_smoothing", number("label_smoothing", self.label_smoothing, 0, 1, "[]"))

    def pair(self, y: Any, target: Any, *, sample_weight: Any = None, mask: Any = None) -> Comparison:
        """See `compare_rows`, without labels."""
        return compare_rows(y, target, labels=False, sample_weight=sample_weight, mask=mask)

    def terms(self, y: Array, target: Array) -> tuple[Array, Array]:
        if self.label_smoothing:
            target = target * (1 - self.label_smoothing) + self.label_smoothing / y.shape[-1]
        return self.against(y, target)

    def example(self, rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[Array, Array]:
        """Probabilities up to their sum, or normal logits; targets that add up to 1."""
        t = rng.random(shape)
        return self._forecast(rng, shape), t / t.sum(axis=-1, keepdims=True)


@dataclass(frozen=True)
class SparseCategoricalCrossentropy(_OfClasses):
    """For one of C classes, the target its number: l = -log(p_target), for each row.

    y             (..., C), two axes at least; target: (...) or (..., 1), whole numbers from 0 to C - 1 in any dtype
    from_logits   whether y is what goes into the softmax; False: y are probabilities, divided by their sum first
    ignore_class  the label of rows that count for nothing, as if they were masked: neither in the sum nor in the
                  number of rows; often -1; None
    Raises ValueError for a label that is no class, naming the first; masked rows may hold any; on a
    device, where a look would wait, its loss is NaN. (PyTorch under Keras
    stops with an index error, and cuts 1.5 to 1.) TypeError for an ignore_class that is no whole number.
    """

    names = ("sparse_categorical_crossentropy",)
    ignore_class: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if (label := self.ignore_class) is not None:
            if isinstance(label, bool) or not isinstance(label, int | np.integer):
                raise TypeError(f"ignore_class is {label!r}, expected a whole number, the label of rows to leave out.")
            object.__setattr__(self, "ignore_class", int(label))

    def pair(self, y: Any, target: Any, *, sample_weight: Any = None, mask: Any = None) -> Comparison:
        """See `compare_rows`, with labels; those of `ignore_class` join the mask."""
        pair = compare_rows(y, target, labels=True, sample_weight=sample_weight, mask=mask)
        if self.ignore_class is not None:
            pair = pair.only(pair.target != self.ignore_class)
        labels, count = pair.target, pair.y.shape[-1]
        bad = ~((labels >= 0) & (labels < count) & (labels == np.floor(labels)))
        return pair.without(
            bad,
            lambda: (
                f"{_first('target', labels[..., 0], bad[..., 0])}, which is no class: expected whole numbers from 0 "
                f"to {count - 1}, for y {pair.y.shape}; rows that have none can be masked, or named as ignore_class."
            ),
        )

    def terms(self, y: Array, target: Array) -> tuple[Array, Array]:
        """As `against` a one-hot row, to the same bits, without the terms that are zeros."""
        label, hit = target.astype(np.int64), target == np.arange(y.shape[-1], like=y)
        if self.from_logits:
            log_p = log_softmax(y)
            return -np.take_along_axis(log_p, label, axis=-1), np.exp(log_p) - hit
        whole = _whole(y)
        if is_here(whole) and not np.isfinite(whole).all():  # zeros times infinity; on a device a look would wait
            return self.against(y, hit.astype(y.dtype))
        share = np.take_along_axis(y, label, axis=-1) / whole
        p, inside = _clipped(share)
        g = np.where(inside, -1 / p, 0)
        return -np.log(p), np.where(hit, (g - g * share) / whole, (0 - g * share) / whole)

    def example(self, rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[Array, Array]:
        """Probabilities up to their sum, or normal logits; labels."""
        return self._forecast(rng, shape), rng.integers(0, shape[-1], shape[:-1]).astype(float)


def log_softmax(y: Array) -> Array:
    """y - log(sum exp y) along the last axis, of y's shape and dtype."""
    shifted = y - np.max(y, axis=-1, keepdims=True)
    return cast(Array, shifted - np.log(np.sum(np.exp(shifted), axis=-1, keepdims=True)))


def _whole(y: Array) -> Array:
    """The sum of each row, and 1 for one that sums to 0."""
    whole = np.sum(y, axis=-1, keepdims=True)
    return np.where(whole == 0, 1, whole)


def _clipped(p: Array) -> tuple[Array, Array]:
    """p in [1e-7, 1 - 1e-7], and where the slope of that is 1."""
    low, high = p.dtype.type(EPSILON), p.dtype.type(1 - EPSILON)
    return np.clip(p, low, high), (p >= low) & (p <= high)


def _cross(t: Array, log_p: Array) -> Array:
    """-sum(t log_p) over the last axis, kept; a class that is ruled out, log p = -inf, costs nothing where t is 0."""
    return -np.sum(t * np.where(t == 0, 0, log_p), axis=-1, keepdims=True)


def _first(name: str, values: Array, bad: Array) -> str:
    """The first bad value and its place: "target has 2.0 at (0, 3)"."""
    place = tuple(int(k) for k in np.argwhere(bad)[0])
    return f"{name} has {float(values[place])} at {place}"
