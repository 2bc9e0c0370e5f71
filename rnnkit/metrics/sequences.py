"""Metrics of whole sequences: rows that are right from their first step to their last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from rnnkit_kernels.devices import number
from rnnkit_kernels.types import Array

from ..foreign import ANYTHING, UnderstandsKeras
from ..losses import compare_rows
from ..losses.comparison import array

__all__ = ["ExactMatch"]


@dataclass(frozen=True)
class ExactMatch(metaclass=UnderstandsKeras):
    """The share of samples of which every real step has its largest entry, the first of equals, at the label.

    y (B, ..., V), target (B, ...) or (B, ..., 1), mask any leading axes of the target. Samples without a real step do
    not count. With sample_weight (B,) it is the weighted share.
    name: the key in a history

    Read with the truth, as in `EncoderDecoder.evaluate`, this is also the share that greedy decoding writes exactly,
    the end token included: up to the first wrong choice both read the same tokens, and after it neither is exact.
    Raises ValueError for weights of single steps, a sample being right or wrong as a whole, and as
    `rnnkit.losses.compare_rows`.
    """

    aside: ClassVar[dict[str, tuple[Any, ...]]] = {"dtype": ANYTHING}  # sums are kept in float64

    name: str = "exact_match"

    def __call__(
        self, y: Array, target: Array, *, sample_weight: Array | None = None, mask: Array | None = None
    ) -> tuple[float, float]:
        """One batch: (sum of the weights of samples that are right, sum of the weights of all that count)."""
        pair = compare_rows(y, target, labels=True, mask=mask)
        wrong = np.argmax(pair.y, axis=-1, keepdims=True) != pair.target
        steps = tuple(range(1, len(wrong.shape)))
        real = np.ones_like(wrong) if pair.mask is None else pair.mask & np.ones_like(wrong)
        weight = np.any(real, axis=steps).astype(np.float64)
        if sample_weight is not None:
            given = array(sample_weight)
            if given.shape not in (weight.shape, (*weight.shape, 1)):
                raise ValueError(f"{self.name} weighs whole samples, sample_weight {weight.shape}; got {given.shape}")
            weight = weight * given.reshape(weight.shape)
        right = ~np.any(wrong, axis=steps)  # behind a mask y and target are zero, which is no error
        return number(np.sum(right * weight)), number(np.sum(weight))

    def result(self, total: float, count: float) -> float:
        """The share over all batches so far; 0 where nothing was counted."""
        return float(total / count) if count else 0.0
