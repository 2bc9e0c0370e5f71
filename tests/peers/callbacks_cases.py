"""Runs that Keras' callbacks were asked about: the numbers of each epoch, callbacks and their options, as data.

A run is a list of logs, one an epoch; a case has one or two runs that the same callbacks see, one after the other. The
answers are in `callbacks.json`, written by `make_callbacks.py`.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

from peer_values import draw

PATH = Path(__file__).with_name("callbacks.json")

CLASSES = (
    "CSVLogger", "EarlyStopping", "LambdaCallback", "LearningRateScheduler", "ModelCheckpoint", "ReduceLROnPlateau",
)  # fmt: skip
EPOCHS, BATCHES = 14, 3
RATE = 0.5


def halving(epoch, rate):
    return rate * 0.5 if epoch % 3 == 2 else rate


def falling(epoch):
    return 0.5 / (1 + epoch)


def rising(epoch, rate):
    return rate * 1.3


SCHEDULES = {f.__name__: f for f in (halving, falling, rising)}


def series(salt, digits):
    """EPOCHS numbers that fall, with ups and downs: of sixteenths, so that many are equal, or of that many digits."""
    up_and_down = draw((EPOCHS,), salt, 1.0).tolist()
    values = [3 / (1 + 0.3 * k) + 0.4 * u for k, u in enumerate(up_and_down)]
    return [round(v * 8) / 8 if digits is None else round(v, digits) for v in values]


def run(salt, digits, validation=True):
    """The logs of EPOCHS epochs: the accuracy rises as the loss falls."""
    logs = []
    for value, other in zip(series(salt, digits), series(salt + 1, digits), strict=True):
        numbers = {"loss": other, "accuracy": round(1 / (1 + other), 3), "mae": math.floor(other * 8) / 8}
        if validation:
            numbers |= {"val_loss": value, "val_accuracy": round(1 / (1 + value), 2)}
        logs.append(numbers)
    return logs


def _choices(salt, **options):
    """One of the values of each option."""
    picks = ((draw((len(options),), salt) + 1) * 500).astype(int).tolist()
    return {name: values[pick % len(values)] for (name, values), pick in zip(options.items(), picks, strict=True)}


def _watched(salt):
    return _choices(salt, monitor=["val_loss", "val_accuracy", "mae", "val_loss", "loss"], mode=["auto"] * 4 + ["max"])


def cases():
    """name -> {"callbacks": [(class, options), ...], "runs": [logs by epoch, ...]}."""
    found = {}
    for k in range(60):
        options = _watched(k) | _choices(
            100 + k, patience=[0, 1, 2, 3, 5], min_delta=[0, 0, 0.125, 0.01, -0.25], start_from_epoch=[0, 0, 2, 5],
            baseline=[None, None, 1.5, 2.25, 0.5], restore_best_weights=[True, False],
        )  # fmt: skip
        runs = [run(300 + k, [None, 2, 6][k % 3])] + ([run(500 + k, None)] if k % 4 == 0 else [])
        found[f"EarlyStopping {k}"] = {"callbacks": [("EarlyStopping", options)], "runs": runs}
    for k in range(60):
        options = _watched(700 + k) | _choices(
            800 + k, patience=[0, 1, 2, 3], min_delta=[0, 1e-4, 0.125, 0.3, -0.25], cooldown=[0, 0, 1, 2, 4],
            factor=[0.1, 0.5, 0.7, 0.0], min_lr=[0.0, 0.0, 0.05, 0.2, 0.0005],
        )  # fmt: skip
        runs = [run(900 + k, [None, 2, 6][k % 3])] + ([run(1100 + k, None)] if k % 4 == 0 else [])
        found[f"ReduceLROnPlateau {k}"] = {"callbacks": [("ReduceLROnPlateau", options)], "runs": runs}
    # 0.5 * 0.1 ** 3 is above min_lr by one bit of float64, and the same number in float32.
    found["ReduceLROnPlateau at the lowest rate"] = {
        "callbacks": [("ReduceLROnPlateau", {"patience": 1, "min_lr": 0.5e-3, "monitor": "loss"})],
        "runs": [[{"loss": 1.0}] * EPOCHS],
    }
    for name in SCHEDULES:
        callbacks = [("LearningRateScheduler", {"schedule": name})]
        found[f"LearningRateScheduler {name}"] = {"callbacks": callbacks, "runs": [run(1, 2)]}
    for k in range(24):
        options = _watched(1300 + k) | _choices(
            1400 + k, save_best_only=[True, True, False], initial_value_threshold=[None, None, 1.5, 0.4]
        )
        pattern = ["model.keras", "{epoch:02d}-{val_loss:.2f}.keras", "{epoch}_{val_accuracy:.3e}.keras"][k % 3]
        callbacks = [("ModelCheckpoint", {"filepath": pattern} | options)]
        found[f"ModelCheckpoint {k}"] = {"callbacks": callbacks, "runs": [run(1500 + k, 2), run(1600 + k, None)]}
    for freq in (1, 2, 4, 5):
        options = {"filepath": "{epoch:02d}-{batch:03d}-{loss:.4f}.keras", "save_freq": freq}
        callbacks = [("ModelCheckpoint", options)]
        found[f"ModelCheckpoint every {freq}"] = {"callbacks": callbacks, "runs": [run(5, 3), run(7, 3)]}
    for append in (False, True):
        for separator in (",", ";"):
            for validation in (False, True):
                options = {"filename": "log.csv", "append": append, "separator": separator}
                found[f"CSVLogger {append} {separator} {validation}"] = {
                    "callbacks": [("CSVLogger", options)],
                    "runs": [run(11, 12, validation), run(13, 12, validation)],
                }
    lists = [{"loss": 0.5, "norms": [1.5, 2.0]}, {"loss": 0.25, "more": 1.0}]
    found["CSVLogger with a list and a missing number"] = {
        "callbacks": [("CSVLogger", {"filename": "log.csv"})], "runs": [lists]
    }  # fmt: skip
    plateau = ("ReduceLROnPlateau", {"patience": 1, "factor": 0.5})
    schedule, table = ("LearningRateScheduler", {"schedule": "rising"}), ("CSVLogger", {"filename": "log.csv"})
    stop = ("EarlyStopping", {"patience": 4, "restore_best_weights": True})
    save = ("ModelCheckpoint", {"filepath": "{epoch}-{learning_rate:.5f}.keras"})
    for k, several in enumerate(
        (
            [plateau, schedule, table, stop],
            [schedule, plateau, table, save],
            [table, plateau, stop],
            [stop, plateau, save],
        )
    ):
        found[f"several {k}"] = {"callbacks": several, "runs": [run(1700 + 2 * k, 2), run(1800 + k, None)]}
    return found


def load():
    return json.loads(PATH.read_text())
