"""Callbacks in real training runs: what they keep, write, change, refuse. Against Keras: `test_callbacks_peers.py`."""

from __future__ import annotations

import contextlib
import csv
import os
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import rnnkit
from rnnkit import Sequential, callbacks, trees
from rnnkit.callbacks import (
    Callback,
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ProgressBar,
    ReduceLROnPlateau,
)
from rnnkit.callbacks.monitor import direction
from rnnkit.layers import GRU, BatchNormalization, Dense
from rnnkit.optimizers import SGD, Adam

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((8, 4, 2)), RNG.standard_normal((8, 1))
HELD_OUT = RNG.standard_normal((6, 4, 2)), RNG.standard_normal((6, 1))
FIT = {"batch_size": 4, "verbose": 0, "shuffle": False, "validation_data": HELD_OUT}
HOOKS = (
    "on_train_begin", "on_epoch_begin", "on_train_batch_begin", "on_train_batch_end", "on_epoch_end", "on_train_end",
)  # fmt: skip


def made(optimizer="adam", stack=None):
    model = Sequential(stack or [GRU(3), Dense(1)], dtype="float64", seed=0)
    model.compile(optimizer, "mse", ["mae"])
    return model


def copied(params):
    return [{name: weight.copy() for name, weight in p.items()} for p in params]


def equal(a, b):
    trees.map(np.testing.assert_array_equal, a, b)


def scripted(name, values):
    """Puts the numbers, one an epoch, into the logs under that name: what callbacks behind it see."""
    return LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update({name: values[epoch]}))


def keeps(weights):
    """Writes down the weights at the end of each epoch."""

    class Keeper(Callback):
        def on_epoch_end(self, epoch, logs=None):
            weights.append(copied(self.model.params))

    return Keeper()


def one_of_each(folder):
    return [
        CSVLogger(folder / "log.csv"),
        EarlyStopping(patience=1, restore_best_weights=True),
        LambdaCallback(on_train_begin=lambda logs: None),
        LearningRateScheduler(lambda epoch, rate: rate * 0.9),
        ModelCheckpoint(folder / "{epoch}.safetensors", initial_value_threshold=0.0),
        ProgressBar(0),
        ReduceLROnPlateau(patience=1, min_delta=10.0),
    ]


# All of them


def test_the_table_has_every_callback(tmp_path):
    assert tuple(type(callback) for callback in one_of_each(tmp_path)) == callbacks.ALL
    assert {c.__name__ for c in callbacks.ALL} | {"ALL", "Callback"} == set(callbacks.__all__)


@pytest.mark.parametrize("place", range(len(callbacks.ALL)), ids=[c.__name__ for c in callbacks.ALL])
def test_a_callback_begins_anew_with_every_fit(place, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    used = one_of_each(tmp_path / "a")[place]
    made().fit(X, Y, epochs=5, callbacks=[used], **FIT)
    for path in (tmp_path / "a").iterdir():
        path.unlink()
    again, fresh = made(), made()
    first = again.fit(X, Y, epochs=4, callbacks=used, **FIT)
    second = fresh.fit(X, Y, epochs=4, callbacks=one_of_each(tmp_path / "b")[place], **FIT)
    assert first.history == second.history
    equal(again.params, fresh.params)
    assert again.optimizer == fresh.optimizer
    files = [{p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in "ab"]
    assert files[0] == files[1]


def test_hooks_are_called_in_one_order_and_callbacks_in_that_of_their_list():
    pages = []

    def writer(name):
        def page(hook):
            return lambda *given: pages.append(f"{name} {hook} {' '.join(map(str, given[:-1]))}".strip())

        return LambdaCallback(**{hook: page(hook) for hook in HOOKS})

    made().fit(X, Y, epochs=2, callbacks=[writer("a"), writer("b")], **FIT)
    batch = [["on_train_batch_begin {}", "on_train_batch_end {}"][k % 2].format(k // 2) for k in range(4)]
    epoch = [[f"on_epoch_begin {k}", *batch, f"on_epoch_end {k}"] for k in range(2)]
    calls = ["on_train_begin", *epoch[0], *epoch[1], "on_train_end"]
    assert pages == [f"{name} {call}" for call in calls for name in "ab"]


def test_what_a_callback_adds_to_the_logs_is_seen_behind_it_and_kept_in_the_history():
    seen = {}

    def look(name):
        return LambdaCallback(on_epoch_end=lambda epoch, logs: seen.update({name: dict(logs)}))

    history = made(SGD(0.5)).fit(
        X, Y, callbacks=[look("before"), LearningRateScheduler(lambda epoch: 0.25), look("behind")], **FIT
    )
    assert set(seen["behind"]) - set(seen["before"]) == {"learning_rate"}
    assert list(history.history) == ["loss", "mae", "val_loss", "val_mae", "learning_rate"]
    assert history.history["learning_rate"] == [0.25]


def test_functions_get_an_empty_dict_where_there_are_no_logs():
    given = []
    both = LambdaCallback(
        on_train_begin=lambda logs: given.append(logs), on_epoch_begin=lambda e, logs: given.append(logs)
    )
    both.on_train_begin()
    both.on_epoch_begin(0, None)
    assert given == [{}, {}]
    with pytest.raises(TypeError, match="on_epoch_end is a function, got 3"):
        LambdaCallback(on_epoch_end=3)


# Watching a number


@pytest.mark.parametrize(
    ("names", "better"),
    [
        ("accuracy acc val_acc binary_accuracy sparse_categorical_accuracy CategoricalAccuracy auc AUC", "max"),
        ("r2 r2_score R2Score val_r2 precision recall f1_score accuracy_at_3 weighted_accuracy", "max"),
        ("loss val_loss mse mae MeanAbsoluteError mean_absolute_percentage_error rmse last_step_mse mae_3", "min"),
        ("huber log_cosh LogCosh binary_crossentropy kl_divergence pinball quantile", "min"),
        ("bias learning_rate accuracy_loss accurate vaccination", None),
    ],
)
def test_the_name_of_a_quantity_tells_whether_high_or_low_is_better(names, better):
    assert {direction(name) for name in names.split()} == {better}


WATCHING = (EarlyStopping, ReduceLROnPlateau, lambda **given: ModelCheckpoint("x", save_best_only=True, **given))


@pytest.mark.parametrize("kind", WATCHING, ids=["EarlyStopping", "ReduceLROnPlateau", "ModelCheckpoint"])
def test_what_cannot_be_watched_is_refused(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    without = FIT | {"validation_data": None}
    name = type(kind()).__name__
    with pytest.raises(ValueError, match=r"mode is 'auto', 'min' or 'max', got 'maximum'"):
        kind(mode="maximum")
    there = "loss, mae(, learning_rate)?"
    with pytest.raises(
        ValueError, match=f"{name} watches 'val_loss', and there is only (epoch, )?{there}: pass validation_data to fit"
    ):
        made().fit(X, Y, epochs=3, callbacks=kind(), **without)
    with pytest.raises(ValueError, match=f"{name} to watch, 'val_los'; did you mean 'val_loss'"):
        made().fit(X, Y, epochs=3, callbacks=kind(monitor="val_los", mode="min"), **FIT)
    model, begun = made(), []
    look = LambdaCallback(on_epoch_begin=lambda epoch, logs: begun.append(epoch))
    with pytest.raises(
        ValueError, match=f"{name} watches 'bias', a name that does not tell .* model has loss, mae, and"
    ):
        model.fit(X, Y, callbacks=[kind(monitor="bias"), look], **FIT)
    assert not begun
    model.fit(X, Y, callbacks=[scripted("bias", [1.0]), kind(monitor="bias", mode="min")], **FIT)


# Early stopping


def test_the_weights_of_the_best_epoch_come_back_with_the_statistics_of_normalization():
    weights = []
    values = [3.0, 2.0, 1.0, 2.0, 3.0, 4.0]
    stop = EarlyStopping("val_score", patience=2, mode="min", restore_best_weights=True)
    model = made(stack=[GRU(3), BatchNormalization(), Dense(1)])
    history = model.fit(X, Y, epochs=6, callbacks=[keeps(weights), scripted("val_score", values), stop], **FIT)
    assert history.epoch == [0, 1, 2, 3, 4]
    assert (stop.stopped_epoch, stop.best_epoch, stop.best, stop.wait) == (4, 2, 1.0, 2)
    equal(model.params, weights[2])
    assert (weights[2][1]["moving_mean"] != weights[3][1]["moving_mean"]).all()
    model.fit(X, Y, epochs=1, **FIT)
    equal(stop.best_params, weights[2])


def test_without_restoring_the_weights_are_the_last():
    weights = []
    model, stop = made(), EarlyStopping("val_score", mode="min")
    model.fit(X, Y, epochs=6, callbacks=[keeps(weights), scripted("val_score", [1.0, 2.0]), stop], **FIT)
    assert len(weights) == 2
    equal(model.params, weights[-1])


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_the_best_weights_come_back_however_the_run_ends(error):
    weights = []

    def breaks(epoch, logs):
        if epoch == 3:
            raise error

    stop = EarlyStopping("score", mode="max", patience=9, restore_best_weights=True)
    given = [keeps(weights), scripted("score", [1.0, 5.0, 3.0]), stop]
    for run, ends in (({"epochs": 3}, []), ({"epochs": 9}, [LambdaCallback(on_epoch_begin=breaks)])):
        weights.clear()
        model = made()
        try:
            model.fit(X, Y, callbacks=[*given, *ends], **run, **FIT)
        except RuntimeError:
            assert error is RuntimeError
        assert len(weights) == 3
        equal(model.params, weights[1])
        assert stop.stopped_epoch == 0


# Checkpoints


def test_a_file_for_each_epoch_loads_and_predicts_the_same(tmp_path):
    outputs = []
    look = LambdaCallback(on_epoch_end=lambda epoch, logs: outputs.append((model.predict(X), logs["val_loss"])))
    model = made()
    save = ModelCheckpoint(str(tmp_path / "{epoch:02d} {val_loss:.3f} {{x}}.safetensors"), save_weights_only=True)
    model.fit(X, Y, epochs=3, callbacks=[look, save], **FIT)
    names = [f"{k + 1:02d} {value:.3f} {{x}}.safetensors" for k, (_, value) in enumerate(outputs)]
    assert sorted(p.name for p in tmp_path.iterdir()) == names
    for name, (y, _) in zip(names, outputs, strict=True):
        np.testing.assert_array_equal(rnnkit.load(tmp_path / name).predict(X), y)


def test_the_best_only_is_kept_from_one_fit_to_the_next(tmp_path):
    path, weights = tmp_path / "best", []
    save = ModelCheckpoint(path, "score", save_best_only=True, mode="max", initial_value_threshold=1.5)
    model = made()

    def epochs(*values):
        model.fit(X, Y, epochs=len(values), callbacks=[keeps(weights), scripted("score", values), save], **FIT)

    epochs(1.0, 1.5)
    assert not path.exists()
    epochs(3.0, 2.0, 4.0, 4.0)
    equal(rnnkit.load(path).params, weights[4])
    epochs(3.9, 1.0)
    equal(rnnkit.load(path).params, weights[4])
    assert save.best == 4.0
    assert [p.name for p in tmp_path.iterdir()] == ["best"]


def test_what_is_saved_every_epoch_watches_nothing(tmp_path):
    made().fit(X, Y, epochs=2, callbacks=ModelCheckpoint(tmp_path / "{epoch}", "bias"), **FIT)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1", "2"]


def test_files_by_batches_count_through_epochs_and_fits(tmp_path):
    save = ModelCheckpoint(tmp_path / "{epoch}-{batch}", save_freq=3)
    model = made()
    for _ in range(2):
        model.fit(X, Y, epochs=2, callbacks=save, **(FIT | {"batch_size": 2}))
    # Batches 3 and 6 of the first eight, 9, 12 and 15 in the second run: 1, 4 and 7 of it.
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1-1", "1-3", "1-4", "2-2", "2-3"]


def test_a_save_that_breaks_off_leaves_the_file_of_the_epoch_before(tmp_path, monkeypatch):
    path, weights = tmp_path / "model", []

    def breaks(epoch, logs):
        if epoch == 1:
            monkeypatch.setattr(os, "replace", fails)

    def fails(*given):
        raise OSError(28, "No space left on device")

    watching = [keeps(weights), LambdaCallback(on_epoch_begin=breaks), ModelCheckpoint(path)]
    with pytest.raises(OSError, match="No space left"):
        made().fit(X, Y, epochs=3, callbacks=watching, **FIT)
    monkeypatch.undo()
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    equal(rnnkit.load(path).params, weights[0])


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("{epoch.__class__}", {}, "is a name and a format, as in {epoch:02d}; got 'epoch.__class__'"),
        ("{epoch[0]}", {}, r"got 'epoch\[0\]'"),
        ("{epoch!r}", {}, "got 'epoch!r'"),
        ("{epoch:{epoch}}", {}, "is a name and a format"),
        ("{}", {}, "got ''"),
        ("{0}", {}, "got '0'"),
        ("{epoch", {}, "cannot be read as a pattern: expected '}'"),
        ("epoch}", {}, "cannot be read as a pattern: Single '}'"),
        ("{epoch:02q}", {}, "the field {epoch:02q} of '.*' cannot be written: Unknown format code 'q'"),
        ("{val_loss:02d}", {}, "the field {val_loss:02d} of '.*' cannot be written"),
        ("{epoch}/model", {}, "only the name of a file may have fields, not that of its folder"),
        ("{}/model", {}, "only the name of a file may have fields"),
        ("{batch}", {}, "has a field batch; files are numbered by batches with save_freq=a number"),
        ("x", {"save_freq": 0}, "save_freq, if not 'epoch', is a whole number from 1 up, got 0"),
        ("x", {"save_freq": "batch"}, "save_freq, if not 'epoch', is a whole number from 1 up, got 'batch'"),
        ("x", {"save_freq": 2, "save_best_only": True}, "'val_loss' is known at the end of an epoch, and save_freq=2"),
    ],
)
def test_a_pattern_has_names_with_formats_and_nothing_else(name, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        ModelCheckpoint(name, **options)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("{accuracy:.2f}", r"unknown field of the path '.*', 'accuracy'. Known are: epoch, loss, mae"),
        ("{val_loss:.2f}", r"has a field val_loss, and there is only epoch, loss, mae: pass validation_data to fit"),
    ],
)
def test_a_field_without_a_number_is_refused(name, sentence, tmp_path):
    with pytest.raises(ValueError, match=sentence):
        made().fit(X, Y, callbacks=ModelCheckpoint(tmp_path / name), **(FIT | {"validation_data": None}))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", [ModelCheckpoint, CSVLogger])
def test_a_place_that_cannot_be_written_to_is_refused_before_the_first_epoch(kind, tmp_path):
    model, begun, name = made(), [], kind.__name__
    look = LambdaCallback(on_epoch_begin=lambda epoch, logs: begun.append(epoch))
    with pytest.raises(FileNotFoundError, match=rf"there is no folder .*nowhere for {name} to write x into: make it"):
        model.fit(X, Y, callbacks=[kind(tmp_path / "nowhere" / "x"), look], **FIT)
    with pytest.raises(IsADirectoryError, match=f"{name} writes a file, and .* is a folder: add a file's name"):
        model.fit(X, Y, callbacks=[kind(tmp_path), look], **FIT)
    assert not begun
    assert not list(tmp_path.iterdir())


def test_braces_in_the_name_of_a_folder_are_doubled_as_in_any_pattern(tmp_path):
    (tmp_path / "a{b}").mkdir()
    made().fit(X, Y, callbacks=ModelCheckpoint(tmp_path / "a{{b}}" / "{epoch}"), **FIT)
    assert (tmp_path / "a{b}" / "1").is_file()


# Learning rates


def test_a_schedule_sets_the_rate_of_each_epoch_and_leaves_the_moments_alone():
    asked = []

    def schedule(epoch, rate):
        asked.append((epoch, rate))
        return np.float32(0.5) ** epoch

    plain, scheduled = made(Adam(0.25)), made(Adam(1.0))
    history = scheduled.fit(X, Y, epochs=4, initial_epoch=1, callbacks=LearningRateScheduler(schedule), **FIT)
    assert asked == [(1, 1.0), (2, 0.5), (3, 0.25)]
    assert history.history["learning_rate"] == [0.5, 0.25, 0.125]
    assert scheduled.optimizer == Adam(0.125)
    assert scheduled.optimizer_state["iterations"] == 6
    same = made(Adam(1.0))
    same.fit(X, Y, epochs=2, callbacks=LearningRateScheduler(lambda epoch: 0.25), **FIT)
    plain.fit(X, Y, epochs=2, **FIT)
    equal(same.params, plain.params)
    equal(same.optimizer_state, plain.optimizer_state)


def test_a_plateau_changes_the_rate_of_the_next_epoch_and_reports_that_of_this_one():
    reduce = ReduceLROnPlateau("score", factor=0.5, patience=2, mode="min", min_lr=0.2)
    model = made(SGD(1.0, momentum=0.5))
    history = model.fit(X, Y, epochs=7, callbacks=[scripted("score", [1.0] * 7), reduce], **FIT)
    assert history.history["learning_rate"] == [1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    assert model.optimizer == SGD(0.2, momentum=0.5)


@pytest.mark.parametrize("rate", [1, True, "0.1", None, np.ones(1), -0.5, float("nan")], ids=str)
def test_a_schedule_gives_a_float_that_the_optimizer_takes(rate):
    model = made(SGD(0.5))
    with pytest.raises(
        ValueError, match=r"the schedule of LearningRateScheduler gives a float; in epoch 0 it gave|expected a"
    ):
        model.fit(X, Y, callbacks=LearningRateScheduler(lambda epoch: rate), **FIT)
    assert model.optimizer == SGD(0.5)


def test_an_error_inside_a_schedule_is_told_as_it_is():
    with pytest.raises(TypeError, match="unsupported operand"):
        made().fit(X, Y, callbacks=LearningRateScheduler(lambda epoch, rate: rate + "a"), **FIT)
    with pytest.raises(TypeError, match="schedule is a function"):
        LearningRateScheduler(0.5)


@pytest.mark.parametrize("callback", [LearningRateScheduler(lambda epoch: 0.1), ReduceLROnPlateau()], ids=type)
def test_a_rate_that_is_a_schedule_already_is_not_overwritten(callback):
    callback.set_model(SimpleNamespace(optimizer=SimpleNamespace(learning_rate=lambda step: 0.1 / step)))
    with pytest.raises(TypeError, match=f"is a schedule, .*, which {type(callback).__name__} would overwrite"):
        callback.on_train_begin()


@pytest.mark.parametrize(
    ("kind", "options", "sentence"),
    [
        (EarlyStopping, {"patience": -1}, "patience is a whole number from 0 up, got -1"),
        (EarlyStopping, {"start_from_epoch": 1.5}, "start_from_epoch is a whole number from 0 up, got 1.5"),
        (EarlyStopping, {"min_delta": float("nan")}, "min_delta is nan, expected a number in"),
        (EarlyStopping, {"verbose": 7}, "verbose is"),
        (EarlyStopping, {"baseline": float("nan")}, "baseline is nan, expected a number in"),
        (ModelCheckpoint, {"filepath": "a", "initial_value_threshold": float("nan")}, "initial_value_threshold is nan"),
        (ReduceLROnPlateau, {"factor": 1.0}, r"factor is 1.0, expected a number in \[0, 1\)"),
        (ReduceLROnPlateau, {"factor": -0.1}, "factor is -0.1, expected a number"),
        (ReduceLROnPlateau, {"min_lr": -1.0}, r"min_lr is -1.0, expected a number in \[0, inf\)"),
        (ReduceLROnPlateau, {"cooldown": -1}, "cooldown is a whole number from 0 up"),
        (ReduceLROnPlateau, {"patience": "3"}, "patience is a whole number from 0 up"),
    ],
)
def test_options_out_of_range_are_refused(kind, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        kind(**options)


@pytest.mark.parametrize(
    ("kind", "options", "sentence"),
    [
        (EarlyStopping, {"monitor": 5}, "monitor is a name of the logs, such as 'val_loss'; got 5"),
        (EarlyStopping, {"restore_best_weights": "no"}, "restore_best_weights is 'no', expected True or False"),
        (EarlyStopping, {"min_delta": "0.1"}, "min_delta is '0.1', expected a number"),
        (EarlyStopping, {"baseline": "low"}, "baseline is 'low', expected a number"),
        (ReduceLROnPlateau, {"factor": "half"}, "factor is 'half', expected a number"),
        (ReduceLROnPlateau, {"min_lr": None}, "min_lr is None, expected a number"),
        (ModelCheckpoint, {"filepath": b"a"}, "filepath is a str or a Path, got b'a'"),
        (ModelCheckpoint, {"filepath": "a", "save_best_only": "loss"}, "save_best_only is 'loss', expected True or"),
        (CSVLogger, {"filename": "a", "append": "w"}, "append is 'w', expected True or False"),
    ],
)
def test_options_of_another_type_are_refused(kind, options, sentence):
    with pytest.raises(TypeError, match=sentence):
        kind(**options)


def test_any_number_is_better_than_a_first_nan():
    stop = EarlyStopping("loss", patience=2)
    stop.set_model(SimpleNamespace(stop_training=False))
    nan = float("nan")
    for epoch, (value, best) in enumerate([(nan, nan), (nan, nan), (5.0, 5.0), (nan, 5.0), (4.0, 4.0)]):
        stop.on_epoch_end(epoch, {"loss": value})
        assert stop.best == best or (np.isnan(stop.best) and np.isnan(best))
    assert stop.best_epoch == 4
    assert not stop.model.stop_training
    stop.on_train_begin()
    for epoch in range(3):
        assert not stop.model.stop_training
        stop.on_epoch_end(epoch, {"loss": nan})  # the first is the best there is, two more are no improvement
    assert stop.model.stop_training


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("{epoch:999999999d}", "is wider than 99 characters"),
        ("{loss:.999999999f}", "is wider than 99 characters"),
        ("{epoch:c}", "characters that no name of a file should have"),
        ("{epoch:\0>5}", "characters that no name of a file should have"),
    ],
)
def test_a_field_that_no_name_of_a_file_can_hold_is_refused(name, sentence):
    with pytest.raises(ValueError, match=sentence):
        ModelCheckpoint(name)


# Tables


def rows_of(path, delimiter=","):
    with open(path, newline="") as file:
        return list(csv.reader(file, delimiter=delimiter))


def test_a_table_has_the_numbers_of_the_history_to_the_last_bit(tmp_path):
    path, lengths = tmp_path / "log.csv", []
    look = LambdaCallback(on_epoch_begin=lambda epoch, logs: lengths.append(len(rows_of(path))))
    history = made().fit(X, Y, epochs=3, callbacks=[CSVLogger(path, separator=";"), look], **FIT)
    header, *rows = rows_of(path, ";")
    assert header == ["epoch", "loss", "mae", "val_loss", "val_mae"]
    assert [[float(v) for v in row] for row in rows] == [
        [k, *(history.history[name][k] for name in header[1:])] for k in range(3)
    ]
    assert lengths == [0, 2, 3]  # each row is on disk before the next epoch


def test_rows_are_appended_under_one_header(tmp_path):
    path, model = tmp_path / "log.csv", made()
    histories = [
        model.fit(X, Y, initial_epoch=k, epochs=k + 2, callbacks=CSVLogger(path, append=True), **FIT) for k in (0, 2)
    ]
    rows = rows_of(path)[1:]
    assert [int(row[0]) for row in rows] == [0, 1, 2, 3]
    assert [float(row[1]) for row in rows] == histories[0].history["loss"] + histories[1].history["loss"]
    before = path.read_bytes()
    others = [scripted("score", [1.0]), CSVLogger(path, append=True)]
    with pytest.raises(
        ValueError, match=r"has the columns epoch, loss, .*, and this training has epoch, loss, mae, score"
    ):
        model.fit(X, Y, callbacks=others, **FIT)
    assert path.read_bytes() == before
    model.fit(X, Y, callbacks=CSVLogger(path), **FIT)
    assert len(rows_of(path)) == 2


@pytest.mark.parametrize("separator", ["", ", ", '"', "\n", None])
def test_a_separator_is_one_character(separator):
    with pytest.raises(ValueError, match="separator is one character"):
        CSVLogger("x", separator)


# What is said


@pytest.mark.parametrize(
    ("callback", "sentences"),
    [
        (
            EarlyStopping("score", mode="min", verbose=1, restore_best_weights=True),
            ["epoch 3: training stops, nothing was better than epoch 2, with the best score",
             "the weights are those of epoch 2, with the best score"],
        ),
        (
            EarlyStopping("score", mode="min", verbose=1, restore_best_weights=True, patience=2),
            ["the weights are those of epoch 2, with the best score"],
        ),
        (
            ModelCheckpoint("m-{epoch}", "score", mode="min", verbose=1, save_best_only=True),
            ["epoch 1: score 3 is the best so far, the model is saved as m-1",
             "epoch 2: score 1 is the best so far, the model is saved as m-2",
             "epoch 3: score 2 is not better than 1, nothing is saved"],
        ),
        (ModelCheckpoint("m", verbose=1), [f"epoch {k}: the model is saved as m" for k in (1, 2, 3)]),
        (LearningRateScheduler(lambda epoch: 0.5**epoch, verbose=1),
         [f"epoch {k + 1}: the learning rate is {rate}" for k, rate in enumerate(("1", "0.5", "0.25"))]),
        (ReduceLROnPlateau("score", mode="min", patience=1, verbose=1),
         ["epoch 3: score is on a plateau, the learning rate goes down to 0.0001"]),
    ],
)  # fmt: skip
def test_a_callback_says_what_it_does_on_standard_error_and_only_when_asked(
    callback, sentences, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    for level, said in ((1, sentences), (0, [])):
        callback.verbose, callback.best = level, None
        made().fit(X, Y, epochs=3, callbacks=[scripted("score", [3.0, 1.0, 2.0]), callback], **FIT)
        out, err = capsys.readouterr()
        assert not out
        assert err.splitlines() == said


@pytest.mark.parametrize("columns", [40, 50, 60])
def test_the_bar_never_wraps_in_a_narrow_terminal(columns, monkeypatch):
    termios, fcntl = pytest.importorskip("termios"), pytest.importorskip("fcntl")
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, np.array([24, columns, 0, 0], np.uint16).tobytes())
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        model, epochs = made(), 12
        model.fit(X, Y, epochs=epochs, callbacks=ReduceLROnPlateau(), **(FIT | {"verbose": 1}))
    shown = b""
    with contextlib.suppress(OSError):  # the way Linux says that the other end is closed
        while piece := os.read(ours, 1 << 16):
            shown += piece
    os.close(ours)
    lines = shown.decode().replace("\n", "\r").split("\r")
    assert max(map(len, lines)) <= columns
    assert any(line.startswith("epoch 12/12") and ", loss " in line for line in lines)
