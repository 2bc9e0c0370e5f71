"""The coefficient of determination."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from rnnkit_kernels.types import Array

from ..foreign import ANYTHING, UnderstandsKeras
from ..losses import compare
from .base import Result

__all__ = ["R2Score"]


@dataclass(frozen=True)
class R2Score(metaclass=UnderstandsKeras):
    """R2 = 1 - sum w (t - y)^2 / sum w (t - mean t)^2 for each output, over all rows of all batches.

    y                  (..., D): every leading axis runs over rows, so with steps each real step is one; (B,) is (B, 1)
    class_aggregation  "uniform_average": the mean over outputs; "variance_weighted_average": weighted with the outputs'
                       own spread; None: one figure for each, "r2_score_1", "r2_score_2", ...
    name               the key in a history
    1 is perfect, 0 no better than the mean of the targets. Where the targets of an output are all the same there is
    nothing to explain: 1 if every value is met, else 0 (Keras: NaN and 0).
    Three sums for each output add up over batches, in float64.
    Raises ValueError for another aggregation.
    Source: Keras 3, `keras/src/metrics/regression_metrics.py`, `R2Score` with `num_regressors=0`.
    """

    aside: ClassVar[dict[str, tuple[Any, ...]]] = {"dtype": ANYTHING}  # sums are kept in float64

    class_aggregation: str | None = "uniform_average"
    name: str = "r2_score"

    def __post_init__(self) -> None:
        if self.class_aggregation not in ("uniform_average", "variance_weighted_average", None):
            raise ValueError(
                "class_aggregation is 'uniform_average', 'variance_weighted_average' or None; "
                f"got {self.class_aggregation!r}."
            )

    def __call__(
        self, y: Array, target: Array, *, sample_weight: Array | None = None, mask: Array | None = None
    ) -> tuple[Array, Array]:
        """One batch: (3, D) sums of w t, w t^2 and w (t - y)^2, and (D,) sums of w.

        Arguments and errors: as `rnnkit.losses.compare`.
        """
        pair = compare(y, target, sample_weight=sample_weight, mask=mask)
        outputs = pair.y.shape[-1] if len(pair.y.shape) > 1 else 1
        t, forecast = pair.target.astype(np.float64), pair.y.astype(np.float64)

        def summed(values: Any) -> Array:
            return pair.weighed(values).reshape((-1, outputs)).sum(axis=0, dtype=np.float64)

        total = np.stack([summed(t), summed(t * t), summed(np.square(t - forecast))])
        return total, summed(np.ones_like(t))

    def result(self, total: Any, count: Any) -> Result:
        """The figure, or with no aggregation one for each output; 0 where nothing was counted."""
        count = np.atleast_1d(count)
        first, second, residual = np.broadcast_to(np.asarray(total).reshape((-1, count.size)), (3, count.size))
        mean = np.divide(first, count, out=np.zeros_like(first), where=count != 0)
        spread = second - first * mean
        # What a difference of two equal sums leaves is rounding: no spread.
        varied = spread > 8 * np.finfo(np.float64).eps * second
        scores = np.where((residual == 0) & (count != 0), 1.0, 0.0)
        scores = 1 - np.divide(residual, spread, out=1 - scores, where=varied)
        if self.class_aggregation is None:
            return {str(k): float(score) for k, score in enumerate(scores, start=1)}
        if self.class_aggregation == "uniform_average" or not varied.any():
            return float(scores.mean())
        spread = np.where(varied, spread, 0)
        return float((spread * scores).sum() / spread.sum())
