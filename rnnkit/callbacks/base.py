"""The base of callbacks: what a training run calls, and when."""

from __future__ import annotations

from typing import Any

__all__ = ["Callback", "Logs"]

Logs = dict[str, float]


class Callback:
    """What looks on while a model trains: override what you need. The methods are Keras'.

    model   the model in training, set before anything else; `model.stop_training = True` ends the run after the epoch
    params  {"epochs": ..., "initial_epoch": ..., "steps": batches an epoch, or None where nobody knows}

    In order: on_train_begin; for each epoch on_epoch_begin, for each batch on_train_batch_begin and on_train_batch_end,
    on_epoch_end; on_train_end, which also comes where an error or Ctrl-C ends the run. Several callbacks are called in
    the order of their list. Epochs and batches are counted from 0, batches anew in each epoch.
    logs    name -> number: the figures of the epoch so far for on_train_batch_end, of the whole epoch, with those of
            validation ("val_..."), for on_epoch_end. That one is shared by all callbacks and goes to the history after
            the last of them: what a callback adds to it, those behind it see, and the history keeps.
    on_batch_begin and on_batch_end are Keras' older names of on_train_batch_begin and on_train_batch_end.
    Validation and prediction call nothing: Keras' on_test_... and on_predict_... do not exist here.
    """

    model: Any = None
    params: dict[str, Any]

    def set_model(self, model: Any) -> None:
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def on_train_begin(self, logs: Logs | None = None) -> None: ...

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None: ...

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self.on_batch_end(batch, logs)

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None: ...

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None: ...

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None: ...

    def on_train_end(self, logs: Logs | None = None) -> None: ...
