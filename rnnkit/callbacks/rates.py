"""Changing the learning rate between epochs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..border import whole
from ..progress import level, say
from ..ranges import number
from .base import Callback, Logs
from .monitor import Monitor

__all__ = ["LearningRateScheduler", "ReduceLROnPlateau"]


class LearningRateScheduler(Callback):
    """Sets the learning rate at the beginning of each epoch, and adds "learning_rate" to the logs of its end.

    schedule  (epoch from 0, current rate) -> new rate, a float; a function of the epoch alone will do
    verbose   0, or 1 for a sentence each epoch on standard error
    The optimizer is replaced by one with the new rate; its state is left alone. The rate stays after training.
    Raises TypeError for a schedule that cannot be called, and at the beginning of training for an optimizer whose rate
    is a schedule already; ValueError for what is no float, as Keras does, or out of the optimizer's range.
    Source: Keras 3, `keras/src/callbacks/learning_rate_scheduler.py`; there a TypeError inside the schedule means that
    it wants the epoch alone, here its signature tells.
    """

    def __init__(self, schedule: Callable[..., float], verbose: Any = 0) -> None:
        if not callable(schedule):
            raise TypeError(f"schedule is a function (epoch, learning rate) -> learning rate, got {schedule!r}")
        self.schedule = schedule
        self.verbose = level(verbose)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        _check_constant(self)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        given = (epoch, self.model.optimizer.learning_rate)
        rate = self.schedule(*given) if _takes(self.schedule, given) else self.schedule(epoch)
        if not isinstance(rate, (float, np.floating)):
            raise ValueError(f"the schedule of LearningRateScheduler gives a float; in epoch {epoch} it gave {rate!r}")
        _set_rate(self.model, float(rate))
        if self.verbose:
            say(f"epoch {epoch + 1}: the learning rate is {rate:g}")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = self.model.optimizer.learning_rate


class ReduceLROnPlateau(Monitor):
    """Multiplies the learning rate by `factor` after `patience` epochs in a row without an improvement.

    monitor, mode, verbose: see `Monitor`
    factor      in [0, 1)
    patience    epochs to wait for an improvement; 0 is as 1
    min_delta   a change by as much or less is no improvement
    cooldown    epochs after a reduction in which none are counted
    min_lr      the rate never goes below
    Adds "learning_rate", the rate that the epoch was trained with, to its logs. The optimizer is replaced by one with
    the new rate; its state is left alone. The rate stays after training; best, wait and cooldown begin anew with each
    `fit`.
    Raises TypeError at the beginning of training for an optimizer whose rate is a schedule; ValueError for a number out
    of range.
    Source: Keras 3, `keras/src/callbacks/reduce_lr_on_plateau.py`. As there, a rate that is min_lr in float32 is not
    reduced. Keras holds the rate itself in its float type, float32 unless told otherwise; here it is a float64.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: Any = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, verbose, min_delta)
        self.factor, self.min_lr = number("factor", factor, 0, 1), number("min_lr", min_lr)
        self.patience, self.cooldown = whole("patience", patience, least=0), whole("cooldown", cooldown, least=0)
        self.wait = self.cooldown_counter = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        super().on_train_begin(logs)
        _check_constant(self)
        self.best = None
        self.wait = self.cooldown_counter = 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = {} if logs is None else logs
        logs["learning_rate"] = rate = self.model.optimizer.learning_rate
        value = self.value(logs)
        if self.cooldown_counter:
            self.cooldown_counter -= 1
        if self.improves(value, self.best):
            self.best, self.wait = value, 0
        elif not self.cooldown_counter:
            self.wait += 1
            if self.wait >= self.patience and np.float32(rate) > np.float32(self.min_lr):
                _set_rate(self.model, max(rate * self.factor, self.min_lr))
                self.cooldown_counter, self.wait = self.cooldown, 0
                if self.verbose:
                    now = self.model.optimizer.learning_rate
                    say(f"epoch {epoch + 1}: {self.monitor} is on a plateau, the learning rate goes down to {now:g}")


def _set_rate(model: Any, rate: float) -> None:
    model.optimizer = replace(model.optimizer, learning_rate=rate)


def _check_constant(callback: Callback) -> None:
    rate = callback.model.optimizer.learning_rate
    if callable(rate):
        raise TypeError(
            f"the optimizer's learning rate is a schedule, {rate!r}, which {type(callback).__name__} would overwrite: "
            "compile with a number, or leave the callback out"
        )


def _takes(function: Callable[..., Any], arguments: tuple[Any, ...]) -> bool:
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError:
        return False
    except ValueError:  # a function in C without a signature
        return True
    return True
