"""Asks Keras' callbacks what they do with the runs of `callbacks_cases.py`, and writes it to `callbacks.json`.

    python tests/peers/make_callbacks.py

Needs keras 3 and torch; the tests that read the answers need neither. The hooks are called by Keras' own CallbackList,
as its `fit` calls them, on a model whose only weight is the number of the epoch.
"""

from __future__ import annotations

import inspect
import json
import os
import tempfile
from pathlib import Path

import numpy as np
from asking import keras
from peers import callbacks_cases as peers


def compiled():
    """A model with one weight, whose metrics are built."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(keras.optimizers.SGD(peers.RATE), "mse", metrics=["accuracy", "mae"])
    model.train_on_batch(np.zeros((1, 1)), np.zeros((1, 1)))
    return model


def options_of(options):
    return options | ({"schedule": peers.SCHEDULES[options["schedule"]]} if "schedule" in options else {})


def told(logs):
    """The logs of one batch: those of training."""
    return {k: v for k, v in logs.items() if not k.startswith("val_")}


def answer(case):
    model = compiled()
    saved, answers = [], []
    model.save = lambda path, **_: saved.append((path, float(model.get_weights()[0][0, 0])))
    made = [getattr(keras.callbacks, name)(**options_of(options)) for name, options in case["callbacks"]]
    for run in case["runs"]:
        saved.clear()
        model.stop_training = False
        several = keras.callbacks.CallbackList(
            list(made), add_history=True, model=model, epochs=len(run), steps=peers.BATCHES
        )
        several.on_train_begin()
        rates = []
        for epoch, logs in enumerate(run):
            several.on_epoch_begin(epoch)
            rates.append(float(model.optimizer.learning_rate))
            for batch in range(peers.BATCHES):
                several.on_train_batch_begin(batch)
                model.set_weights([np.full((1, 1), epoch + 1.0)])
                several.on_train_batch_end(batch, told(logs))
            several.on_epoch_end(epoch, dict(logs))
            if model.stop_training:
                break
        several.on_train_end({})
        answers.append({
            "rates": rates,
            "last rate": float(model.optimizer.learning_rate),
            "weight": float(model.get_weights()[0][0, 0]),
            "saved": list(saved),
            "logged": model.history.history.get("learning_rate"),
            "state": [
                {k: v for k in ("best", "wait", "stopped_epoch", "best_epoch", "cooldown_counter")
                 if (v := getattr(callback, k, None)) is not None}
                for callback in made
            ],
            "table": Path("log.csv").read_bytes().decode() if Path("log.csv").exists() else None,
        })  # fmt: skip
    return answers


def signature(name):
    """The arguments of a constructor and their defaults; "required" where there is none."""
    parameters = inspect.signature(getattr(keras.callbacks, name)).parameters.values()
    named = [p for p in parameters if p.kind is not p.VAR_KEYWORD]
    return {p.name: "required" if p.default is p.empty else p.default for p in named}


def main():
    answers = {"signatures": {name: signature(name) for name in peers.CLASSES}}
    for name, case in peers.cases().items():
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            answers[name] = answer(case)
            os.chdir("/")
    lines = [f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in answers.items()]
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    peers.PATH.write_text(text)
    stops = [a[-1]["state"][0].get("stopped_epoch") for k, a in answers.items() if k.startswith("EarlyStopping")]
    print(f"{len(answers) - 1} cases, {len(text):,} bytes; runs ended after epochs {stops}")


if __name__ == "__main__":
    main()
