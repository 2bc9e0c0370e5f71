"""Training on the oldest part of a table: what is learnt, and from which rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnkit_kernels.types import Array

from ..history import History
from ..model import Sequential
from ..optimizers import Adam
from .cuts import WindowBatches, inside, measured
from .fitted import AT_ONCE, Fitted
from .methods import Method
from .plan import Plan
from .rivals import Linear, Rivals
from .rows import Rows
from .scale import learnt
from .seen import seen

__all__ = ["Learnt", "Settings", "compiled", "learn", "put_back", "snapshot"]


@dataclass(frozen=True, eq=False)
class Settings:
    """How to train: see `Forecaster.fit`."""

    epochs: int
    batch_size: int
    seed: int
    callbacks: Sequence[Any]
    verbose: Any


@dataclass(frozen=True, eq=False)
class Learnt(Fitted):
    """What was fitted, and how.

    settings  how to train;  before: a snapshot of the model from which it began
    windows   how many windows trained; skipped: how many did not, all that they would learn being missing
    """

    settings: Settings
    before: Any
    windows: int
    skipped: int
    history: History

    def notes(self) -> list[str]:
        """What a reader of the scores should know, in sentences."""
        method, found = self.method, []
        if self.skipped:
            found.append(f"{self.skipped} windows did not train: all that they would learn is missing.")
        if self.scale.given:
            found.append("The scale was given, and not learnt on the training part.")
        if self.answer == (method.window, len(method.targets)):
            found.append("The model answers with as many steps as it reads: they are taken for those of the horizon.")
        if self.rivals.period is None:
            found.append("No season is known, so there is no seasonal baseline: period= gives one.")
        if self.rivals.linear is None:
            found.append("The linear baseline is left out: no training window has room for it, or it is too wide.")
        return found


def learn(model: Sequential, plan: Plan, table: Rows, cuts: tuple[int, int], settings: Settings) -> Learnt:
    """Trains the model on rows [0, cuts[0]) and watches over it with rows [cuts[0], cuts[1]); later rows are not read.

    raises   ValueError for a part without a window, and for a model that does not fit the plan
    """
    given, table, train = table, table.until(cuts[1]), table.until(cuts[0])
    method = plan.on(table.names)
    answer = method.of_model(model)
    filled, whole = seen(train), seen(table)
    # As the training part is known when it ends: a gap that goes on after it is not filled with what ends it there.
    scale = learnt(plan.scaler, filled.closed)
    past = whole.map(lambda values: scale.forward(values).astype(model.dtype))
    truth = np.concatenate([scale.forward(filled.closed).astype(model.dtype), past.closed[cuts[0] :]])
    origins = inside(0, cuts[0], method.window, method.reach)
    taken = _learnable(origins, table, method)
    _refuse_none(taken, "training", cuts[0], method)
    watched = None
    if cuts[1] > cuts[0]:
        later = _learnable(inside(*cuts, method.window, method.reach), table, method)
        _refuse_none(later, "validation", cuts[1] - cuts[0], method)
        watched = WindowBatches(past, truth, later, method, answer, AT_ONCE, None)
    fitted = inside(0, cuts[0], method.window, method.span)
    fitted = measured(fitted, table.values, method.targets, method.lead, method.span - 1)
    rivals = Rivals(method, plan.season(table), Linear.fitted(method, filled, filled.closed, fitted))
    before = snapshot(model)
    try:
        history = model.fit(
            WindowBatches(past, truth, taken, method, answer, settings.batch_size, settings.seed),
            epochs=settings.epochs,
            validation_data=watched,
            callbacks=settings.callbacks,
            verbose=settings.verbose,
        )
    except BaseException:
        put_back(model, before)
        raise
    return Learnt(
        given, method, answer, scale, rivals, cuts, settings, before, len(taken), len(origins) - len(taken), history
    )


def compiled(model: Sequential) -> str:
    """Compiles a model that has no loss, and says with what; "" for one that has."""
    if model.loss is not None:
        return ""
    model.compile(Adam(), "mse", ["mae"])
    return "The model was not compiled: Adam with its defaults, loss mse, metric mae."


def snapshot(model: Sequential) -> Any:
    """All that training changes in a model, for `put_back`. Training makes new arrays, so none is copied."""
    return {name: getattr(model, name) for name in _LEARNT}, [rng.bit_generator.state for rng in _streams(model)]


def put_back(model: Sequential, kept: Any) -> None:
    """The model is as it was at the `snapshot`."""
    values, states = kept
    for name, value in values.items():
        setattr(model, name, value)
    for rng, state in zip(_streams(model), states, strict=True):
        rng.bit_generator.state = state


_LEARNT = ("params", "states", "optimizer", "optimizer_state", "history", "stop_training")


def _streams(model: Sequential) -> tuple[np.random.Generator, np.random.Generator]:
    return model.order_rng, model.dropout_rng


def _learnable(origins: Array, table: Rows, method: Method) -> Array:
    first, last = int(method.offsets.min()), int(method.offsets.max())
    return measured(origins, table.values, method.targets, first, last)


def _refuse_none(origins: Array, part: str, rows: int, method: Method) -> None:
    if len(origins):
        return
    span = method.window + method.reach
    what = f"a window and what is learnt from it take {span} rows, window {method.window} among them"
    if rows >= span:
        raise ValueError(
            f"the {part} part has no window that learns from a measured value: all targets in it are missing"
        )
    hint = "a smaller window or horizon" if part == "training" else "validation=0 for none, a smaller window"
    raise ValueError(f"the {part} part has {rows} rows, and {what}; take a larger share for it, or {hint}")
