"""Trains the models of `trajectories_cases.py` in Keras and in rnnkit, side by side, and compares every step.

    python tests/peers/make_trajectories.py            prints, for each case, the largest difference of any step
    python tests/peers/make_trajectories.py --write    and writes Keras' numbers to trajectories.json

Needs keras 3 and torch; the test that reads the numbers needs neither. Everything is float64, nothing is shuffled.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from asking import keras, plain
from peers.trajectories_cases import CASES, data, start
from test_trajectories import ours


def layer(name, options):
    options = {k: layer(*v) if k == "layer" else v for k, v in options.items()}
    return getattr(keras.layers, name)(**options)


def theirs(case):
    """The loss of every step and the weights after the last one."""
    x, y = data(case)
    model = keras.Sequential([keras.Input(x.shape[1:]), *(layer(*entry) for entry in case["layers"])])
    statistics = {id(v) for part in model.layers for v in part.non_trainable_variables}
    first = start([w.shape for w in model.weights])
    model.set_weights([w.numpy() if id(w) in statistics else a for w, a in zip(model.weights, first, strict=True)])
    name, options = case["optimizer"]
    model.compile(getattr(keras.optimizers, name)(**options), case["loss"])
    losses = []
    for _ in range(case["epochs"]):
        for k in range(0, len(x), case["batch_size"]):
            rows = slice(k, k + case["batch_size"])
            model.reset_metrics()
            losses.append(float(model.train_on_batch(x[rows], y[rows])))
    return losses, [np.asarray(w.numpy(), np.float64) for w in model.weights]


def main():
    answers = {}
    for name, case in CASES.items():
        losses, weights = theirs(case)
        mine, own = ours(case)
        worst = max(
            np.abs(np.subtract(losses, mine)).max(), *(np.abs(a - b).max() for a, b in zip(weights, own, strict=True))
        )
        print(
            f"{len(losses):3} steps, loss {losses[0]:.4f} to {losses[-1]:.4f}, largest difference {worst:.1e}: {name}"
        )
        answers[name] = plain({"losses": np.array(losses), "weights": weights})
    if "--write" in sys.argv:
        Path(__file__).with_name("trajectories.json").write_text(json.dumps(answers) + "\n")


if __name__ == "__main__":
    main()
