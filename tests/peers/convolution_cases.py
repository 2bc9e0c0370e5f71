"""What Keras and PyTorch are asked about convolution and pooling; their answers are in `convolution.json`."""

from __future__ import annotations

from itertools import product

import numpy as np
from peer_values import ACTIVATIONS, draw

B, T, C, O, K = 2, 7, 4, 2, 3
SMOOTH = [a for a in ACTIVATIONS if a != "exponential"]

# The middle of the table has an empty row and holes.
MASK = np.array([[0, 1, 1, 0, 1, 0, 0], [0, 0, 0, 0, 1, 1, 1]], bool)


def convolutions():
    """name -> (peer, options). Keras refuses a stride together with a dilation; there PyTorch is asked."""
    cases = {}
    pairs = [(1, 1), (2, 1), (3, 1), (1, 2), (1, 3), (2, 2), (3, 2), (2, 3)]
    for n, (padding, (s, d), groups) in enumerate(product(("valid", "same", "causal"), pairs, (1, 2))):
        peer = "torch" if s > 1 and d > 1 else "keras"
        options = {"strides": s, "padding": padding, "dilation_rate": d, "groups": groups}
        if peer == "keras":
            options["activation"] = SMOOTH[n % len(SMOOTH)]
        cases[" ".join(f"{k}={v}" for k, v in options.items())] = (peer, options)
    cases["without bias"] = ("keras", {"use_bias": False, "padding": "same", "strides": 2})
    return cases


def torch_padding(padding, s, d):
    """Zeros before and behind, written down for T = 7 and K = 3 from TensorFlow's rule; what PyTorch is given."""
    if padding == "valid":
        return 0, 0
    if padding == "causal":
        return (K - 1) * d, 0
    return {(2, 2): (2, 2), (3, 2): (2, 2), (2, 3): (3, 3)}[s, d]


def conv_weights(shapes):
    return [draw(shape, 80 + k, 0.7) for k, shape in enumerate(shapes)]


def poolings():
    """name -> (layer, options). Steps tie where "ties" stands in the name."""
    cases = {}
    for kind, k, s, padding in product(("Max", "Average"), (2, 3, 4), (None, 1, 2, 3), ("valid", "same")):
        cases[f"{kind} {k} {s} {padding}"] = (f"{kind}Pooling1D", {"pool_size": k, "strides": s, "padding": padding})
    for padding in ("valid", "same"):
        cases[f"Max ties {padding}"] = ("MaxPooling1D", {"pool_size": 3, "strides": 2, "padding": padding})
    for kind in ("Max", "Average"):
        cases[f"Global {kind}"] = (f"Global{kind}Pooling1D", {})
        cases[f"Global {kind} keepdims ties"] = (f"Global{kind}Pooling1D", {"keepdims": True})
    cases["Global Average masked"] = ("GlobalAveragePooling1D", {})
    return cases


def pooling_input(name):
    x = draw((B, T, 2), 90, 1.5)
    return np.round(x) if "ties" in name else x


# One-sided padding, where Keras on PyTorch repeats the outermost step: PyTorch is asked for sums and counts instead.
def is_one_sided(options):
    s = options["strides"] or options["pool_size"]
    return options["padding"] == "same" and max((-(-T // s) - 1) * s + options["pool_size"] - T, 0) % 2 == 1


# A course's stack of convolutions; x (2, 9, 2).
STACK = [
    ("Conv1D", {"filters": 4, "kernel_size": 3, "activation": "relu", "padding": "same"}),
    ("MaxPooling1D", {"pool_size": 2}),
    ("Conv1D", {"filters": 3, "kernel_size": 2, "activation": "tanh", "dilation_rate": 2, "padding": "causal"}),
    ("AveragePooling1D", {"pool_size": 2, "strides": 1}),
    ("GlobalMaxPooling1D", {}),
    ("Dense", {"units": 2}),
]

# The dilations of a WaveNet of three features, written in Keras as `Conv1D` layers and their product; x (2, 9, 2).
DILATIONS = (1, 2, 4)
