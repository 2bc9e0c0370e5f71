"""The share of rows that are right from their first token to their last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnkit_kernels.types import Array

__all__ = ["ExactMatch"]


@dataclass(frozen=True)
class ExactMatch:
    """The share of samples of which every real step has its largest entry at the label.

    y (B, T, V), target (B, T), mask (B, T), sample_weight (B,). Samples without a real step do not count.

    Read with the truth, as in `evaluate`, this is also the share that greedy decoding writes exactly, the end token
    included: up to the first wrong choice both read the same tokens, and after it neither is exact.
    Raises ValueError for weights of single steps: a row is right or wrong as a whole.
    """

    name: str = "exact_match"

    def __call__(
        self, y: Array, target: Array, *, sample_weight: Array | None = None, mask: Array | None = None
    ) -> tuple[float, float]:
        right = np.argmax(y, axis=-1) == target
        real = np.ones(right.shape, bool) if mask is None else mask
        weight = real.any(axis=1).astype(np.float64)
        if sample_weight is not None:
            if np.shape(sample_weight) != weight.shape:
                raise ValueError(
                    f"exact match weighs whole rows, sample_weight {weight.shape}; got {np.shape(sample_weight)}"
                )
            weight = weight * sample_weight
        return float(((right | ~real).all(axis=1) * weight).sum()), float(weight.sum())

    def result(self, total: Any, count: Any) -> float:
        return float(total / count) if count else 0.0
