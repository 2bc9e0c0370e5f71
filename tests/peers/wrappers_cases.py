"""What Keras and PyTorch are asked about wrappers, norms, masks and embeddings; answers in `wrappers.json`.

A case is a stack of layers as data, built from either library's names, and what goes in: see `CASES`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from peer_values import draw

PATH = Path(__file__).with_name("wrappers.json")

B, T, F, H = 3, 4, 2, 2

MASK = np.array([[True, True, True, False], [False, True, False, True], [False, False, False, False]])
PARTLY = np.array([[True, True, False, True], [False, True, True, True], [True, False, False, True]])
WORDS = np.array([[3, 1, 0, 0], [0, 2, 0, 5], [4, 4, 1, 2]])

INPUTS = {
    "series": draw((B, T, F), 10, 1.5),
    "padded": np.where(PARTLY[..., None], draw((B, T, F), 10, 1.5), 0),
    "inner sequences": draw((B, T, 3, F), 11, 1.5),
    "words": WORDS,
}


def both_ways(kind, mode="concat", backward=None, **options):
    """Bidirectional, as data."""
    arguments = {"layer": (kind, {"units": H, **options}), "merge_mode": mode}
    if backward is not None:
        turned = not options.get("go_backwards", False)
        arguments["backward_layer"] = (backward, {"units": H, **options, "go_backwards": turned})
    return "Bidirectional", arguments


def every_step(kind, **options):
    return "TimeDistributed", {"layer": (kind, options)}


def _cases():
    """name -> (stack, what goes in, {"mask": ..., "training": True})."""
    cases = {}
    for mode in ("concat", "sum", "mul", "ave", None):
        cases[f"LSTM both ways, {mode}, masked"] = [both_ways("LSTM", mode, return_sequences=True)], "series", MASK
        cases[f"GRU both ways, {mode}, last step, masked"] = [both_ways("GRU", mode)], "series", MASK
        states = {"return_sequences": True, "return_state": True}
        cases[f"SimpleRNN both ways, {mode}, with states"] = [both_ways("SimpleRNN", mode, **states)], "series", None
    last = {"return_state": True}
    cases["LSTM both ways, with states, masked"] = [both_ways("LSTM", **last)], "series", MASK
    cases["LSTM both ways, apart, with states"] = [both_ways("LSTM", None, **last)], "series", None
    cases["GRU both ways, with states, masked"] = [both_ways("GRU", **last, return_sequences=True)], "series", MASK
    sequences = {"return_sequences": True}
    cases["LSTM forward, GRU backward"] = [both_ways("LSTM", backward="GRU", **sequences)], "series", None
    cases["LSTM forward, GRU backward, masked"] = [both_ways("LSTM", "mul", "GRU", **sequences)], "series", MASK
    cases["GRU forward, LSTM backward, states"] = [both_ways("GRU", "sum", "LSTM", **last)], "series", MASK
    turned = {"return_sequences": True, "go_backwards": True}
    cases["GRU backward, GRU forward"] = [both_ways("GRU", backward="GRU", **turned)], "series", None
    without = {"use_bias": False, "reset_after": False}
    cases["GRU before, without bias, both ways"] = [both_ways("GRU", **without)], "series", MASK
    cases["two in a row"] = [both_ways("GRU", **sequences), both_ways("GRU"), ("Dense", {"units": 1})], "series", None
    steps = {
        "Dense at every step": (every_step("Dense", units=3, activation="tanh"), "series"),
        "LSTM at every step": (every_step("LSTM", units=H), "inner sequences"),
        "Flatten at every step": (every_step("Flatten"), "inner sequences"),
        "norm": (("LayerNormalization", {}), "series"),
        "norm over both": (("LayerNormalization", {"axis": [1, 2], "epsilon": 0.1}), "series"),
        "norm without gain": (("LayerNormalization", {"scale": False}), "series"),
        "norm without offset": (("LayerNormalization", {"center": False, "axis": -1}), "inner sequences"),
    }
    cases |= {name: ([layer], x, None) for name, (layer, x) in steps.items()}
    cases["words to LSTM"] = [WORDS_IN, ("LSTM", {"units": H})], "words", None
    cases["words to both ways"] = [WORDS_IN, both_ways("LSTM", **sequences)], "words", None
    cases["words, no mask"] = [("Embedding", {"input_dim": 6, "output_dim": 3}), ("GRU", {"units": H})], "words", None
    cases["Masking to GRU"] = [("Masking", {}), ("GRU", {"units": H, **sequences})], "padded", None
    cases["Masking to both ways"] = [("Masking", {}), both_ways("GRU", "ave", **sequences)], "padded", None
    cases["Masking, both ways, twice"] = (
        [("Masking", {}), both_ways("GRU", **sequences), both_ways("LSTM", "sum")], "padded", None,
    )  # fmt: skip
    cases["sequence to sequence"] = (
        [
            ("LSTM", {"units": H}), ("RepeatVector", {"n": 3}), ("GRU", {"units": 3, **sequences}),
            every_step("Dense", units=1), ("Reshape", {"target_shape": (-1,)}),
        ], "series", None,
    )  # fmt: skip
    cases["flat"] = [("Reshape", {"target_shape": (2, -1)}), ("Flatten", {}), ("Dense", {"units": 2})], "series", None
    return cases


WORDS_IN = ("Embedding", {"input_dim": 6, "output_dim": 3, "mask_zero": True})
CASES = _cases()

# name -> (layer, what goes in, mask, training). With running statistics, of which Keras is asked what they are after.
BATCH = {
    "predicting": (("BatchNormalization", {}), "series", None, False),
    "predicting, masked": (("BatchNormalization", {}), "series", MASK, False),
    "training": (("BatchNormalization", {}), "series", None, True),
    "training, masked": (("BatchNormalization", {"momentum": 0.8}), "series", MASK, True),
    "training, with holes": (("BatchNormalization", {"epsilon": 0.1, "center": False}), "series", PARTLY, True),
    "training, without gain": (("BatchNormalization", {"scale": False}), "inner sequences", None, True),
    "training, features at axis 1": (("BatchNormalization", {"axis": 1}), "series", None, True),
    "training, features at axis 1, masked": (("BatchNormalization", {"axis": 1}), "series", PARTLY, True),
    "frozen": (("BatchNormalization", {"trainable": False}), "series", None, True),
    "at every step, predicting": (every_step("BatchNormalization"), "series", None, False),
    "at every step, training": (every_step("BatchNormalization", momentum=0.7), "series", None, True),
    "at every step, training, masked": (every_step("BatchNormalization"), "series", PARTLY, True),
    "at every step, inner sequences": (every_step("BatchNormalization"), "inner sequences", None, True),
}


def built(spec, library):
    """The layer of a spec (name, arguments), arguments being specs again where they are layers."""
    kind, arguments = spec
    made = {k: built(v, library) if isinstance(v, tuple) and isinstance(v[0], str) else v for k, v in arguments.items()}
    return getattr(library, kind)(**made)


def weights(shapes):
    """One after the other, as Keras lists them; positive, so that a variance can be one."""
    return [draw(shape, 40 + k, 0.6) + 0.7 * (len(shape) == 1) for k, shape in enumerate(shapes)]


def load():
    return json.loads(PATH.read_text())
