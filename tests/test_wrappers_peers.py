"""Wrappers, norms, masks and embeddings against Keras 3 and PyTorch, in float64, as numbers.

`peers/wrappers_cases.py` has the cases, `peers/make_wrappers.py` asks the peers. Answers are recorded to 12 digits and
compared to 1e-10 of the largest number of an array.

Where rnnkit means something else than Keras 3.15, on purpose:
- `Bidirectional(layer)` of a layer that goes backwards makes a partner that goes forward, where Keras refuses it; the
  mask then goes on reversed, as the output is. A stateful layer inside is refused.
- A mask given with indices goes on through `Embedding` without mask_zero, and is joined with that of the zeros, as it
  is with that of `Masking`; Keras forgets the one that came. `Reshape` hands a mask on where it keeps the steps.
- `BatchNormalization` takes a mask (B, T) with x of any rank, and so does one inside a `TimeDistributed`, where Keras
  wants an axis for each but the last.
- `TimeDistributed` hands a mask to nothing else inside. Keras gives a layer that takes one the column (B,), with which
  its recurrent layers fail.
- Indices (B, T, S) in `Embedding(mask_zero=True)` have a mask of steps (B, T), as all sequences have. Keras has one of
  all places (B, T, S), which a layer in a `TimeDistributed` heeds, and with which a recurrent layer after that fails.
- A wrapper made with `trainable=False` is frozen with all that is in it, as Keras' is by `layer.trainable = False`
  afterwards; with the argument alone, what Keras wraps goes on learning.
- `LayerNormalization` over an axis that is not the last fails in Keras on PyTorch; where that axis and the last are of
  one size, it takes the last. With a mask and a single feature, Keras' `BatchNormalization` fails in training.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from peer_values import agrees, draw
from peers import wrappers_cases as peers
from peers.wrappers_cases import F, H

from rnnkit import Context, layers

RECORDED = peers.load()


def made(stack, x):
    """The layers of a case, and their weights as Keras lists them."""
    found, shape = [], x.shape
    for spec in stack:
        layer = peers.built(spec, layers)
        like, shape = layer.init(np.random.default_rng(0), shape, "float64")
        found.append((layer, like))
    given = iter(peers.weights([w.shape for layer, like in found for w in layer.to_list(like)]))
    return [(layer, layer.from_list([next(given) for _ in layer.to_list(like)], like)) for layer, like in found]


def compared(stack, x, mask, training, answer):
    x = peers.INPUTS[x]
    rows, recorded = made(stack, x), {}
    rng = np.random.default_rng(0) if training else None
    ctx, out, pullbacks = Context(mask=mask, rng=rng, record=recorded.__setitem__), x, []
    for layer, params in rows:
        y, pullback = layer(params, out, ctx)
        ctx, out = replace(ctx, mask=layer.next_mask(ctx.mask, out)), y
        pullbacks.append(pullback)
    outputs = out if isinstance(out, tuple) else (out,)
    assert len(outputs) == len(answer["outputs"])
    for k, (ours, theirs) in enumerate(zip(outputs, answer["outputs"], strict=True)):
        agrees(ours, theirs, f"output {k}")
    dy = tuple(draw(o.shape, 30 + k) for k, o in enumerate(outputs))
    dy = dy if isinstance(out, tuple) else dy[0]
    grads = []
    for (layer, params), pullback in reversed(list(zip(rows, pullbacks, strict=True))):
        dparams, dy = pullback(dy)
        fixed = [w for w in params if w.rpartition(".")[2].startswith("moving")]
        frozen = {} if not layer.learned(params) else {k: g for k, g in dparams.items() if k not in fixed}
        grads = (layer.to_list(frozen) if frozen else []) + grads
    assert len(grads) == len(answer["dweights"])
    for k, (ours, theirs) in enumerate(zip(grads, answer["dweights"], strict=True)):
        agrees(ours, theirs, f"dL/d(weight {k})")
    if "dx" in answer:
        agrees(dy, answer["dx"], "dL/dx")
    else:
        assert not dy.any()
    running = {k: w for _, params in rows for k, w in params.items() if k.rpartition(".")[2].startswith("moving")}
    for (name, before), theirs in zip(running.items(), answer["after"], strict=True):
        agrees(recorded.get(name, before), theirs, f"{name} afterwards")


@pytest.mark.parametrize("name", peers.CASES)
def test_outputs_and_gradients_are_those_of_keras(name):
    stack, x, mask = peers.CASES[name]
    compared(stack, x, mask, False, RECORDED["cases"][name])


@pytest.mark.parametrize("name", peers.BATCH)
def test_batch_statistics_and_what_runs_are_those_of_keras(name):
    layer, x, mask, training = peers.BATCH[name]
    compared([layer], x, mask, training, RECORDED["batch"][name])


def test_an_lstm_of_pytorch_in_both_directions_has_the_same_outputs_and_gradients():
    answer = RECORDED["torch"]
    shapes = [(4 * H, F), (4 * H, H), (4 * H,), (4 * H,)] * 2
    given = [draw(shape, 50 + k, 0.8) for k, shape in enumerate(shapes)]

    def ours(arrays):
        """W_ih, W_hh, b_ih, b_hh of both directions: transposed, two biases to their sum."""
        return {
            f"{part}.{name}": w
            for part, (W, U, b, b_h) in zip(("forward", "backward"), (arrays[:4], arrays[4:]), strict=True)
            for name, w in (("W", W.T), ("U", U.T), ("b", b + b_h))
        }

    layer = layers.Bidirectional(layers.LSTM(H, return_sequences=True, return_state=True))
    outputs, pullback = layer({k: np.ascontiguousarray(w) for k, w in ours(given).items()}, peers.INPUTS["series"])
    for k, (y, theirs) in enumerate(zip(outputs, answer["outputs"], strict=True)):
        agrees(y, theirs, f"output {k}")
    dparams, dx = pullback(tuple(draw(y.shape, 30 + k) for k, y in enumerate(outputs)))
    agrees(dx, answer["dx"], "dL/dx")
    grads = [np.array(g).reshape(shape) for g, shape in zip(answer["dweights"], shapes, strict=True)]
    for k in (3, 7):  # both biases only come as their sum, and have one gradient
        np.testing.assert_array_equal(grads[k - 1], grads[k])
        grads[k] = 0 * grads[k]
    for name, theirs in ours(grads).items():
        agrees(dparams[name], theirs, f"dL/d{name}")
