"""Loss and metrics, added up over batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rnnkit_kernels.devices import is_here

from .batches import Batch
from .placing import numbers

if TYPE_CHECKING:
    from .model import Sequential

__all__ = ["Later", "Sums"]


class Sums:
    """The loss, a mean over rows as in Keras, and each metric over all its values; every penalty counted in the loss.

    Metrics see the mask; those of `weighted_metrics` the sample weights too. Where two have one name, the second is
    called "mae_1", or "weighted_mae" where it is weighted, as in Keras. What has been added on a device lies there
    until somebody asks for `logs`, which brings it down, all in one transfer.
    """

    def __init__(self, model: Sequential) -> None:
        self._metrics: list[tuple[str, Any, bool]] = []
        seen: Counter[str] = Counter()
        for weighted, metrics in ((False, model.metrics), (True, model.weighted_metrics)):
            for metric in metrics:
                name = f"weighted_{metric.name}" if weighted and metric.name in seen else metric.name
                self._metrics.append((f"{name}_{seen[name]}" if name in seen else name, metric, weighted))
                seen[name] += 1
        self._loss: Any = 0.0
        self._rows = 0
        self._totals: list[Any] = [None] * len(self._metrics)

    def add(self, value: Any, y: Any, batch: Batch, mask: Any) -> None:
        """The loss of a batch, its output and the mask that holds for it."""
        self._loss = self._loss + value * len(batch.x)
        self._rows += len(batch.x)
        for k, (_, metric, weighed) in enumerate(self._metrics):
            total, count = metric(y, batch.y, sample_weight=batch.sample_weight if weighed else None, mask=mask)
            before = self._totals[k]
            self._totals[k] = (total, count) if before is None else (before[0] + total, before[1] + count)

    def logs(self) -> dict[str, float]:
        return self._figures(self._loss, self._rows, self._totals)

    def so_far(self) -> Later:
        """The logs at this moment, of what lies on a device: brought down when they are read."""
        now = self._loss, self._rows, list(self._totals)
        return Later(lambda: self._figures(*now))

    def _figures(self, loss: Any, rows: int, sums: list[Any]) -> dict[str, float]:
        if type(loss) is not float and not is_here(loss):
            loss, sums = numbers((loss, [totals or (0.0, 0.0) for totals in sums]))
        found = {"loss": loss / (rows or 1)}
        for (name, metric, _), totals in zip(self._metrics, sums, strict=True):
            figure = metric.result(*(totals or (0.0, 0.0)))
            found |= {f"{name}_{k}": n for k, n in figure.items()} if isinstance(figure, dict) else {name: figure}
        return found


class Later(Mapping[str, float]):
    """Logs of a batch on a device: brought down, and waited for, when somebody first reads them."""

    def __init__(self, make: Callable[[], dict[str, float]]) -> None:
        self._make = make
        self._made: dict[str, float] | None = None

    def _known(self) -> dict[str, float]:
        if self._made is None:
            self._made = self._make()
        return self._made

    def __getitem__(self, name: str) -> float:
        return self._known()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known())

    def __len__(self) -> int:
        return len(self._known())

    def __repr__(self) -> str:
        return repr(self._known())
