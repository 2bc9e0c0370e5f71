"""Asks Keras and PyTorch about convolution and pooling, in float64; writes `tests/peers/convolution.json`.

    python tests/peers/make_convolution.py

Needs keras 3 and torch; the tests that read the answers need neither.
"""

from __future__ import annotations

import json
from pathlib import Path

from asking import hard_sigmoid, keras, leaf, plain, torch
from peer_values import draw
from peers import convolution_cases as cases
from peers.convolution_cases import MASK, B, C, K, O, T


def answer(y, x, weights):
    outputs = y if isinstance(y, list) else [y]
    sum((o * torch.tensor(draw(tuple(o.shape), 30 + k))).sum() for k, o in enumerate(outputs)).backward()
    return {"y": outputs, "dx": x.grad, "dweights": [w.grad for w in weights]}


def of_keras(layer, x, **call):
    y = layer(x, **call)
    return answer(y, x, [w.value for w in layer.trainable_weights])


def convolution(peer, options):
    x = leaf(draw((B, T, C), 10, 1.5))
    if peer == "keras":
        options = {k: hard_sigmoid if v == "hard_sigmoid" else v for k, v in options.items()}
        layer = keras.layers.Conv1D(O, K, **options)
        layer.build((B, T, C))
        layer.set_weights(cases.conv_weights([w.shape for w in layer.weights]))
        return of_keras(layer, x)
    W, b = map(leaf, cases.conv_weights([(K, C // options["groups"], O), (O,)]))
    s, d = options["strides"], options["dilation_rate"]
    padded = torch.nn.functional.pad(x.permute(0, 2, 1), cases.torch_padding(options["padding"], s, d))
    y = torch.nn.functional.conv1d(padded, W.permute(2, 1, 0), b, s, 0, d, options["groups"])
    return answer(y.permute(0, 2, 1), x, [W, b])


def pooling(name, kind, options):
    x = leaf(cases.pooling_input(name))
    if kind == "AveragePooling1D" and cases.is_one_sided(options):
        k = options["pool_size"]
        s = options["strides"] or k
        total = (-(-T // s) - 1) * s + k - T
        sums, counts = (
            torch.nn.functional.avg_pool1d(torch.nn.functional.pad(a, (total // 2, total - total // 2)), k, s)
            for a in (x.permute(0, 2, 1), torch.ones(B, 2, T))
        )
        return answer((sums / counts).permute(0, 2, 1), x, [])
    layer = getattr(keras.layers, kind)(**options)
    return of_keras(layer, x, **({"mask": torch.tensor(MASK)} if "masked" in name else {}))


def stack():
    x = leaf(draw((2, 9, 2), 11, 1.5))
    model = keras.Sequential(
        [keras.Input((9, 2)), *(getattr(keras.layers, kind)(**options) for kind, options in cases.STACK)]
    )
    model.set_weights(cases.conv_weights([w.shape for w in model.weights]))
    return of_keras(model, x)


def wavenet():
    """Blocks out of Keras' own layers; the weights of each in the order filter, gate, residual, skip, project."""
    x = leaf(draw((2, 9, 2), 11, 1.5))
    here, total, weights = x, 0, []
    for n, d in enumerate(cases.DILATIONS):
        last = n == len(cases.DILATIONS) - 1
        taps = {"padding": "causal", "dilation_rate": d}
        parts = [keras.layers.Conv1D(3, 2, activation=f, **taps) for f in ("tanh", "sigmoid")]
        z = parts[0](here) * parts[1](here)  # builds them
        skip = keras.layers.Conv1D(4, 1)
        residual, project = keras.layers.Conv1D(3, 1), keras.layers.Conv1D(3, 1, use_bias=False)
        for part, like in ((skip, z), (residual, z), (project, here)):
            part.build(like.shape)
        parts += [*([] if last else [residual]), skip, *([project] if n == 0 else [])]
        for part in parts:
            part.set_weights([draw(w.shape, 50 + len(weights) + k, 0.7) for k, w in enumerate(part.weights)])
            weights += [w.value for w in part.weights]
        z = parts[0](here) * parts[1](here)
        total = total + skip(z)
        if not last:
            here = residual(z) + (project(here) if n == 0 else here)
    return answer(torch.relu(total), x, weights)


if __name__ == "__main__":
    answers = {
        "convolutions": {name: convolution(*case) for name, case in cases.convolutions().items()},
        "poolings": {name: pooling(name, *case) for name, case in cases.poolings().items()},
        "stack": stack(),
        "wavenet": wavenet(),
    }
    path = Path(__file__).with_name("convolution.json")
    path.write_text(json.dumps(plain(answers), separators=(",", ":")) + "\n")
    print(f"{path}: {path.stat().st_size} bytes, Keras {keras.__version__}, PyTorch {torch.__version__}")
