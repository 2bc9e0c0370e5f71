"""Callbacks against Keras 3.15: drawn runs of numbers, many options, alone and several together, in one run and in two.

`peers/callbacks_cases.py` has the cases, `peers/make_callbacks.py` asks Keras. Everything is equal, not close: the same
comparisons and products of float64 in the same order.

Where rnnkit means something else than Keras 3.15, on purpose:
- A monitor that the logs do not have is refused. Keras warns; EarlyStopping then never stops, ModelCheckpoint saves
  every epoch as the best.
- mode="auto" goes by the name of the quantity, where Keras asks the metric object; "accuracy" is "max", a loss or an
  error "min", and what no name tells is refused by both. Another mode is refused; Keras takes it for "auto".
- EarlyStopping gives the best weights back when Ctrl-C or an error ends the run, too.
- ModelCheckpoint and CSVLogger refuse a folder that is not there before the first epoch; Keras makes the one, and fails
  on the other. Only names with a format are fields of a path. Any ending is a good one.
- CSVLogger does not append under a header of other columns.
- A TypeError inside a schedule is an error; Keras calls the schedule once more, with the epoch alone.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from peers import callbacks_cases as peers

from rnnkit import callbacks
from rnnkit.optimizers import SGD

RECORDED = peers.load()


def model_of(saved):
    """What callbacks need of a model; its only weight is the number of the epoch."""
    model = SimpleNamespace(
        optimizer=SGD(peers.RATE), metrics=[], weighted_metrics=[], params=[{"W": np.zeros(1)}], stop_training=False
    )
    model.save = lambda path: saved.append([str(path), float(model.params[0]["W"][0])])
    return model


def ran(model, made, run):
    """Calls the hooks as `fit` does; the rates of the epochs, and the logs that are left."""
    model.stop_training, rates, left = False, [], []

    def call(hook, *arguments):
        for callback in made:
            getattr(callback, hook)(*arguments)

    call("set_model", model)
    call("on_train_begin")
    for epoch, logs in enumerate(run):
        logs = dict(logs)
        call("on_epoch_begin", epoch)
        rates.append(model.optimizer.learning_rate)
        for batch in range(peers.BATCHES):
            call("on_train_batch_begin", batch)
            model.params = [{"W": np.full(1, epoch + 1.0)}]
            call("on_train_batch_end", batch, {k: v for k, v in logs.items() if not k.startswith("val_")})
        call("on_epoch_end", epoch, logs)
        left.append(logs)
        if model.stop_training:
            break
    call("on_train_end", logs)
    return rates, left


def test_every_callback_is_compared_with_keras_but_the_bar():
    assert {kind.__name__ for kind in callbacks.ALL} == {*peers.CLASSES, "ProgressBar"}


@pytest.mark.parametrize("name", peers.CLASSES)
def test_arguments_and_their_defaults_are_those_of_keras(name):
    parameters = inspect.signature(getattr(callbacks, name)).parameters.values()
    ours = {p.name: "required" if p.default is p.empty else p.default for p in parameters}
    assert list(ours.items()) == list(RECORDED["signatures"][name].items())


@pytest.mark.parametrize("name", peers.cases())
def test_callbacks_do_what_those_of_keras_do(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    case, saved = peers.cases()[name], []
    model = model_of(saved)
    made = []
    for kind, options in case["callbacks"]:
        schedule = {"schedule": peers.SCHEDULES[options["schedule"]]} if "schedule" in options else {}
        made.append(getattr(callbacks, kind)(**(options | schedule)))
    assert len(case["runs"]) == len(RECORDED[name])
    for run, answer in zip(case["runs"], RECORDED[name], strict=True):
        saved.clear()
        rates, left = ran(model, made, run)
        assert rates == answer["rates"]
        assert model.optimizer.learning_rate == answer["last rate"]
        assert model.params[0]["W"][0] == answer["weight"]
        assert saved == answer["saved"]
        assert ([logs["learning_rate"] for logs in left] if answer["logged"] else None) == answer["logged"]
        for callback, theirs in zip(made, answer["state"], strict=True):
            assert {name: getattr(callback, name) for name in theirs} == theirs
        table = Path("log.csv")
        assert (table.read_bytes().decode() if table.exists() else None) == answer["table"]
