"""Projection, zoneout, learned states, restarts, penalties, constraints against PyTorch and Keras, in float64.

`peers/recurrent_options_cases.py` has the cases, `peers/make_recurrent_options.py` asks the peers. Answers are recorded
to 12 digits and compared to 1e-10 of the largest number of an array.

Where rnnkit means something else, on purpose:
- PyTorch's projected LSTM has two biases, of which only the sum counts; here there is one. P is (units, projection),
  the transpose of weight_hr_l0, and may be as wide as the cell, which PyTorch refuses.
- Keras has no projection, zoneout, learned states, restarts nor limits inside the recurrence.
"""

from __future__ import annotations

import numpy as np
import pytest
from peer_values import agrees
from peers import recurrent_options_cases as peers
from peers.recurrent_options_cases import RESET, F, H, T, X

from rnnkit import Context, constraints, layers, regularizers

RECORDED = peers.load()


def compared(layer, params, state, ctx, answer):
    h, last, back = layer.scan(params, X, state, ctx)
    agrees(h, answer["y"], "y")
    for (name, ours), theirs in zip(last.items(), answer["last"], strict=True):
        agrees(ours, theirs, f"last {name}")
    dh, *dlast = peers.cotangents(h.shape[2])
    dparams, dx, dstate0 = back(dh, dict(zip(last, dlast, strict=True)))
    ours = dparams | {"x": dx} | {f"state0 {k}": v for k, v in dstate0.items()}
    assert answer["grads"].keys() >= params.keys() | {"x"}
    for name, theirs in answer["grads"].items():
        agrees(ours[name], theirs, f"dL/d{name}")


@pytest.mark.parametrize("name", peers.PROJECTED)
def test_a_projected_lstm_and_its_gradients_are_those_of_pytorch(name):
    width, with_states = peers.PROJECTED[name]
    layer, params = layers.LSTM(H, projection=width), peers.lstm_weights(width)
    assert {k: w.shape for k, w in params.items()} == layer.plan((None, T, F))[0]
    compared(layer, params, peers.starts(width) if with_states else None, Context(), RECORDED["projected"][name])


@pytest.mark.parametrize("name", peers.ZONED)
def test_a_zoned_lstm_and_its_gradients_are_those_of_pytorch(name):
    share, cell_share = peers.ZONED[name]
    layer = layers.LSTM(H, zoneout=share, cell_zoneout=cell_share)
    params = {k: w for k, w in peers.lstm_weights(H).items() if k != "P"}
    compared(layer, params, peers.starts(H), Context(rng=np.random.default_rng(7)), RECORDED["zoned"][name])
    compared(layer, params, peers.starts(H), Context(), RECORDED["expected"][name])


def test_an_lstm_whose_rows_begin_anew_from_what_is_learned_is_that_of_pytorch():
    params = {k: w for k, w in peers.lstm_weights(H).items() if k != "P"}
    params |= {f"{k}_0": v[0] for k, v in peers.starts(H).items()}
    layer = layers.LSTM(H, initial_state="learned")
    compared(layer, params, None, Context(reset=RESET), RECORDED["restarted"])


def made(options, package):
    return {name: getattr(package, which)(**arguments) for name, (which, arguments) in options.items()}


def params_of(layer, kind):
    like, _ = layer.init(np.random.default_rng(0), (None, T, F), "float64")
    return layer.from_list(peers.listed(kind), like)


@pytest.mark.parametrize("kind", peers.PENALTIES)
def test_the_penalties_of_a_recurrent_layer_are_those_of_keras(kind):
    layer = getattr(layers, kind)(H, **made(peers.PENALTIES[kind], regularizers))
    params, answer = params_of(layer, kind), RECORDED["penalties"][kind]
    value, slopes = layer.penalty(params)
    agrees(np.array(value), answer["value"], "the penalty")
    whole = {name: slopes.get(name, np.zeros_like(w)) for name, w in params.items()}
    for k, (ours, theirs) in enumerate(zip(layer.to_list(whole), answer["slopes"], strict=True)):
        agrees(ours, theirs if len(theirs) > 1 else 0 * ours, f"the slope of weight {k}")


@pytest.mark.parametrize("kind", peers.CONSTRAINTS)
def test_the_constraints_of_a_recurrent_layer_are_those_of_keras(kind):
    layer = getattr(layers, kind)(H, **made(peers.CONSTRAINTS[kind], constraints))
    params = params_of(layer, kind)
    after = layer.constrained(params)
    assert list(after) == list(params)
    for k, (ours, theirs) in enumerate(zip(layer.to_list(after), RECORDED["constraints"][kind], strict=True)):
        agrees(ours, theirs, f"weight {k}")
