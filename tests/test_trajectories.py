"""Whole trainings against Keras 3.15, step by step: the loss of every step and the weights after the last one.

Same initial weights, no shuffling, float64. `peers/make_trajectories.py` trains both side by side where Keras is
installed, and recorded its numbers to 12 digits. Some dozen steps multiply a rounding of 1e-16 by little: 1e-9 of the
largest number is far above that and far below any difference in a rule.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from peers.trajectories_cases import CASES, data, start

from rnnkit import Sequential, layers, optimizers

PATH = Path(__file__).with_name("peers") / "trajectories.json"


def layer(name, options):
    options = {k: layer(*v) if k == "layer" else v for k, v in options.items()}
    return getattr(layers, name)(**options)


def ours(case):
    """The loss of every step and the weights after the last one."""
    x, y = data(case)
    model = Sequential([layer(*entry) for entry in case["layers"]], dtype="float64")
    model.build(x.shape)
    learned = [p.keys() & set(made.learned(p)) for made, p in zip(model.layers, model.params, strict=True)]
    before = model.params
    model.set_weights(start([w.shape for w in model.get_weights()]))
    model.params = [
        {k: w if k in names else old[k] for k, w in p.items()}
        for p, names, old in zip(model.params, learned, before, strict=True)
    ]
    name, options = case["optimizer"]
    model.compile(getattr(optimizers, name)(**options), case["loss"])
    losses = []
    for _ in range(case["epochs"]):
        for k in range(0, len(x), case["batch_size"]):
            rows = slice(k, k + case["batch_size"])
            losses.append(model.train_on_batch(x[rows], y[rows])["loss"])
    return losses, model.get_weights()


@pytest.mark.parametrize("name", CASES)
def test_a_training_is_that_of_keras_step_by_step(name):
    answer = json.loads(PATH.read_text())[name]
    losses, weights = ours(CASES[name])
    np.testing.assert_allclose(losses, answer["losses"], rtol=1e-9)
    assert max(losses) - min(losses) > 1e-3  # it has moved
    for k, (w, theirs) in enumerate(zip(weights, answer["weights"], strict=True)):
        scale = max(1.0, np.abs(theirs).max())
        np.testing.assert_allclose(w.ravel(), theirs, rtol=0, atol=1e-9 * scale, err_msg=f"weight {k}")
