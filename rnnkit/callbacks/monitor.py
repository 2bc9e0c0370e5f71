"""What callbacks share that watch one number of an epoch: its name, whether high or low is better, what is better."""

from __future__ import annotations

import math
import re
from difflib import get_close_matches
from typing import Any

from rnnkit_kernels.sentences import unknown

from ..progress import level
from ..ranges import number
from .base import Callback, Logs

__all__ = ["Monitor", "direction"]

_HIGH = re.compile(r"(acc|accuracy|auc|precision|recall|r2|r2_?score|f1|f1_?score|iou|similarity)(_|\d|$)")
_LOW = re.compile(
    r"(loss|error|mse|mae|mape|msle|rmse|huber|crossentropy|log_?cosh|pinball|quantile|hinge|poisson|divergence"
    r"|perplexity)(_|\d|$)"
)


def direction(name: str) -> str | None:
    """ "max" or "min": how the quantity of that name gets better; None where the name does not tell.

    A "val_" in front and the case are nothing to it; a word of accuracy, AUC, precision, recall, R2, F1, IoU or
    similarity says "max", one of a loss or an error "min". Keras asks the metric object; here a metric is what its name
    says, so that a history, too, can be read by names.
    """
    name = name.removeprefix("val_").lower()
    high, low = _HIGH.search(name), _LOW.search(name)
    if bool(high) == bool(low):
        return None
    return "max" if high else "min"


class Monitor(Callback):
    """The base of EarlyStopping, ModelCheckpoint and ReduceLROnPlateau.

    monitor    a name of the logs: "loss", "val_loss", or a metric's, with "val_" in front for validation
    mode       "min", "max", or "auto": by its name, see `direction`
    min_delta  a change by as much or less is none; its sign is nothing to it
    verbose    0, or 1 for a sentence on standard error where something is done
    best       the best value so far, None before the first
    Raises TypeError for what is no name, number or flag, ValueError for another mode, for a number that is not finite,
    at the beginning of training for an "auto" that the name does not decide, and at the first look for a name that the
    logs do not have. (Keras goes on with a warning, and stops, saves or reduces nothing, or saves every time.)
    """

    def __init__(self, monitor: str, mode: str, verbose: Any, min_delta: float = 0) -> None:
        if not isinstance(monitor, str):
            raise TypeError(f"monitor is a name of the logs, such as 'val_loss'; got {monitor!r}")
        if mode not in ("auto", "min", "max"):
            raise ValueError(f"mode is 'auto', 'min' or 'max', got {mode!r}")
        self.monitor, self.mode = monitor, mode
        self.min_delta = abs(number("min_delta", min_delta, -math.inf, ends="()"))
        self.verbose = level(verbose)
        self.best: float | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        if self.mode == "auto" and direction(self.monitor) is None:
            there = ["loss", *(m.name for m in (*self.model.metrics, *self.model.weighted_metrics))]
            near = get_close_matches(self.monitor, [*there, *(f"val_{name}" for name in there)], n=1)
            raise ValueError(
                f"{self._name} watches {self.monitor!r}, a name that does not tell whether high or low is better"
                f"{f'; did you mean {near[0]!r}?' if near else ':'} Give mode='max' or mode='min', or another name "
                f"(the model has {', '.join(there)}, and each with val_ in front)"
            )

    def value(self, logs: Logs | None) -> float:
        """The number watched, from the logs of an epoch or a batch."""
        logs = logs or {}
        if self.monitor in logs:
            return logs[self.monitor]
        if self.monitor.startswith("val_") and not any(name.startswith("val_") for name in logs):
            raise ValueError(
                f"{self._name} watches {self.monitor!r}, and there is only {', '.join(logs)}: "
                f"pass validation_data to fit, or watch {self.monitor.removeprefix('val_')!r}"
            )
        raise unknown(f"quantity for {self._name} to watch,", self.monitor, logs)

    def improves(self, value: float, best: float | None) -> bool:
        """Whether `value` is better than `best` by more than min_delta; anything is better than None, any number than
        NaN. (In Keras a first NaN stays the best.)"""
        if best is None or (math.isnan(best) and not math.isnan(value)):
            return True
        mode = direction(self.monitor) if self.mode == "auto" else self.mode
        return value - self.min_delta > best if mode == "max" else value + self.min_delta < best

    @property
    def _name(self) -> str:
        return type(self).__name__
