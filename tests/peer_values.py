"""What Keras and PyTorch are asked; their answers are in `peer_values.json`, written by `peers/make_peer_values.py`.

A case is data, so that both sides read the same one. Inputs and weights come from `draw`, integers over a number, the
same bits everywhere; answers are float64 to 12 digits.
"""

from __future__ import annotations

import json
from math import prod
from pathlib import Path

import numpy as np

PATH = Path(__file__).with_name("peer_values.json")

B, T, F, H = 2, 3, 2, 2

ACTIVATIONS = (
    "linear", "tanh", "sigmoid", "hard_sigmoid", "relu", "leaky_relu", "elu", "selu", "gelu", "softplus", "softsign",
    "swish", "exponential", "softmax",
)  # fmt: skip


def draw(shape, salt, scale=1.0):
    """Numbers in (-scale, scale) that look random and are the same wherever integers are."""
    k = np.arange(1, prod(shape) + 1, dtype=np.int64)
    return (((k * 7919 + 31 * k * k + salt * 104729) % 2003 - 1001) / 1001 * scale).reshape(shape)


def agrees(ours, theirs, what="", least=1.0):
    """An array against a flat list of numbers, to 1e-10 of the largest, or of `least` where all are smaller."""
    theirs = np.ravel(theirs)
    scale = max(least, float(np.abs(theirs).max(initial=0)))
    np.testing.assert_allclose(np.ravel(ours), theirs, rtol=0, atol=1e-10 * scale, err_msg=what)


MASK = np.array([[True, True, False], [False, True, True]])
HOLES = np.array([[True, False, True], [False, False, False]])


def recurrent_cases():
    """name -> (layer, its arguments, {"mask": ..., "state": initial states are given, "drop": dropout is on})."""
    cases = {}
    for layer in ("SimpleRNN", "LSTM", "GRU"):
        for activation in ACTIVATIONS:
            options = {"activation": activation, "return_sequences": True}
            cases[f"{layer} {activation}"] = (layer, options, {"state": True})
        cases[f"{layer} without bias"] = (layer, {"use_bias": False}, {})
        cases[f"{layer} last step with states"] = (layer, {"return_state": True}, {"state": True})
        all_of_it = {"return_state": True, "return_sequences": True}
        cases[f"{layer} backwards"] = (layer, all_of_it | {"go_backwards": True}, {"state": True})
        cases[f"{layer} masked"] = (layer, all_of_it, {"mask": MASK})
        cases[f"{layer} with an empty row"] = (layer, {}, {"mask": HOLES})
        cases[f"{layer} masked backwards"] = (layer, all_of_it | {"go_backwards": True}, {"mask": MASK})
        dropped = {"dropout": 0.4, "recurrent_dropout": 0.3, "return_sequences": True}
        cases[f"{layer} with dropout"] = (layer, dropped, {"drop": 5})
        if layer != "SimpleRNN":
            options = {"recurrent_activation": "hard_sigmoid", "return_sequences": True}
            cases[f"{layer} hard_sigmoid gates"] = (layer, options, {"state": True})
    before = {"reset_after": False, "return_sequences": True}
    cases["GRU before"] = ("GRU", before | {"return_state": True}, {"state": True})
    cases["GRU before, masked"] = ("GRU", before | {"go_backwards": True}, {"mask": MASK})
    cases["GRU before, without bias, swish"] = ("GRU", before | {"use_bias": False, "activation": "swish"}, {})
    cases["GRU before, with dropout"] = ("GRU", before | {"dropout": 0.4, "recurrent_dropout": 0.3}, {"drop": 6})
    return cases


def drops(seed, options):
    """The two dropout masks that a generator of that seed gives: for the input (B, 1, F), and for h (B, H)."""
    rng = np.random.default_rng(seed)
    return tuple(
        (rng.random(shape) >= options[name]) / (1 - options[name])
        for name, shape in (("dropout", (B, 1, F)), ("recurrent_dropout", (B, H)))
    )


def recurrent_weights(layer, options):
    """In Keras' order and shapes."""
    G = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}[layer]
    scale = 0.2 if options.get("activation") == "exponential" else 1.0  # exp(exp(...)) is soon beyond float64
    weights = [draw((F, G * H), 1, 0.9 * scale), draw((H, G * H), 2, 0.8 * scale)]
    if options.get("use_bias", True):
        weights.append(draw((2, G * H) if layer == "GRU" and options.get("reset_after", True) else (G * H,), 3, 0.5))
    return weights


# A stack, its loss, and for each sample (or step) a weight. x (5, 4, 2).
MODELS = {
    "mse on a vector": (
        [("LSTM", {"units": 3, "return_sequences": True}), ("GRU", {"units": 2}), ("Dense", {"units": 1})],
        "mse", (5,), None,
    ),
    "huber at every step": (
        [("SimpleRNN", {"units": 3, "return_sequences": True}), ("Dense", {"units": 2, "activation": "softplus"})],
        "huber", (5, 4), None,
    ),
    "mae, two layers of Dense": (
        [("GRU", {"units": 3, "reset_after": False}), ("Dense", {"units": 2, "activation": "relu"}),
         ("Dense", {"units": 2})],
        "mae", None, None,
    ),
    "mse, masked steps": (
        [("LSTM", {"units": 2, "return_sequences": True}), ("Dense", {"units": 1})],
        "mse", (5, 4), "mask",  # with a mask, Keras fails on weights of shape (5,)
    ),
}  # fmt: skip
MODEL_MASK = np.array([[1, 1, 1, 0], [0, 1, 1, 1], [1, 0, 1, 0], [1, 1, 1, 1], [1, 1, 0, 0]], bool)

# Trained without shuffling on 5 samples in batches of 3 and 2, five epochs: ten steps. x (5, 4, 2), y (5, 1).
RUNS = {
    "SimpleRNN, SGD with momentum and clipnorm": (
        [("SimpleRNN", {"units": 3}), ("Dense", {"units": 1})],
        ("SGD", {"learning_rate": 0.05, "momentum": 0.9, "clipnorm": 0.5}), "mse",
    ),
    "two LSTM, RMSprop": (
        [("LSTM", {"units": 2, "return_sequences": True}), ("LSTM", {"units": 2}), ("Dense", {"units": 1})],
        ("RMSprop", {"learning_rate": 0.01}), "huber",
    ),
    "GRU, Adam": (
        [("GRU", {"units": 2, "activation": "swish"}), ("Dense", {"units": 1})],
        ("Adam", {"learning_rate": 0.02}), "mae",
    ),
}  # fmt: skip


def model_weights(shapes):
    return [draw(shape, 40 + k, 0.7) for k, shape in enumerate(shapes)]


# PyTorch's modules, (gates, states); and cells written out in PyTorch, with their weights' shapes.
TORCH = {"LSTM": (4, "hc"), "GRU": (3, "h"), "RNN": (1, "h")}
LOOPS = {
    "PeepholeLSTM": {"W": (F, 4 * H), "U": (H, 4 * H), "b": (4 * H,), "p_i": (H,), "p_f": (H,), "p_o": (H,)},
    "LayerNormSimpleRNN": {"W": (F, 3), "U": (3, 3), "b": (3,), "gamma": (3,), "beta": (3,)},
    "LayerNormLSTM": {"W": (F, 4 * H), "U": (H, 4 * H)}
    | dict.fromkeys(("b", "gamma_x", "beta_x", "gamma_h", "beta_h"), (4 * H,))
    | {"gamma_c": (H,), "beta_c": (H,)},
    "LayerNormGRU": {"W": (F, 3 * H), "U": (H, 3 * H)}
    | dict.fromkeys(("b", "gamma_x", "beta_x", "gamma_h", "beta_h"), (3 * H,)),
}


def loop_weights(kind):
    return {
        name: draw(shape, 60 + k, 0.8) + name.startswith("gamma") for k, (name, shape) in enumerate(LOOPS[kind].items())
    }


def load():
    return json.loads(PATH.read_text())
