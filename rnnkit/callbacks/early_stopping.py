"""Ending a run that has stopped getting better."""

from __future__ import annotations

import math
from typing import Any

from ..border import whole
from ..progress import say
from ..ranges import flag, number
from .base import Logs
from .monitor import Monitor

__all__ = ["EarlyStopping"]


class EarlyStopping(Monitor):
    """Ends training after `patience` epochs in a row without an improvement; `patience=0` after the first such epoch.

    monitor, min_delta, verbose, mode: see `Monitor`
    patience              epochs to wait for an improvement
    baseline              with one, only an improvement that is also better than it begins the waiting anew
    restore_best_weights  whether the model is given back the weights of the best epoch at the end of the run, however
                          that comes about: by this callback, by the last epoch, by Ctrl-C or by an error. The
                          statistics of BatchNormalization are among them; the optimizer's moments are not, as in Keras.
    start_from_epoch      the first epoch that is looked at, counted from 0

    best, best_epoch      the best value, and its epoch from 0
    stopped_epoch         the epoch that ended the run, from 0; 0 where the run was not ended, as in Keras
    wait                  epochs since the last improvement
    best_params           `model.params` of the best epoch
    All of it begins anew with each `fit`. Source: Keras 3, `keras/src/callbacks/early_stopping.py`.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: Any = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, verbose, min_delta)
        self.patience = whole("patience", patience, least=0)
        self.start_from_epoch = whole("start_from_epoch", start_from_epoch, least=0)
        self.baseline = None if baseline is None else number("baseline", baseline, -math.inf, ends="[]")
        self.restore_best_weights = flag("restore_best_weights", restore_best_weights)
        self._begin()

    def _begin(self) -> None:
        self.best = None
        self.best_params: list[dict[str, Any]] | None = None
        self.wait = self.stopped_epoch = self.best_epoch = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        super().on_train_begin(logs)
        self._begin()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        value = self.value(logs)
        if epoch < self.start_from_epoch:
            return
        self.wait += 1
        if self.improves(value, self.best):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                # A step replaces arrays and never writes into one, so the arrays themselves can be kept.
                self.best_params = [dict(params) for params in self.model.params]
            if self.baseline is None or self.improves(value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        best = f"epoch {self.best_epoch + 1}, with the best {self.monitor}"
        if self.stopped_epoch and self.verbose:
            say(f"epoch {self.stopped_epoch + 1}: training stops, nothing was better than {best}")
        if self.best_params is not None:
            if self.verbose:
                say(f"the weights are those of {best}")
            self.model.params = self.best_params
