"""What a training run leaves to look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["History"]


@dataclass
class History:
    """Loss and metrics by epoch.

    history      name -> one number an epoch; the names of validation begin with "val_", as in Keras.
                 The loss comes first, then the metrics as compiled, then those of validation (Keras sorts the names)
    epoch        the numbers of the epochs, from 0
    interrupted  whether Ctrl-C ended the run before its last epoch
    """

    history: dict[str, list[float]] = field(default_factory=dict)
    epoch: list[int] = field(default_factory=list)
    interrupted: bool = False

    def add(self, epoch: int, logs: dict[str, float]) -> None:
        self.epoch.append(epoch)
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)

    def plot(self, path: Any = None) -> Any:
        """Draws a panel for each quantity, training and validation together; saves it where a path is given.

        Returns the matplotlib figure. Raises ImportError, naming the extra, where matplotlib is missing.
        """
        from .plots import learning_curves, save_figure

        figure = learning_curves(self)
        return figure if path is None else save_figure(figure, path)

    def __repr__(self) -> str:
        last = ", ".join(f"{name} {values[-1]:.4g}" for name, values in self.history.items())
        return f"History({len(self.epoch)} epochs{': ' + last if last else ''})"
