"""Progress of a training run, on standard error."""

from __future__ import annotations

import math
import os
import sys
from contextlib import ExitStack
from typing import Any

from ..progress import level, say
from .base import Callback, Logs

__all__ = ["ProgressBar"]


class ProgressBar(Callback):
    """One bar for the whole run, with the numbers of the epoch before; or, with verbose=2, a line for each epoch.

    `fit` adds one by itself, as the last callback. Where a terminal is too narrow for all numbers, the bar shows the
    loss, that of validation, and of the others the first ones that fit; the history has them all.
    While kernels are compiled, which takes seconds the first time, the bar says that instead of the epoch.
    """

    def __init__(self, verbose: Any = "auto") -> None:
        self.level = level(verbose)
        self._bar: Any = None
        self._title = ""
        self._listening = ExitStack()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        if self.level == 1:
            from tqdm import tqdm

            steps, epochs = self.params["steps"], self.params["epochs"] - self.params["initial_epoch"]
            total = None if steps is None else steps * epochs
            self._bar = tqdm(total=total, unit="batch", dynamic_ncols=True, bar_format=_FORMAT)
            self._listening.enter_context(self.model.backend.compiling(self._compiling))

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        if self._bar is not None:
            self._title = f"epoch {epoch + 1}/{self.params['epochs']}"
            self._bar.set_description_str(self._title, refresh=False)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if self._bar is not None:
            self._bar.set_description_str(self._title, refresh=False)
            self._bar.update()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        digits = 3 if self._bar is not None else 4
        numbers = {name: f"{name} {value:.{digits}g}" for name, value in (logs or {}).items()}
        if self._bar is not None:
            self._bar.set_description_str(self._title, refresh=False)  # validation may have compiled something
            self._bar.set_postfix_str(" ".join(_fitting(numbers, _columns() - len(self._bar.desc) - _BESIDE)))
        elif self.level == 2:
            say(f"epoch {epoch + 1}/{self.params['epochs']}  {' '.join(numbers.values())}")

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._listening.close()
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _compiling(self) -> None:
        if self._bar is not None:
            self._bar.set_description_str("compiling kernels")


def _fitting(numbers: dict[str, str], room: float) -> list[str]:
    """Those that fit side by side, in the order of the logs; a number cut in two would be another number."""
    kept: set[str] = set()
    for name in sorted(numbers, key=lambda name: name not in ("loss", "val_loss")):
        room -= len(numbers[name]) + 1
        if kept and room < 0:
            break
        kept.add(name)
    return [text for name, text in numbers.items() if name in kept]


def _columns() -> float:
    """How wide the terminal is; infinite where there is none, as in a notebook."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or math.inf
    except (OSError, ValueError, AttributeError):
        return math.inf


# Fits a terminal of 60 columns with a loss and its validation; tqdm puts ", " before the postfix.
_FORMAT = "{desc} {percentage:3.0f}%|{bar:4}| {remaining}{postfix}"
_BESIDE = len(" 100%|----| 00:00, ")  # what the bar takes beside its description and its numbers
