"""Loss and metrics, added up over batches."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from .batches import Batch

if TYPE_CHECKING:
    from .model import Sequential

__all__ = ["Sums"]


class Sums:
    """The loss, a mean over rows as in Keras, and each metric over all its values; every penalty counted in the loss.

    Metrics see the mask; those of `weighted_metrics` the sample weights too. Where two have one name, the second is
    called "mae_1", or "weighted_mae" where it is weighted, as in Keras.
    """

    def __init__(self, model: Sequential) -> None:
        self._metrics: list[tuple[str, Any, bool]] = []
        seen: Counter[str] = Counter()
        for weighted, metrics in ((False, model.metrics), (True, model.weighted_metrics)):
            for metric in metrics:
                name = f"weighted_{metric.name}" if weighted and metric.name in seen else metric.name
                self._metrics.append((f"{name}_{seen[name]}" if name in seen else name, metric, weighted))
                seen[name] += 1
        self._loss, self._rows = 0.0, 0
        self._totals: list[Any] = [None] * len(self._metrics)

    def add(self, value: float, y: Any, batch: Batch, mask: Any) -> None:
        """The loss of a batch, its output and the mask that holds for it."""
        self._loss += value * len(batch.x)
        self._rows += len(batch.x)
        for k, (_, metric, weighed) in enumerate(self._metrics):
            total, count = metric(y, batch.y, sample_weight=batch.sample_weight if weighed else None, mask=mask)
            before = self._totals[k]
            self._totals[k] = (total, count) if before is None else (before[0] + total, before[1] + count)

    def logs(self) -> dict[str, float]:
        numbers = {"loss": self._loss / (self._rows or 1)}
        for (name, metric, _), totals in zip(self._metrics, self._totals, strict=True):
            figure = metric.result(*(totals or (0.0, 0.0)))
            numbers |= {f"{name}_{k}": n for k, n in figure.items()} if isinstance(figure, dict) else {name: figure}
        return numbers
