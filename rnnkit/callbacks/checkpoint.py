"""Saving the model while it trains."""

from __future__ import annotations

import math
from os import PathLike, fspath
from typing import Any

from ..border import whole
from ..progress import say
from ..ranges import flag, number
from .base import Logs
from .monitor import Monitor
from .paths import Pattern, check_place

__all__ = ["ModelCheckpoint"]


class ModelCheckpoint(Monitor):
    """Saves the model after each epoch, or after every so many batches; or only where it is better than ever before.

    filepath  the file; its name may have fields, "{epoch:02d}-{val_loss:.2f}.safetensors": epoch, counted from 1, every
              name of the logs, and with a number as save_freq also batch, counted from 1
    monitor, verbose, mode: see `Monitor`; read only with save_best_only
    save_best_only           whether only an epoch better than the best before is saved. The best is kept from one `fit`
                             to the next, as in Keras.
    save_weights_only        taken, and without effect: a file of rnnkit always has the weights with the configuration
                             they belong to, and `rnnkit.load` reads it. No file has the optimizer's moments.
    save_freq                "epoch", or a number of batches, counted through epochs; the logs then are those of the
                             epoch so far, and there is no "val_..." in them
    initial_value_threshold  a best to begin with

    Each file is written whole or not at all, by `model.save`; `rnnkit.load` reads it. Its name may end as you like:
    what is written is safetensors, where Keras insists on .keras.
    Raises ValueError for a field that is more than a name with a format, or that nothing is there to fill, and for a
    quantity to watch that is not there; FileNotFoundError at the beginning of training for a folder that is not there
    (Keras makes it).
    Source: Keras 3, `keras/src/callbacks/model_checkpoint.py`. There, an unknown quantity means that each epoch is
    saved as the best; here it is refused.
    """

    def __init__(
        self,
        filepath: str | PathLike[str],
        monitor: str = "val_loss",
        verbose: Any = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode, verbose)
        self.filepath = fspath(filepath)
        if not isinstance(self.filepath, str):
            raise TypeError(f"filepath is a str or a Path, got {filepath!r}")
        self.save_best_only = flag("save_best_only", save_best_only)
        self.save_weights_only = flag("save_weights_only", save_weights_only)
        self.save_freq = "epoch" if save_freq == "epoch" else whole("save_freq, if not 'epoch',", save_freq, least=1)
        if initial_value_threshold is not None:
            self.best = number("initial_value_threshold", initial_value_threshold, -math.inf, ends="[]")
        self._pattern = Pattern(self.filepath)
        self._epoch = self._batches = 0
        by_epoch = self.save_freq == "epoch"
        if by_epoch and "batch" in self._pattern.fields:
            raise ValueError(
                f"{self.filepath!r} has a field batch; files are numbered by batches with save_freq=a number"
            )
        if not by_epoch and save_best_only and monitor.startswith("val_"):
            raise ValueError(
                f"{monitor!r} is known at the end of an epoch, and save_freq={save_freq} saves within one: "
                f"watch {monitor.removeprefix('val_')!r}, or leave save_freq at 'epoch'"
            )

    def on_train_begin(self, logs: Logs | None = None) -> None:
        if self.save_best_only:
            super().on_train_begin(logs)
        check_place("ModelCheckpoint", self._pattern.place)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            return
        self._batches += 1
        if self._batches == self.save_freq:
            self._batches = 0
            self._save({"epoch": self._epoch + 1, "batch": batch + 1, **(logs or {})})

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            self._save({"epoch": epoch + 1, **(logs or {})})

    def _save(self, numbers: Logs) -> None:
        when, before = f"epoch {numbers['epoch']}", ""
        if self.save_best_only:
            value = self.value(numbers)
            if not self.improves(value, self.best):
                if self.verbose:
                    say(f"{when}: {self.monitor} {value:.5g} is not better than {self.best:.5g}, nothing is saved")
                return
            before = f"{self.monitor} {value:.5g} is the best so far, "
            self.best = value
        path = self._pattern.path(numbers)
        self.model.save(path)
        if self.verbose:
            say(f"{when}: {before}the model is saved as {path}")
