"""`bptt.trace`: every number of one pass, and that they are the ones that the model uses."""

from __future__ import annotations

import numpy as np
import pytest
from layer_cases import example
from test_layers import RECURRENT, same

from rnnkit import Context, Sequential, bptt, layers, losses

B, T, F, H = 3, 5, 2, 3
EACH_RECURRENT = pytest.mark.parametrize("name", RECURRENT)


def stack(name, **options):
    """One recurrent layer that hands on its sequence, and a Dense above it; float64, weights away from their start."""
    model = Sequential([example(name, return_sequences=True, **options), layers.Dense(1)], dtype="float64", seed=0)
    model.build((None, T, F))
    rng = np.random.default_rng(5)
    model.params = [{k: w + 0.2 * rng.standard_normal(w.shape) for k, w in p.items()} for p in model.params]
    return model


def data(masked=False):
    rng = np.random.default_rng(6)
    mask = rng.random((B, T)) < 0.7 if masked else None
    return rng.standard_normal((B, T, F)), rng.standard_normal((B, T, 1)), mask


@EACH_RECURRENT
def test_a_trace_is_time_major_and_names_what_it_holds(name):
    model, (x, y, _) = stack(name), data()
    trace = bptt.trace(model, x, y)
    assert len(trace) == len(list(trace)) == 1
    layer, cell = trace[0], model.layers[0].make_cell()
    assert layer.name == f"0 {name}"
    assert layer.x.shape == (T, B, F)
    assert set(layer.states) == set(layer.dstate) == set(cell.state)
    assert set(layer.dgates) == set(layer.du_gates) == set(cell.gates)
    assert {a.shape for a in (*layer.states.values(), *layer.dstate.values())} == {(T + 1, B, H)}
    assert {a.shape for a in (*layer.dgates.values(), *layer.du_gates.values())} == {(T, B, H)}
    assert {a.shape[:2] for a in layer.gates.values()} <= {(T, B)}
    columns = H * len(cell.gates)
    assert (layer.dW.shape, layer.dU.shape, layer.db.shape) == ((T, F, columns), (T, H, columns), (T, columns))
    assert {k: n.shape for k, n in layer.norms().items()} == dict.fromkeys(cell.state, (T + 1,))
    np.testing.assert_allclose(layer.norms()["h"][2], np.linalg.norm(layer.dstate["h"][2]), rtol=1e-14)
    np.testing.assert_array_equal(layer.x, x.swapaxes(0, 1))


@EACH_RECURRENT
@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize("dropped", [False, True], ids=["", "dropped"])
def test_the_steps_parts_of_every_weight_sum_to_its_gradient(name, masked, dropped):
    model, (x, y, mask) = stack(name, dropout=0.3, recurrent_dropout=0.3), data(masked)
    (layer,) = bptt.trace(model, x, y, mask=mask, rng=np.random.default_rng(1) if dropped else None)
    assert layer.weights.keys() == layer.gradients.keys() == model.params[0].keys()
    for weight, gradient in layer.gradients.items():
        parts = layer.steps(weight)
        assert parts.shape == (T, *gradient.shape)
        np.testing.assert_allclose(parts.sum(axis=0), gradient, rtol=1e-10, atol=1e-13, err_msg=weight)
    if masked:  # a step that no row has owes nothing
        x[:, 2], mask[:, 2] = np.nan, False
        (layer,) = bptt.trace(model, x, y, mask=mask)
        for weight in layer.weights:
            assert not layer.steps(weight)[2].any()


@EACH_RECURRENT
def test_the_pre_activations_are_what_the_weights_gradients_are_made_of(name):
    model, (x, y, mask) = stack(name), data(masked=True)
    (layer,) = bptt.trace(model, x, y, mask=mask)
    gates = np.concatenate(list(layer.dgates.values()), axis=2)
    np.testing.assert_allclose(np.einsum("tbf,tbg->fg", layer.x, gates), layer.gradients["W"], rtol=1e-11, atol=1e-14)
    if "b_h" in layer.weights:
        recurrent = np.concatenate(list(layer.du_gates.values()), axis=2)
        np.testing.assert_allclose(recurrent.sum(axis=(0, 1)), layer.gradients["b_h"], rtol=1e-11, atol=1e-14)


@EACH_RECURRENT
@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
def test_a_trace_is_what_forward_and_its_pullback_give(name, masked):
    model, (x, y, mask) = stack(name), data(masked)
    trace = bptt.trace(model, x, y, "huber", mask=mask)
    out, pullback = model.forward(x, mask=mask)
    value, dy = losses.Huber()(out, y, mask=mask)
    dparams, dx = pullback(dy)
    assert trace.loss == value
    np.testing.assert_array_equal(trace.y, out)
    np.testing.assert_array_equal(trace.dx, dx)
    for ours, theirs in zip(trace.gradients, dparams, strict=True):
        same(ours, theirs, 1e-15)
    same(trace[0].gradients, dparams[0], 1e-15)


@EACH_RECURRENT
@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
def test_the_gradient_of_a_state_is_that_of_going_on_from_it(name, masked):
    model, (x, y, mask) = stack(name), data(masked)
    (traced,) = bptt.trace(model, x, y, mask=mask)
    layer, dense = model.layers
    masks = np.ones((B, T), bool) if mask is None else mask

    def loss_from(t, state):
        """The loss when the state after step t is this one, and has been emitted; what was emitted before stays."""
        h = traced.states["h"][1 : t + 1].swapaxes(0, 1)
        parts = [h, state["h"][:, None]]
        if t + 1 < T:
            parts.append(layer.scan(model.params[0], x[:, t + 1 :], state, Context(mask=masks[:, t + 1 :]))[0])
        out, _ = dense(model.params[1], np.concatenate(parts, axis=1))
        return losses.MSE()(out, y, mask=mask)[0]

    rng, step = np.random.default_rng(7), 1e-4
    for t in range(T):
        state = {k: s[t + 1] for k, s in traced.states.items()}
        for k in state:
            d = rng.standard_normal((B, H))
            at = {n: loss_from(t, state | {k: state[k] + n * step * d}) for n in (-2, -1, 1, 2)}
            slope = (8 * (at[1] - at[-1]) - (at[2] - at[-2])) / (12 * step)
            # Fourth order: step^4 against a rounding of 1e-16 / step.
            assert slope == pytest.approx((traced.dstate[k][t + 1] * d).sum(), rel=1e-7, abs=1e-10), (k, t)


def test_a_trace_changes_nothing_in_the_model():
    model, (x, y, _) = stack("GRU", dropout=0.3, stateful=True), data()
    model.compile("adam", "mse")
    model.predict(x)
    weights, states = model.get_weights(), {k: dict(s) for k, s in model.states.items()}
    streams = [rng.bit_generator.state for rng in (model.order_rng, model.dropout_rng)]
    first = bptt.trace(model, x, y)
    second = bptt.trace(model, x, y)
    assert first.loss == second.loss
    for a, b in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert model.states.keys() == states.keys()
    np.testing.assert_array_equal(model.states[0]["h"], states[0]["h"])
    assert streams == [rng.bit_generator.state for rng in (model.order_rng, model.dropout_rng)]
    assert model.optimizer_state is None


def test_every_recurrent_layer_of_a_stack_is_traced_under_its_own_name():
    shared = layers.SimpleRNN(2, return_sequences=True)
    model = Sequential(
        [shared, layers.Dropout(0.2), shared, layers.GRU(2, name="top"), layers.Dense(1)], dtype="float64", seed=0
    )
    x, _, _ = data()
    trace = bptt.trace(model, x, np.ones((B, 1)))
    assert [layer.name for layer in trace] == ["0 SimpleRNN", "2 SimpleRNN", "3 top"]
    assert [layer.x.shape[2] for layer in trace] == [F, 2, 2]
    for layer, place in zip(trace, (0, 2, 3), strict=True):
        same(layer.gradients, trace.gradients[place], 1e-15)
        same(layer.weights, model.params[place], 1e-15)


def test_a_layer_that_reads_backwards_is_traced_in_the_order_of_its_reading():
    model, (x, y, _) = stack("LSTM", go_backwards=True), data()
    (layer,) = bptt.trace(model, x, y)
    np.testing.assert_array_equal(layer.x, x[:, ::-1].swapaxes(0, 1))
    np.testing.assert_array_equal(layer.states["h"][1:].swapaxes(0, 1), model.layers[0](model.params[0], x)[0])


def test_with_a_generator_dropout_is_traced_and_without_it_is_off():
    model, (x, y, _) = stack("LSTM", recurrent_dropout=0.5), data()
    plain = bptt.trace(model, x, y)
    np.testing.assert_array_equal(plain.y, model.predict(x))
    dropped = [bptt.trace(model, x, y, rng=np.random.default_rng(seed)).loss for seed in (0, 0, 1)]
    assert dropped[0] == dropped[1] != dropped[2]
    assert plain.loss not in dropped


def test_sample_weights_and_float32_pass_through_a_trace():
    model = Sequential([layers.LSTM(2), layers.Dense(1)], seed=0)
    x, _, _ = data()
    y, weight = np.ones((B, 1)), np.array([1.0, 0.0, 2.0])
    trace = bptt.trace(model, x, y, sample_weight=weight)
    assert trace[0].dstate["h"].dtype == np.float32
    assert not trace[0].dstate["h"][:, 1].any()
    assert trace[0].dstate["h"][-1, 2].any()


def test_what_cannot_be_traced_is_refused_in_a_sentence():
    x, y, _ = data()
    with pytest.raises(ValueError, match="the model has no recurrent layer to trace"):
        bptt.trace(Sequential([layers.Dense(1)], dtype="float64"), x, y)
    model = stack("LSTM")
    with pytest.raises(ValueError, match="add the feature axis"):
        bptt.trace(model, x[:, :, 0], y)
    with pytest.raises(ValueError, match="one row a sample; got x: 3, y: 2"):
        bptt.trace(model, x, y[:2])
    with pytest.raises(ValueError, match="unknown loss 'mze'; did you mean 'mse'"):
        bptt.trace(model, x, y, "mze")
    (layer,) = bptt.trace(model, x, y)
    with pytest.raises(KeyError, match="0 LSTM has no weight 'V'; it has W, U, b"):
        layer.steps("V")


def test_layers_inside_layers_are_traced_by_the_way_to_them():
    stack = [
        layers.Bidirectional(layers.GRU(3, return_sequences=True)),
        layers.Residual([layers.LSTM(6, return_sequences=True)]),
        layers.SimpleRNN(2),
    ]
    model = Sequential(stack, dtype="float64", seed=0)
    x = np.random.default_rng(0).standard_normal((2, 5, 3))
    reset = np.zeros((2, 5), bool)
    reset[0, 2] = True
    found = bptt.trace(model, x, np.ones((2, 2)), reset=reset)
    assert [layer.name for layer in found] == ["0.forward GRU", "0.backward GRU", "1.0 LSTM", "2 SimpleRNN"]
    np.testing.assert_allclose(found[0].steps("U").sum(axis=0), found.gradients[0]["forward.U"], rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(found[1].x, x.swapaxes(0, 1)[::-1])
