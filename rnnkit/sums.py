"""Loss and metrics, added up over batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .batches import Batch

if TYPE_CHECKING:
    from .model import Sequential

__all__ = ["Sums"]


class Sums:
    """The loss, a mean over rows as in Keras, and each metric over all its values; every penalty counted in the loss.

    Metrics see the mask; those of `weighted_metrics` the sample weights too, and where both have one of a name, theirs
    is "weighted_" and the name.
    """

    def __init__(self, model: Sequential) -> None:
        plain = [(metric.name, metric, False) for metric in model.metrics]
        taken = {name for name, _, _ in plain}
        self._metrics = plain + [
            (f"weighted_{m.name}" if m.name in taken else m.name, m, True) for m in model.weighted_metrics
        ]
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
