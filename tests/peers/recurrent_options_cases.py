"""What PyTorch and Keras are asked about the options of the recurrent layers; answers in `recurrent_options.json`.

A projected LSTM is `torch.nn.LSTM(proj_size=)`; a cell kept in part, and one whose rows begin from a state that is
learned, are loops written in PyTorch and differentiated by it; penalties and constraints are those of Keras' layers.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from peer_values import draw

PATH = Path(__file__).with_name("recurrent_options.json")

B, T, F, H = 3, 4, 2, 3

# name -> how wide h is, whether states are handed in
PROJECTED = {"narrow": (2, True), "one": (1, False), "as wide": (3, True)}

# name -> (share of h, of c), drawn and expected
ZONED = {"h and c": (0.4, 0.5), "h": (0.3, 0.0), "c": (0.0, 0.6)}

X = draw((B, T, F), 1, 1.5)
RESET = np.array([[True, False, True, False], [False, False, False, True], [False, False, False, False]])

PENALTIES = {
    "LSTM": {"kernel_regularizer": ("L2", {"l2": 0.03}), "recurrent_regularizer": ("L1", {"l1": 0.02})},
    "GRU": {"bias_regularizer": ("L1L2", {"l1": 0.05, "l2": 0.04}), "recurrent_regularizer": ("L2", {"l2": 0.01})},
    "SimpleRNN": {"bias_regularizer": ("L2", {"l2": 0.1}), "kernel_regularizer": ("L1", {"l1": 0.03})},
}
CONSTRAINTS = {
    "LSTM": {"kernel_constraint": ("MaxNorm", {"max_value": 0.7}), "bias_constraint": ("NonNeg", {})},
    "GRU": {"bias_constraint": ("UnitNorm", {"axis": 0}), "recurrent_constraint": ("MaxNorm", {"max_value": 0.6})},
    "SimpleRNN": {"recurrent_constraint": ("MinMaxNorm", {"min_value": 0.5, "max_value": 0.8})},
}


def lstm_weights(width):
    """W, U, b and P of an LSTM whose h is `width` wide."""
    shapes = {"W": (F, 4 * H), "U": (width, 4 * H), "b": (4 * H,), "P": (H, width)}
    return {name: draw(shape, 10 + k, 0.8) for k, (name, shape) in enumerate(shapes.items())}


def starts(width):
    return {"h": draw((B, width), 20, 0.7), "c": draw((B, H), 21, 0.7)}


def cotangents(width):
    """Of the outputs, and of the last h and c."""
    return draw((B, T, width), 30), draw((B, width), 31), draw((B, H), 32)


def zone_masks(shares, seed):
    """What a generator of that seed draws for the states of which a share is kept, (T, B, H) by name."""
    rng = np.random.default_rng(seed)
    return {name: rng.random((T, B, H)) < share for name, share in zip("hc", shares, strict=True) if share}


def listed(kind):
    """The weights of a layer as Keras lists them."""
    G = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}[kind]
    bias = (2, G * H) if kind == "GRU" else (G * H,)
    return [draw((F, G * H), 1, 0.9), draw((H, G * H), 2, 0.8), draw(bias, 3, 0.5)]


def load():
    return json.loads(PATH.read_text())
