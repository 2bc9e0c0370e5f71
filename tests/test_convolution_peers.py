"""Convolution, pooling and a WaveNet against Keras 3 and PyTorch: outputs and gradients, float64, as numbers.

`peers/convolution_cases.py` has the cases, `peers/make_convolution.py` asks the peers. Answers are recorded to 12
digits and compared to 1e-10 of the largest number of an array.

Where rnnkit means something else than Keras 3.15, on purpose:
- A stride and a dilation go together, by the same rules; Keras refuses them. PyTorch has answered.
- `AveragePooling1D(padding="same")` counts the steps within the sequence, as Keras does on TensorFlow and JAX. On
  PyTorch, where the padding is one-sided, Keras repeats the outermost step and counts it again: there the answer is
  PyTorch's own, a sum over a count.
- A mask goes through Conv1D and pooling: a masked step is as padding, and the mask thins out as the steps do. Keras
  takes no notice of it there, says so, and drops it. In `GlobalAveragePooling1D` a row without real steps gives 0, not
  NaN; `GlobalMaxPooling1D` looks at real steps only.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from peer_values import agrees, draw
from peers import convolution_cases as cases

from rnnkit import Context, Sequential, layers

RECORDED = json.loads((Path(__file__).parent / "peers" / "convolution.json").read_text())


def compare(y, dx, dweights, answer):
    agrees(y, answer["y"][0], "y")
    agrees(dx, answer["dx"], "dL/dx")
    assert len(dweights) == len(answer["dweights"])
    for k, (ours, theirs) in enumerate(zip(dweights, answer["dweights"], strict=True)):
        agrees(ours, theirs, f"dL/d(weight {k})")


def through(layer, weights, x, ctx, answer):
    like, _ = layer.init(np.random.default_rng(0), x.shape, "float64")
    assert [w.shape for w in layer.to_list(like)] == [w.shape for w in weights]
    y, pullback = layer(layer.from_list(weights, like), x, ctx)
    dparams, dx = pullback(draw(y.shape, 30))
    compare(y, dx, layer.to_list(dparams), answer)


@pytest.mark.parametrize("name", cases.convolutions())
def test_a_convolution_and_its_gradients_are_those_of_its_peer(name):
    _, options = cases.convolutions()[name]
    layer, x = layers.Conv1D(cases.O, cases.K, **options), draw((cases.B, cases.T, cases.C), 10, 1.5)
    weights = cases.conv_weights(layer.plan(x.shape)[0].values())
    through(layer, weights, x, Context(), RECORDED["convolutions"][name])


@pytest.mark.parametrize("name", cases.poolings())
def test_pooling_and_its_gradient_are_those_of_its_peer(name):
    kind, options = cases.poolings()[name]
    ctx = Context(mask=cases.MASK if "masked" in name else None)
    through(getattr(layers, kind)(**options), [], cases.pooling_input(name), ctx, RECORDED["poolings"][name])


def test_a_stack_of_convolutions_and_pooling_is_that_of_keras():
    model = Sequential([getattr(layers, kind)(**options) for kind, options in cases.STACK], dtype="float64")
    model.build((None, 9, 2))
    model.set_weights(cases.conv_weights([w.shape for w in model.get_weights()]))
    y, pullback = model.forward(draw((2, 9, 2), 11, 1.5))
    dparams, dx = pullback(draw(y.shape, 30))
    compare(y, dx, model.get_weights(dparams), RECORDED["stack"])


def test_a_wavenet_is_that_of_keras_own_layers():
    layer, x = layers.WaveNet(3, cases.DILATIONS, skip_filters=4), draw((2, 9, 2), 11, 1.5)
    weights = [draw(shape, 50 + k, 0.7) for k, shape in enumerate(layer.plan(x.shape)[0].values())]
    through(layer, weights, x, Context(), RECORDED["wavenet"])


def test_the_recorded_cases_are_the_cases():
    assert RECORDED["convolutions"].keys() == cases.convolutions().keys()
    assert RECORDED["poolings"].keys() == cases.poolings().keys()
