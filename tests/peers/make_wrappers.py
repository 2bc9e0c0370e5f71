"""Asks Keras and PyTorch, in float64, and writes their answers to `tests/peers/wrappers.json`.

    python tests/peers/make_wrappers.py

Needs keras 3 and torch; the tests that read the answers need neither.
"""

from __future__ import annotations

import json

import numpy as np
from asking import MADE_WITH, keras, plain, torch
from peer_values import draw
from peers import wrappers_cases as cases


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
        "made with": MADE_WITH,
        "cases": {name: plain(answer(*case)) for name, case in cases.CASES.items()},
        "batch": {name: plain(answer([layer], *case)) for name, (layer, *case) in cases.BATCH.items()},
        "torch": plain(both_ways()),
    }
    lines = json.dumps(answers, separators=(",", ":")).replace('},"', '},\n"')
    cases.PATH.write_text(lines + "\n")


if __name__ == "__main__":
    main()
