"""Training: forward, loss, the way back, a step of the optimizer; epochs of it, watched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnkit_kernels.types import Array

from .batches import Batch, Source, checked, from_arrays, source
from .border import whole
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


def train_on_batch(model: Sequential, x: Any, y: Any, **beside: Any) -> dict[str, float]:
    """See `Sequential.train_on_batch`."""
    model.check_compiled()
    sums = _Sums(model)
    _step(model, checked(model.form, x, y, **beside), sums, "in this batch")
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
            y, mask, _ = model.run(batch.x, Context(model.backend, batch.mask, reset=batch.reset))
            value, _ = model.loss(y, batch.y, sample_weight=batch.sample_weight, mask=mask)
            sums.add(value + model.penalty()[0], y, batch, mask)
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
    recorded: dict[str, Array] = {}
    ctx = Context(model.backend, batch.mask, model.dropout_rng, witness.watch, batch.reset, record=recorded.__setitem__)
    # What overflows is told by the witness, in a sentence, instead of NumPy's warnings.
    with _states_kept(model, unless_done=True), np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        y, mask, pullback = model.run(batch.x, ctx)
        value, dy = model.loss(y, batch.y, sample_weight=batch.sample_weight, mask=mask)
        witness.check_forward(value, y)
        grads, _ = pullback(dy)
        penalty, slopes = model.penalty()
        grads = [g | {name: g[name] + slope for name, slope in s.items()} for g, s in zip(grads, slopes, strict=True)]
        witness.check_backward(grads)
        learned = model.learned(model.params)
        if model.optimizer_state is None:
            model.optimizer_state = model.optimizer.init(learned)
        moved, state = model.optimizer.step(learned, model.learned(grads), model.optimizer_state)
    params = [layer.constrained(p | m) for layer, p, m in zip(model.layers, model.params, moved, strict=True)]
    for name, new in recorded.items():
        place, _, weight = name.partition(".")
        params[int(place)][weight] = new
    model.params, model.optimizer_state = params, state
    sums.add(value + penalty, y, batch, mask)


def _sources(
    model: Sequential, data: dict[str, Any], validation_data: Any, split: float
) -> tuple[Source, Source | None]:
    """Training batches, and those for validation if there are any."""
    if not 0 <= split < 1:
        raise ValueError(f"validation_split is a share in [0, 1), got {split!r}")
    form, size = model.form, data["batch_size"]
    if validation_data is None and split:
        del data["batch_size"]
        if data["y"] is None:
            raise ValueError("validation_split needs arrays x and y; with an iterable of batches give validation_data")
        train, tail = _split(checked(form, **data), split)
        return from_arrays(train, size), from_arrays(tail, size)
    if validation_data is None:
        held_out = None
    elif isinstance(validation_data, (tuple, list)) and len(validation_data) in (2, 3) and _is_arrays(validation_data):
        x, y, *weight = validation_data
        held_out = source(x, y, form=form, batch_size=size, sample_weight=weight[0] if weight else None)
    else:
        held_out = source(validation_data, form=form, batch_size=size)
    return source(form=form, **data), held_out


def _is_arrays(parts: Sequence[Any]) -> bool:
    """Whether these are x, y and perhaps weights, and not two or three batches."""
    first = parts[0]
    return not (isinstance(first, (tuple, list)) and len(first) and isinstance(first[0], np.ndarray))


def _split(data: Batch, share: float) -> tuple[Batch, Batch]:
    """The data without the last share of every array, and that share: before any shuffling, as Keras takes it."""
    count = len(data.x)
    at = int(np.floor(count * (1 - share)))
    if at == 0:
        raise ValueError(f"validation_split {share} of {count} samples leaves none to train on")
    return data.part(slice(at)), data.part(slice(at, None))


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
