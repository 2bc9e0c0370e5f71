"""Training: epochs of steps, watched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnkit_kernels.devices import host

from .batches import Batch, Source, checked, from_arrays, source
from .border import whole
from .callbacks import Callback, ProgressBar
from .history import History
from .placing import batch_there
from .ragged import is_samples
from .ranges import flag
from .second_look import all_finite, done_or_told
from .step import step, truncated_steps
from .sums import Sums
from .using import evaluate

if TYPE_CHECKING:
    from .model import Sequential

__all__ = ["fit", "train_on_batch", "watchers"]


def train_on_batch(model: Sequential, x: Any, y: Any, **beside: Any) -> dict[str, float]:
    """See `Sequential.train_on_batch`."""
    model.check_compiled()
    if y is None:
        raise ValueError("y is missing: pass targets beside the array x")
    batch = batch_there(model.backend, checked(model.form, x, y, **beside))

    def attempt(looking: bool) -> dict[str, float]:
        sums = Sums(model)
        done = step(model, batch, "in this batch", looking=looking)
        sums.add(done.value, done.y, batch, done.mask)
        return sums.logs()

    if model.backend.place is None:
        return attempt(True)
    return done_or_told(model, attempt, lambda logs: _learned(model, logs))


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


def fit(
    model: Sequential,
    data: dict[str, Any],
    validation: tuple[Any, float],
    span: tuple[int, int],
    shuffle: bool,
    tbptt: int | None,
    callbacks: Sequence[Any],
    verbose: Any,
) -> History:
    """See `Sequential.fit`."""
    model.check_compiled()
    first, last = (whole(name, n, least=0) for name, n in zip(("initial_epoch", "epochs"), span, strict=True))
    shuffle = flag("shuffle", shuffle)
    if tbptt is not None:
        whole("tbptt", tbptt, least=1)
    train, held_out = _sources(model, data, *validation)
    watching: list[Callback] = [*callbacks, ProgressBar(verbose)]
    history = model.history = History()
    logs: dict[str, float] = {}
    model.stop_training = False
    for callback in watching:
        callback.set_model(model)
        callback.set_params({"epochs": last, "initial_epoch": first, "steps": train.length})
        callback.on_train_begin({})
    try:
        for epoch in range(first, last):
            for callback in watching:
                callback.on_epoch_begin(epoch, {})
            run = _Epoch(model, epoch, tbptt, watching)
            if model.backend.place is None:
                logs = run(train.batches(model.order_rng if shuffle else None)).logs()
            else:
                logs = _unlooked(run, train, shuffle, glance=epoch == first)
            if held_out is not None:
                logs |= {f"val_{name}": value for name, value in evaluate(model, held_out, 0).items()}
            try:
                for callback in watching:
                    callback.on_epoch_end(epoch, logs)
            finally:  # callbacks may have put numbers of their own among the logs
                history.add(epoch, logs)
            if model.stop_training:
                break
    except KeyboardInterrupt:
        history.interrupted = True
    finally:
        for callback in watching:
            callback.on_train_end(logs)
    return history


class _Epoch:
    """The steps of an epoch, watched by callbacks."""

    def __init__(self, model: Sequential, number: int, tbptt: int | None, watching: Sequence[Callback]) -> None:
        self.model, self.number, self._tbptt, self._watching = model, number, tbptt, watching
        self.steps = 0

    def __call__(self, batches: Iterable[Batch], looking: bool = True, glance: bool = False) -> Sums:
        """glance: whether the loss of the first step is looked at, and ends the epoch where it is not finite."""
        model, watching, sums = self.model, self._watching, Sums(self.model)
        backend, goes_up = model.backend, model.backend.place is not None
        for number, given in enumerate(batches):
            for callback in watching:
                callback.on_train_batch_begin(number, {})
            where = f"in epoch {self.number + 1}, batch {number + 1}"
            batch = batch_there(backend, given) if goes_up else given
            try:
                if self._tbptt is None:
                    done = step(model, batch, where, looking=looking)
                else:
                    done = truncated_steps(model, batch, where, self._tbptt, looking)
                sums.add(done.value, done.y, batch, done.mask)
            except ValueError as error:  # a sample that it names is one of a shuffled batch
                error.add_note(where)
                raise
            self.steps = number + 1
            if glance and not number and not np.isfinite(host(done.value)):
                break
            so_far: Any = sums.so_far() if goes_up else sums.logs()
            for callback in watching:
                callback.on_train_batch_end(number, so_far)
            if model.stop_training:
                break
        return sums

    def again(self) -> _Epoch:
        """The same, for steps that callbacks have seen."""
        return _Epoch(self.model, self.number, self._tbptt, ())


def _unlooked(run: _Epoch, train: Source, shuffle: bool, glance: bool) -> dict[str, float]:
    """The logs of an epoch on a device, whose steps nobody looks at unless it ends with numbers that are not finite."""
    model = run.model

    def attempt(looking: bool) -> dict[str, float]:
        batches = train.batches(model.order_rng if shuffle else None)
        if not looking:
            return run(batches, looking=False, glance=glance).logs()
        try:
            first = next(batches)
        except (StopIteration, ValueError):
            raise FloatingPointError(
                f"a number stopped being finite in epoch {run.number + 1}, and the batches cannot be gone through "
                "again to see where: pass arrays or a list of batches. The weights are as before this epoch; try a "
                "smaller learning rate or clipnorm."
            ) from None
        return run.again()(islice(chain((first,), batches), run.steps)).logs()

    return done_or_told(model, attempt, lambda logs: _learned(model, logs))


def _learned(model: Sequential, logs: dict[str, float]) -> bool:
    """Whether steps that nobody looked at left finite numbers."""
    return bool(np.isfinite(logs["loss"])) and all_finite(model.params, model.optimizer_state)


def _sources(
    model: Sequential, data: dict[str, Any], validation_data: Any, split: float
) -> tuple[Source, Source | None]:
    """Training batches, and those for validation if there are any."""
    if not isinstance(split, (int, float, np.integer, np.floating)) or not 0 <= split < 1:
        raise ValueError(f"validation_split is a share in [0, 1), got {split!r}")
    form, size = model.form, data["batch_size"]
    if validation_data is None and split:
        del data["batch_size"]
        if data["y"] is None:
            raise ValueError("validation_split needs arrays x and y; with an iterable of batches give validation_data")
        train, tail = _split(checked(form, **data), split)
        if data["class_weight"] is not None:  # it belongs to training alone, as in Keras
            tail = replace(tail, sample_weight=None)
        return from_arrays(train, size), from_arrays(tail, size)
    if validation_data is None:
        held_out = None
    elif _is_arrays(validation_data, form.rank):
        x, y, weight, mask = (*validation_data, None, None)[:4]
        held_out = source(x, y, form=form, batch_size=size, sample_weight=weight, mask=mask)
    else:
        held_out = source(validation_data, form=form, batch_size=size)
    return source(form=form, **data), held_out


def _is_arrays(parts: Any, rank: int | None) -> bool:
    """Whether these are x, y and perhaps weights and a mask, and not some batches. x may be a list of samples."""
    if not isinstance(parts, (tuple, list)) or len(parts) not in (2, 3, 4):
        return False
    first = parts[0]
    batch = isinstance(first, (tuple, list)) and len(first) and isinstance(first[0], np.ndarray)
    return not batch or is_samples(first, rank)


def _split(data: Batch, share: float) -> tuple[Batch, Batch]:
    """The data without the last share of every array, and that share: before any shuffling, as Keras takes it."""
    count = len(data.x)
    at = int(np.floor(count * (1 - share)))
    if at == 0:
        raise ValueError(f"validation_split {share} of {count} samples leaves none to train on")
    return data.part(slice(at)), data.part(slice(at, None))
