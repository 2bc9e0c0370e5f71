"""Weights of samples from the classes that they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rnnkit_kernels.types import Array

__all__ = ["by_class"]


def by_class(weights: Any, y: Array | None) -> Array:
    """The weight of each sample (or of each step, for labels at each step), from class -> weight; 1 where not named.

    y: labels (B,) or (B, 1), at each step (B, T, 1); or one-hot rows (B, classes), (B, T, classes); as in Keras.
    Raises TypeError for what is no mapping of whole numbers to numbers, ValueError for labels that are not whole.
    """
    whole, real = (int, np.integer), (int, float, np.integer, np.floating)
    if not isinstance(weights, Mapping) or not all(
        isinstance(k, whole) and isinstance(w, real) for k, w in weights.items()
    ):
        raise TypeError(
            f"class_weight is a dict of class -> weight, both numbers, such as {{0: 1.0, 1: 5.0}}; got {weights!r}"
        )
    if y is None:
        raise ValueError("class_weight needs the classes, y, as an array")
    labels = y
    if y.ndim > 1:
        labels = y[..., 0] if y.shape[-1] == 1 else y.argmax(axis=-1)
    if (labels % 1 != 0).any():
        raise ValueError("class_weight needs labels that are whole numbers, or one-hot rows; y has fractions")
    found = np.ones(labels.shape)
    for label, weight in weights.items():
        found[labels == label] = weight
    return found
