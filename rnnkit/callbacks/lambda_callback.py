"""A callback made of functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .base import Callback, Logs

__all__ = ["LambdaCallback"]

Hook = Callable[..., Any]


class LambdaCallback(Callback):
    """Calls functions of yours: LambdaCallback(on_epoch_end=lambda epoch, logs: ...).

    on_train_begin, on_train_end              (logs)
    on_epoch_begin, on_epoch_end              (epoch, logs)
    on_train_batch_begin, on_train_batch_end  (batch, logs)
    What each of them is given: see `Callback`; where there are no logs, an empty dict.
    Source: Keras 3, `keras/src/callbacks/lambda_callback.py`. Raises TypeError for what cannot be called.
    """

    def __init__(
        self,
        on_epoch_begin: Hook | None = None,
        on_epoch_end: Hook | None = None,
        on_train_begin: Hook | None = None,
        on_train_end: Hook | None = None,
        on_train_batch_begin: Hook | None = None,
        on_train_batch_end: Hook | None = None,
    ) -> None:
        self._hooks = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
        }
        for name, hook in self._hooks.items():
            if hook is not None and not callable(hook):
                raise TypeError(f"{name} is a function, got {hook!r}")

    def _call(self, name: str, *arguments: Any) -> None:
        *numbers, logs = arguments
        if (hook := self._hooks[name]) is not None:
            hook(*numbers, {} if logs is None else logs)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._call("on_train_begin", logs)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._call("on_epoch_begin", epoch, logs)

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        self._call("on_train_batch_begin", batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._call("on_train_batch_end", batch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._call("on_epoch_end", epoch, logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._call("on_train_end", logs)
