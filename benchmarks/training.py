"""A whole step of training the course's models: forward, loss, backward, Adam; and many of them through `fit`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from rnnkit import Sequential
from rnnkit.layers import GRU, LSTM, Bidirectional, Conv1D, Dense, Dropout, Embedding
from rnnkit.optimizers import Adam

from . import table
from .contenders import REFERENCE
from .contenders.ours import backend_name
from .measure import measured, prepared, validated
from .plan import Plan
from .results import Row, mean_ratio, told
from .workload import Runner

__all__ = ["HELP", "MODELS", "Task", "columns", "notes", "rows"]

HELP = "one training step of the course's models, Adam included"
_STEPS = 4  # whose losses are compared, in an epoch of two of them where `fit` is timed
_BATCHES = 16  # of an epoch through `fit`
# Far below every gradient's size: Adam's epsilon stands beside another root here and in Keras than in PyTorch.
_EPSILON = 1e-12
# Of the largest loss: float32's 1.2e-7, times some ten for the square root of a product's terms, times some ten for a
# loss that has fallen to a tenth. A step moves the losses by 1e-3 of themselves and more.
_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Task:
    """layers(rate): the model, with that share of dropout; shape: of a batch; classes: whether it tells yes from no."""

    label: str
    shape: tuple[int, ...]
    layers: Callable[[float], list[Any]]
    outputs: int = 1
    vocabulary: int = 0

    @property
    def loss(self) -> str:
        return "binary_crossentropy" if self.vocabulary else "mse"

    def data(self, batches: int, shape: tuple[int, ...]) -> tuple[Any, Any]:
        """x and y of so many batches: noise, and targets that depend on it."""
        rng, size = np.random.default_rng(0), (batches * shape[0], *shape[1:])
        if self.vocabulary:
            x = rng.integers(1, self.vocabulary, size)
            return x, (x.mean(axis=1, keepdims=True) > self.vocabulary / 2).astype(np.float32)
        x = rng.standard_normal(size, dtype=np.float32)
        return x, x[:, -1, :1] + 0.1 * rng.standard_normal((len(x), self.outputs), dtype=np.float32)

    def model(self, rate: float, shape: tuple[int, ...], backend: str, dtype: str = "float32") -> Sequential:
        model = Sequential(self.layers(rate), backend=backend, dtype=dtype, seed=0)
        model.compile(Adam(1e-3, epsilon=_EPSILON), loss=self.loss)
        model.build((None, *shape[1:]))
        return model


def _stack(activation: str) -> Callable[[float], list[Any]]:
    def made(rate: float) -> list[Any]:
        wide = {"activation": activation, "return_sequences": True}
        return [GRU(24, **wide), GRU(50, **wide), GRU(24, activation=activation), Dropout(rate), Dense(12)]

    return made


def _both_ways(rate: float) -> list[Any]:
    return [
        Bidirectional(GRU(32, return_sequences=True)),
        Dropout(rate),
        Bidirectional(GRU(32)),
        Dropout(rate),
        Dense(1),
    ]


MODELS = (
    Task("GRU swish stack", (32, 24, 1), _stack("swish"), outputs=12),
    Task("GRU tanh stack", (32, 24, 1), _stack("tanh"), outputs=12),
    Task(
        "Conv1D + GRU",
        (128, 120, 14),
        lambda rate: [Conv1D(32, 5, padding="causal", activation="relu"), GRU(32), Dense(1)],
    ),
    Task("2 BiGRU + dropout", (128, 120, 6), _both_ways),
    Task(
        "Embedding + BiLSTM",
        (128, 100),
        lambda rate: [Embedding(10000, 32), Bidirectional(LSTM(32)), Dense(1, activation="sigmoid")],
        vocabulary=10000,
    ),
)


def columns(plan: Plan) -> tuple[table.Column, ...]:
    first, *others = [name for name in _timed(plan) if name != REFERENCE]
    return (
        *table.case("model", 23, 10, "batch"),
        table.milliseconds(first, "ms"),
        table.milliseconds(REFERENCE),
        table.ratio(first, "ratio"),
        *map(table.ratio, others),
        table.mark(),
    )


def rows(plan: Plan) -> Iterator[Row]:
    for task in MODELS:
        shape = (2, 6, *task.shape[2:]) if plan.quick else task.shape
        for fit in (False, True):
            batches = _BATCHES if fit else 1
            made = prepared({name: partial(_runner, name, task, 0.1, shape, batches, fit) for name in _timed(plan)})
            row = measured(
                f"{task.label}, fit" if fit else task.label,
                shape,
                made,
                partial(_checked, task, shape, fit, list(made)),
                plan.effort,
            )
            yield row.per(batches)


def notes(found: list[Row], plan: Plan) -> list[str]:
    if not any(row.ratio() for row in found):
        return []
    return [
        f"geometric mean {told(mean_ratio(found))}; 'fit' is an epoch of {_BATCHES} shuffled batches, by the batch.",
        "PyTorch has no GRU with swish: there its steps are a loop in Python.",
    ]


def _timed(plan: Plan) -> list[str]:
    return [name for name in plan.contenders if name in ("rnnkit", "NumPy", REFERENCE, "Keras")]


def _runner(name: str, task: Task, rate: float, shape: tuple[int, ...], batches: int, fit: bool) -> Runner:
    step, epoch = _trainer(name, task, rate, shape, batches)
    return Runner(partial(epoch, shape[0], True) if fit else step, lambda loss: {"loss": loss})


def _trainer(name: str, task: Task, rate: float, shape: tuple[int, ...], batches: int, dtype: str = "float32") -> Any:
    """The step and the epoch of a contender."""
    x, y = task.data(batches, shape)
    model = task.model(rate, shape, backend_name(name), dtype)
    if name == REFERENCE:
        from .contenders.pytorch_models import trainer

        return trainer(model, x, y, task.loss, _EPSILON)
    if name == "Keras":
        from .contenders.keras_models import trainer

        return trainer(model, x, y, task.loss, _EPSILON)

    def epoch(size: int, shuffle: bool) -> float:
        return float(model.fit(x, y, batch_size=size, shuffle=shuffle, verbose=0).history["loss"][0])

    return lambda: model.train_on_batch(x, y)["loss"], epoch


def _checked(task: Task, shape: tuple[int, ...], fit: bool, names: list[str]) -> Any:
    """Losses of some steps without dropout, from the same weights, against the textbook in float64."""
    batches = 2 if fit else 1

    def losses(name: str, dtype: str = "float32") -> Any:
        step, epoch = _trainer(name, task, 0.0, shape, batches, dtype)
        return np.array([epoch(shape[0], False) if fit else step() for _ in range(_STEPS // batches)])

    runners = {name: Runner(partial(losses, name), lambda found: {"loss": found}) for name in names}
    return validated(runners, {"loss": losses("NumPy", "float64")}, _TOLERANCE)
