"""Recurrent layers fed step by step, with all their options, give what the full pass gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from recurrent_cases import EACH, MAKERS, MASK, all_options, same, same_bits, started

from rnnkit import Context, layers


@EACH
@pytest.mark.parametrize("return_sequences", [False, True])
def test_a_stream_gives_what_the_full_pass_gives_up_to_every_step(name, return_sequences):
    rng = np.random.default_rng(13)
    layer = MAKERS[name](3, **all_options(name), return_sequences=return_sequences)
    params, x = started(layer, rng), rng.standard_normal((3, 4, 2))
    h, last, _ = layer.scan(params, x, None, Context(mask=MASK))
    for ctx in (Context(), Context(rng=rng, mask=MASK)):  # a stream predicts, whatever the context says
        stream = layer.stream(params, 3, ctx)
        for t in range(4):
            y, mask = stream.step(x[:, t], MASK[:, t])
            same({"y": y}, {"y": h[:, t]})
            assert (mask is None) == (not return_sequences)
            if return_sequences:
                np.testing.assert_array_equal(mask, MASK[:, t])
            y *= 0  # what is handed out is the caller's own
        same(stream.state, last)
    assert layer.reach == (np.inf, 1)


def test_a_stream_goes_on_from_a_state_that_was_taken_and_begins_again():
    rng = np.random.default_rng(14)
    layer = layers.LSTM(3, initial_state="learned")
    params, x = started(layer, rng), rng.standard_normal((5, 2, 2))
    stream = layer.stream(params, 2)
    first = [stream.step(step, None)[0] for step in x[:2]]
    kept = stream.state
    for v in stream.state.values():
        v[:] = np.nan  # what is handed out is a copy
    rest = [stream.step(step, None)[0] for step in x[2:]]
    taken = {k: v.copy() for k, v in kept.items()}
    stream.state = kept
    for v in kept.values():
        v[:] = np.nan  # neither side holds the other's arrays
    np.testing.assert_array_equal([stream.step(step, None)[0] for step in x[2:]], rest)
    stream.reset()
    np.testing.assert_array_equal([stream.step(step, None)[0] for step in x[:2]], first)
    same_bits(stream.state, taken)
    stream.reset()
    stream.step(x[0], None)
    same_bits({k: v[0] for k, v in layer.stream(params, 2).state.items()}, {k: params[f"{k}_0"] for k in "hc"})


def test_what_a_stream_cannot_take_is_refused_in_a_sentence():
    layer = layers.LSTM(3)
    params, _ = layer.init(np.random.default_rng(0), (None, 4, 2), "float64")
    with pytest.raises(
        ValueError, match=r"LSTM\(go_backwards=True\) cannot be streamed: it reads a sequence from its end"
    ):
        replace(layer, go_backwards=True).stream(params, 1)
    with pytest.raises(ValueError, match=r"LSTM\(return_state=True\) has several outputs and a stream one"):
        replace(layer, return_state=True).stream(params, 1)
    stream = layer.stream(params, 2)
    for x in (np.zeros((3, 2)), np.zeros((2, 3)), np.zeros(2)):
        with pytest.raises(ValueError, match=r"this stream of LSTM takes a step as \(rows, features\) = \(2, 2\); got"):
            stream.step(x, None)
    with pytest.raises(ValueError, match=r"the mask of a step of LSTM is \(rows,\) = \(2,\); got \(3,\)"):
        stream.step(np.zeros((2, 2)), np.ones(3, bool))
    for state in ({"h": np.zeros((2, 3))}, {"h": np.zeros((2, 3)), "c": np.zeros((1, 3))}):
        with pytest.raises(ValueError, match=r"the state of this stream of LSTM is \{'h': \(2, 3\), 'c': \(2, 3\)\}"):
            stream.state = state
