"""Asks Keras and PyTorch, in float64, and writes their answers to `tests/peers/wrappers.json`.

    KERAS_BACKEND=torch python tests/peers/make_wrappers.py

Needs keras 3 and torch; the tests that read the answers need neither.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"
sys.path.insert(0, str(Path(__file__).parents[1]))

import keras
import numpy as np
import torch
from keras.src.backend.common import dtypes

# Without these two lines Keras computes parts of what follows in float32, and says nothing.
dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"
keras.config.set_floatx("float64")

import wrappers_cases as cases  # noqa: E402
from peer_values import draw  # noqa: E402

torch.set_default_dtype(torch.float64)


def plain(value):
    """Nested lists of numbers to 12 digits; refuses what is not float64."""
    if isinstance(value, (dict, list, tuple)):
        return {k: plain(v) for k, v in value.items()} if isinstance(value, dict) else [plain(v) for v in value]
    if isinstance(value, torch.Tensor):
        assert value.dtype == torch.float64, value.dtype
        value = value.detach().numpy()
    assert np.isfinite(value).all()
    return [float(f"{v:.12g}") for v in np.asarray(value, np.float64).ravel().tolist()]


def tensor(array):
    return torch.tensor(np.ascontiguousarray(array), requires_grad=array.dtype.kind == "f")


def through(made, x, mask, training):
    """Runs the layers one after the other; masks go on as Keras hands them on."""
    out = x
    for k, layer in enumerate(made):
        given = {"mask": torch.tensor(mask)} if k == 0 and mask is not None and layer._call_has_mask_arg else {}
        given |= {"training": training} if layer._call_has_training_arg else {}
        out = layer(out, **given)
    return out if isinstance(out, (tuple, list)) else [out]


def answer(stack, x, mask, training=False):
    made = [cases.built(spec, keras.layers) for spec in stack]
    data = tensor(cases.INPUTS[x])
    with torch.no_grad():
        through(made, data, mask, False)  # builds them
    given = iter(cases.weights([w.shape for layer in made for w in layer.get_weights()]))
    for layer in made:
        layer.set_weights([next(given) for _ in layer.get_weights()])
    outputs = through(made, data, mask, training)
    sum((o * torch.tensor(draw(tuple(o.shape), 30 + k))).sum() for k, o in enumerate(outputs)).backward()
    grads = [w.value.grad for layer in made for w in layer.trainable_weights]
    after = [w.value for layer in made for w in layer.non_trainable_weights if "moving" in w.path]
    found = {"outputs": outputs, "dweights": [torch.zeros(()) if g is None else g for g in grads], "after": after}
    return found | ({} if data.grad is None else {"dx": data.grad})


def both_ways():
    """PyTorch's own LSTM in both directions, weights in its own layout."""
    made = torch.nn.LSTM(cases.F, cases.H, batch_first=True, bidirectional=True)
    with torch.no_grad():
        for k, p in enumerate(made.parameters()):
            p.copy_(torch.tensor(draw(tuple(p.shape), 50 + k, 0.8)))
    x = tensor(cases.INPUTS["series"])
    y, (h, c) = made(x)
    outputs = [y, h[0], c[0], h[1], c[1]]
    sum((o * torch.tensor(draw(tuple(o.shape), 30 + k))).sum() for k, o in enumerate(outputs)).backward()
    return {"outputs": outputs, "dx": x.grad, "dweights": [p.grad for p in made.parameters()]}


def main():
    answers = {
        "made with": f"keras {keras.__version__}, torch {torch.__version__.partition('+')[0]}",
        "cases": {name: plain(answer(*case)) for name, case in cases.CASES.items()},
        "batch": {name: plain(answer([layer], *case)) for name, (layer, *case) in cases.BATCH.items()},
        "torch": plain(both_ways()),
    }
    lines = json.dumps(answers, separators=(",", ":")).replace('},"', '},\n"')
    cases.PATH.write_text(lines + "\n")


if __name__ == "__main__":
    main()
