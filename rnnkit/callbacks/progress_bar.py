"""Progress of a training run, on standard error."""

from __future__ import annotations

from typing import Any

from ..progress import level, say
from .base import Callback, Logs

__all__ = ["ProgressBar"]


class ProgressBar(Callback):
    """One bar for the whole run, with the numbers of the epoch before; or, with verbose=2, a line for each epoch.

    `fit` adds one by itself, as the last callback. A terminal that is too narrow cuts the bar off at its right edge.
    """

    def __init__(self, verbose: Any = "auto") -> None:
        self.level = level(verbose)
        self._bar: Any = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        if self.level == 1:
            from tqdm import tqdm

            steps, epochs = self.params["steps"], self.params["epochs"] - self.params["initial_epoch"]
            total = None if steps is None else steps * epochs
            self._bar = tqdm(total=total, unit="batch", dynamic_ncols=True, bar_format=_FORMAT)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        if self._bar is not None:
            self._bar.set_description_str(f"epoch {epoch + 1}/{self.params['epochs']}", refresh=False)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if self._bar is not None:
            self._bar.update()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        digits = 3 if self._bar is not None else 4
        numbers = " ".join(f"{name} {value:.{digits}g}" for name, value in (logs or {}).items())
        if self._bar is not None:
            self._bar.set_postfix_str(numbers)
        elif self.level == 2:
            say(f"epoch {epoch + 1}/{self.params['epochs']}  {numbers}")

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


# Fits a terminal of 60 columns with a loss and its validation; tqdm puts ", " before the postfix.
_FORMAT = "{desc} {percentage:3.0f}%|{bar:4}| {remaining}{postfix}"
