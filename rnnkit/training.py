"""Training: forward, loss, the way back, a step of the optimizer; epochs of it, watched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from .batches import Batch, Source, source
from .border import check_lengths, whole
from .callbacks import Callback, ProgressBar
from .context import Context
from .diagnosis import Witness
from .history import History
from .progress import watched

if TYPE_CHECKING:
    from .model import Sequential

__all__ = ["evaluate", "fit", "train_on_batch", "watchers"]


class _Sums:
    """Loss and metrics over many batches: the loss weighted by rows, as Keras does; a metric over all its values."""

    def __init__(self, model: Sequential) -> None:
        self.model = model
        self.loss, self.rows = 0.0, 0
        self.totals = [[0.0, 0.0] for _ in model.metrics]

    def add(self, value: float, y: Any, batch: Batch, mask: Any) -> None:
        self.loss += value * len(batch.x)
        self.rows += len(batch.x)
        for metric, sums in zip(self.model.metrics, self.totals, strict=True):
            total, count = metric(y, batch.y, mask=mask)
            sums[0] += total
            sums[1] += count

    def logs(self) -> dict[str, float]:
        numbers = {"loss": self.loss / max(self.rows, 1)}
        for metric, (total, count) in zip(self.model.metrics, self.totals, strict=True):
            numbers[metric.name] = metric.result(total, count)
        return numbers


def train_on_batch(model: Sequential, x: Any, y: Any, sample_weight: Any, mask: Any) -> dict[str, float]:
    """See `Sequential.train_on_batch`."""
    model.check_compiled()
    count = max(len(np.atleast_1d(np.asarray(x))), 1)
    data = source(x, y, batch_size=count, sample_weight=sample_weight, mask=mask, dtype=model.dtype)
    sums = _Sums(model)
    for batch in data.batches(None):
        _step(model, batch, sums, "in this batch")
    return sums.logs()


def watchers(callbacks: Any) -> tuple[Any, ...]:
    """What a user gave as `callbacks`: several, one, or None. Raises TypeError for what is no callback."""
    given = (callbacks,) if isinstance(callbacks, Callback) else tuple(callbacks or ())
    for callback in given:
        if not isinstance(callback, Callback):
            hint = ": write it with its brackets" if isinstance(callback, type) else ""
            raise TypeError(
                f"callbacks are objects of a class made from rnnkit.callbacks.Callback; got {callback!r}{hint}"
            )
    return given


def evaluate(model: Sequential, data: Source, verbose: Any) -> dict[str, float]:
    """See `Sequential.evaluate`. States of stateful layers are left as they were."""
    sums = _Sums(model)
    with _states_kept(model):
        for batch in watched(data.batches(None), data.length, "evaluate", verbose):
            model.accept(batch.x.shape)
            y, mask, _ = model.run(batch.x, Context(model.backend, batch.mask))
            value, _ = model.loss(y, batch.y, sample_weight=batch.sample_weight, mask=mask)
            sums.add(value, y, batch, mask)
    return sums.logs()


def fit(
    model: Sequential,
    data: dict[str, Any],
    validation: tuple[Any, float],
    span: tuple[int, int],
    shuffle: bool,
    callbacks: Sequence[Any],
    verbose: Any,
) -> History:
    """See `Sequential.fit`."""
    model.check_compiled()
    train, held_out = _sources(model, data, *validation)
    history = model.history = History()
    watching: list[Callback] = [*callbacks, ProgressBar(verbose)]
    logs: dict[str, float] = {}
    first, last = (whole(name, n, least=0) for name, n in zip(("initial_epoch", "epochs"), span, strict=True))
    model.stop_training = False
    for callback in watching:
        callback.set_model(model)
        callback.set_params({"epochs": last, "initial_epoch": first, "steps": train.length})
        callback.on_train_begin()
    try:
        for epoch in range(first, last):
            for callback in watching:
                callback.on_epoch_begin(epoch)
            sums = _Sums(model)
            for number, batch in enumerate(train.batches(model.order_rng if shuffle else None)):
                _step(model, batch, sums, f"in epoch {epoch + 1}, batch {number + 1}")
                for callback in watching:
                    callback.on_train_batch_end(number, sums.logs())
                if model.stop_training:
                    break
            logs = sums.logs()
            if held_out is not None:
                logs |= {f"val_{name}": value for name, value in evaluate(model, held_out, 0).items()}
            history.add(epoch, logs)
            for callback in watching:
                callback.on_epoch_end(epoch, logs)
            if model.stop_training:
                break
    except KeyboardInterrupt:
        history.interrupted = True
    finally:
        for callback in watching:
            callback.on_train_end(logs)
    return history


def _step(model: Sequential, batch: Batch, sums: _Sums, where: str) -> None:
    """One batch: the model's parameters and optimizer state are replaced together, or, on an error, not at all."""
    model.accept(batch.x.shape)
    witness = Witness(model, where)
    ctx = Context(model.backend, batch.mask, model.dropout_rng, witness.watch)
    # What overflows is told by the witness, in a sentence, instead of NumPy's warnings.
    with _states_kept(model, unless_done=True), np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        y, mask, pullback = model.run(batch.x, ctx)
        value, dy = model.loss(y, batch.y, sample_weight=batch.sample_weight, mask=mask)
        witness.check_forward(value, y)
        grads, _ = pullback(dy)
        witness.check_backward(grads)
        if model.optimizer_state is None:
            model.optimizer_state = model.optimizer.init(model.params)
        params, state = model.optimizer.step(model.params, grads, model.optimizer_state)
    model.params, model.optimizer_state = params, state
    sums.add(value, y, batch, mask)


def _sources(
    model: Sequential, data: dict[str, Any], validation_data: Any, split: float
) -> tuple[Source, Source | None]:
    """Training batches, and those for validation if there are any."""
    if not 0 <= split < 1:
        raise ValueError(f"validation_split is a share in [0, 1), got {split!r}")
    options = {"batch_size": data["batch_size"], "dtype": model.dtype}
    held_out = None
    if split and validation_data is None:
        data, tail = _split(data, split)
        held_out = source(**tail, dtype=model.dtype)
    elif validation_data is not None:
        if (
            isinstance(validation_data, (tuple, list))
            and len(validation_data) in (2, 3)
            and _is_arrays(validation_data)
        ):
            x, y, *weight = validation_data
            held_out = source(x, y, sample_weight=weight[0] if weight else None, **options)
        else:
            held_out = source(validation_data, **options)
    return source(**data, dtype=model.dtype), held_out


def _is_arrays(parts: Sequence[Any]) -> bool:
    """Whether these are x, y and perhaps weights, and not two or three batches."""
    first = parts[0]
    return not (isinstance(first, (tuple, list)) and len(first) and isinstance(first[0], np.ndarray))


def _split(data: dict[str, Any], share: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """The data without the last share of every array, and that share: before any shuffling, as Keras takes it."""
    names = ("x", "y", "sample_weight", "mask")
    if data["y"] is None:
        raise ValueError("validation_split needs arrays x and y; with an iterable of batches give validation_data")
    arrays = {name: None if data[name] is None else np.asarray(data[name]) for name in names}
    count = check_lengths(**arrays)
    at = int(np.floor(count * (1 - share)))
    if at == 0:
        raise ValueError(f"validation_split {share} of {count} samples leaves none to train on")
    head = {name: None if a is None else a[:at] for name, a in arrays.items()}
    return data | head, data | {name: None if a is None else a[at:] for name, a in arrays.items()}


@contextmanager
def _states_kept(model: Sequential, unless_done: bool = False) -> Iterator[None]:
    """Puts the states of stateful layers back: always, or only when what is inside does not end well."""
    before = model.states
    model.states = dict(before)
    try:
        yield
    except BaseException:
        model.states = before
        raise
    if not unless_done:
        model.states = before
