"""Accuracies: the share of values, or of rows over classes, that are right.

Source: Keras 3, `keras/src/metrics/accuracy_metrics.py`; which kind "accuracy" means: `trainers/compile_utils.py`.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnkit_kernels.types import Array

from ..border import whole
from ..losses import Comparison, compare, compare_rows
from ..losses.comparison import array
from ..ranges import number
from .base import Average

__all__ = [
    "Accuracy",
    "AccuracyByShape",
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "SparseCategoricalAccuracy",
    "SparseTopKCategoricalAccuracy",
    "TopKCategoricalAccuracy",
]


class _Right(Average):
    """1 where y is right, 0 where it is not."""

    @abstractmethod
    def right(self, y: Array, target: Array) -> Array:
        """bool, as `values`."""

    def values(self, y: Array, target: Array) -> Array:
        return self.right(y, target).astype(y.dtype)


class _OfValues(_Right):
    def pair(self, y: Any, target: Any, *, sample_weight: Any = None, mask: Any = None) -> Comparison:
        return compare(y, target, sample_weight=sample_weight, mask=mask)


class _OfRows(_Right):
    def pair(self, y: Any, target: Any, *, sample_weight: Any = None, mask: Any = None) -> Comparison:
        return compare_rows(y, target, labels=False, sample_weight=sample_weight, mask=mask)


class _OfLabels(_Right):
    def pair(self, y: Any, target: Any, *, sample_weight: Any = None, mask: Any = None) -> Comparison:
        return compare_rows(y, target, labels=True, sample_weight=sample_weight, mask=mask)


@dataclass(frozen=True)
class Accuracy(_OfValues):
    """The share of values equal to their target, to the last bit; the string "accuracy" means `AccuracyByShape`."""

    name: str = "accuracy"

    def right(self, y: Array, target: Array) -> Array:
        return y == target


@dataclass(frozen=True)
class BinaryAccuracy(_OfValues):
    """The share of values on their target's side of the threshold: y > threshold where the target is 1, else not.

    threshold: 0.5, for probabilities; 0 for logits. Raises TypeError for what is no number, ValueError for NaN.
    """

    name: str = "binary_accuracy"
    threshold: float = 0.5

    def __post_init__(self) -> None:
        object.__setattr__(self, "threshold", number("threshold", self.threshold, -math.inf, ends="[]"))

    def right(self, y: Array, target: Array) -> Array:
        return (y > self.threshold) == target


@dataclass(frozen=True)
class CategoricalAccuracy(_OfRows):
    """The share of rows (..., C) whose largest entry, the first of equals, stands where that of the target (..., C)."""

    name: str = "categorical_accuracy"

    def right(self, y: Array, target: Array) -> Array:
        return np.argmax(y, axis=-1, keepdims=True) == np.argmax(target, axis=-1, keepdims=True)


@dataclass(frozen=True)
class SparseCategoricalAccuracy(_OfLabels):
    """The share of rows (..., C) whose largest entry stands at the label; the first of equals. A label that is no class
    is never met, as in Keras."""

    name: str = "sparse_categorical_accuracy"

    def right(self, y: Array, target: Array) -> Array:
        return np.argmax(y, axis=-1, keepdims=True) == target


@dataclass(frozen=True)
class TopKCategoricalAccuracy(_OfRows):
    """The share of rows (..., C) in which the target's largest entry is one of the k largest; equals all count.

    k: 5. Raises ValueError where there are fewer than k classes, and for k below 1.
    """

    k: int = 5
    name: str = "top_k_categorical_accuracy"

    def __post_init__(self) -> None:
        whole("k", self.k, least=1)

    def right(self, y: Array, target: Array) -> Array:
        return _among(self.k, y, np.argmax(target, axis=-1, keepdims=True))


@dataclass(frozen=True)
class SparseTopKCategoricalAccuracy(_OfLabels):
    """The share of rows (..., C) in which the label's entry is one of the k largest; equals all count.

    k: 5. Raises ValueError where there are fewer than k classes, and for k below 1.
    """

    k: int = 5
    name: str = "sparse_top_k_categorical_accuracy"

    def __post_init__(self) -> None:
        whole("k", self.k, least=1)

    def right(self, y: Array, target: Array) -> Array:
        return _among(self.k, y, target)


@dataclass(frozen=True)
class AccuracyByShape(Average):
    """What "accuracy" and "acc" mean for a y and a target, as Keras decides it:

    y (..., 1) or (B,)                               BinaryAccuracy
    target (..., 1), or with an axis less than y     SparseCategoricalAccuracy
    else                                             CategoricalAccuracy
    """

    name: str = "accuracy"

    def chosen(self, y: Any, target: Any) -> Average:
        """The kind for arrays of these shapes, as a user has them or as `pair` returns them."""
        given, wanted = array(y).shape, array(target).shape
        if len(given) == 1 or given[-1:] == (1,):
            return BinaryAccuracy()
        if len(wanted) < len(given) or wanted[-1:] == (1,):
            return SparseCategoricalAccuracy()
        return CategoricalAccuracy()

    def pair(self, y: Any, target: Any, *, sample_weight: Any = None, mask: Any = None) -> Comparison:
        return self.chosen(y, target).pair(y, target, sample_weight=sample_weight, mask=mask)

    def values(self, y: Array, target: Array) -> Array:
        return self.chosen(y, target).values(y, target)


def _among(k: int, y: Array, label: Array) -> Array:
    """Whether y at the label (..., 1) is at least the k-th largest of its row (..., C)."""
    classes = y.shape[-1]
    if classes < k:
        raise ValueError(f"one of the top {k} of {classes} classes is always right: choose k below {classes}.")
    least = np.partition(y, classes - k, axis=-1)[..., classes - k, None]
    return np.any((label == np.arange(classes, like=y)) & (y >= least), axis=-1, keepdims=True)
