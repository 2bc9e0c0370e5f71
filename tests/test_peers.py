"""Outputs, states, gradients, losses and whole trainings against Keras 3 and PyTorch, in float64, as numbers.

`peer_values.py` has the cases, `peers/make_peer_values.py` asks the peers. Answers are recorded to 12 digits and
compared to 1e-10 of the largest number of an array: a sum of some dozen float64 terms has two digits more than that.

Where rnnkit means something else than Keras 3.15, on purpose:
- `recurrent_dropout` is one mask for all gates (Gal & Ghahramani 2016), and so is a `dropout` beside it; Keras then
  draws masks for each gate of an LSTM or GRU. Here Keras was handed the same mask at every gate. What a gate carries
  over, z h in a GRU, is never dropped: u = (m h) U, h' = z h + (1 - z) n.
- A masked step emits the state that it holds. Keras emits the output before it, so zeros up to the first real step,
  whatever the initial state is; from zeros, the default, both are the same.
- With `go_backwards`, the mask that goes on is reversed as the sequence is; Keras hands it on as it came.
- A sample weight (B,) goes with a mask (B, T); Keras fails on the pair.
- `stateful` takes any number of rows and begins anew when it changes; Keras wants it fixed. `evaluate`, and with it
  validation, goes on from the states that it finds and leaves them as they were; in Keras it moves them.
"""

from __future__ import annotations

import numpy as np
import peer_values as peers
import pytest
from peer_values import MODEL_MASK, B, F, H, T, agrees, draw

from rnnkit import Context, Sequential, layers, losses, optimizers

RECORDED = peers.load()
ROWS = "h", "c"


def through(layer, params, x, state, ctx, mask_order=1):
    """Outputs as Keras lists them, and the gradient of <outputs, cotangents>."""
    y, _, pullback = layer.run(params, x, state, ctx)
    outputs = y if isinstance(y, tuple) else (y,)
    dy = tuple(draw(o.shape, 30 + k) for k, o in enumerate(outputs))
    return outputs, *pullback(dy if isinstance(y, tuple) else dy[0])


@pytest.mark.parametrize("name", peers.recurrent_cases())
def test_a_recurrent_layer_and_its_gradients_are_those_of_keras(name):
    kind, options, extra = peers.recurrent_cases()[name]
    layer, answer = getattr(layers, kind)(H, **options), RECORDED["recurrent"][name]
    like, _ = layer.init(np.random.default_rng(0), (None, T, F), "float64")
    weights = peers.recurrent_weights(kind, options)
    assert [w.shape for w in weights] == [w.shape for w in layer.to_list(like)]
    params, x = layer.from_list(weights, like), draw((B, T, F), 10, 1.5)
    rng = np.random.default_rng(extra["drop"]) if "drop" in extra else None
    ctx = Context(mask=extra.get("mask"), rng=rng)
    state = {k: draw((B, H), 20 + n, 0.7) for n, k in enumerate(layer.make_cell().state)} if "state" in extra else None
    outputs, dparams, dx = through(layer, params, x, state, ctx)
    assert len(outputs) == len(answer["outputs"])
    for k, (ours, theirs) in enumerate(zip(outputs, answer["outputs"], strict=True)):
        agrees(ours, theirs, f"output {k}")
    agrees(dx, answer["dx"], "dL/dx")
    for k, (ours, theirs) in enumerate(zip(layer.to_list(dparams), answer["dweights"], strict=True)):
        agrees(ours, theirs, f"dL/d(weight {k})")
    if state is None:
        return
    # The same once more through `scan`, which hands back the gradient of the initial states.
    forth = slice(None, None, -1) if layer.go_backwards else slice(None)
    h, last, back = layer.scan(params, x[:, forth], state, ctx)
    dh = np.zeros_like(h)
    dh[:, :] += draw(h.shape, 30) if layer.return_sequences else 0
    dh[:, -1] += 0 if layer.return_sequences else draw((B, H), 30)
    dstate = {k: draw((B, H), 31 + n) for n, k in enumerate(last)} if layer.return_state else None
    for (k, ours), theirs in zip(back(dh, dstate)[2].items(), answer["dstate0"], strict=True):
        agrees(ours, theirs, f"dL/d(initial {k})")


def test_every_activation_is_compared_with_keras_in_every_cell():
    from rnnkit_kernels import activations

    assert set(peers.ACTIVATIONS) == set(activations.ALL) - {"silu"}


def made(stack, features=2, **options):
    """The model of a case in `peer_values`, with its weights."""
    model = Sequential([getattr(layers, name)(**arguments) for name, arguments in stack], dtype="float64", **options)
    model.build((None, 4, features))
    model.set_weights(peers.model_weights([w.shape for w in model.get_weights()]))
    return model


@pytest.mark.parametrize("name", peers.MODELS)
def test_a_model_its_loss_and_evaluate_are_those_of_keras(name):
    stack, loss, weight_shape, mask = peers.MODELS[name]
    model, answer = made(stack), RECORDED["models"][name]
    x = draw((5, 4, 2), 11, 1.5)
    mask = None if mask is None else MODEL_MASK
    if mask is not None:
        x[~mask] = 0
    weight = None if weight_shape is None else draw(weight_shape, 13, 0.5) + 1
    y, pullback = model.forward(x, mask=mask)
    target = draw(y.shape, 12, 2.0)
    value, dy = losses.get(loss)(y, target, sample_weight=weight, mask=mask)
    dparams, dx = pullback(dy)
    agrees(y, answer["y"], "y")
    agrees(np.float64(value), answer["loss"], "loss")
    if mask is not None:  # in Keras the masking layer stops what flows to masked steps; so do selections here
        assert not dx[~mask].any()
    agrees(dx, answer["dx"], "dL/dx")
    for k, (ours, theirs) in enumerate(zip(model.get_weights(dparams), answer["dweights"], strict=True)):
        agrees(ours, theirs, f"dL/d(weight {k})")
    model.compile("sgd", loss, ["mae", "mse"])
    numbers = model.evaluate(x, target, batch_size=3, sample_weight=weight, mask=mask)
    assert list(numbers) == list(answer["evaluate"])
    for key, theirs in answer["evaluate"].items():
        agrees(np.float64(numbers[key]), theirs, key)


@pytest.mark.parametrize("name", peers.RUNS)
def test_ten_steps_of_training_end_where_those_of_keras_do(name):
    stack, (kind, options), loss = peers.RUNS[name]
    model, answer = made(stack), RECORDED["runs"][name]
    model.compile(optimizer=getattr(optimizers, kind)(**options), loss=loss, metrics=["mae"])
    x, y = draw((5, 4, 2), 11, 1.5), draw((5, 1), 12, 2.0)
    held_out = draw((4, 4, 2), 14, 1.5), draw((4, 1), 15, 2.0)
    history = model.fit(x, y, batch_size=3, epochs=5, shuffle=False, verbose=0, validation_data=held_out)
    assert model.optimizer_state["iterations"] == 10
    assert list(history.history) == list(answer["history"]) == ["loss", "mae", "val_loss", "val_mae"]
    for key, theirs in answer["history"].items():
        agrees(np.array(history.history[key]), theirs, key)
    for k, (ours, theirs) in enumerate(zip(model.get_weights(), answer["weights"], strict=True)):
        agrees(ours, theirs, f"weight {k}")


def from_torch(kind, arrays):
    """W_ih (G*H, F), W_hh (G*H, H), b_ih, b_hh: transposed, the GRU's gates from r z n to z r n, two biases to one."""
    G = peers.TORCH[kind][0]
    W, U, b, b_h = (a.reshape(G, H, -1) for a in arrays)
    if kind == "GRU":
        W, U, b, b_h = (a[[1, 0, 2]] for a in (W, U, b, b_h))
    W, U, b, b_h = (a.reshape(G * H, -1).T for a in (W, U, b, b_h))
    return {"W": W, "U": U, "b": b[0], "b_h": b_h[0]} if kind == "GRU" else {"W": W, "U": U, "b": b[0] + b_h[0]}


@pytest.mark.parametrize("kind", peers.TORCH)
def test_a_module_of_pytorch_has_the_same_outputs_and_gradients(kind):
    answer, (G, states) = RECORDED["torch"][kind], peers.TORCH[kind]
    layer = {"RNN": layers.SimpleRNN, "LSTM": layers.LSTM, "GRU": layers.GRU}[kind](H)
    shapes = [(G * H, F), (G * H, H), (G * H,), (G * H,)]
    params = {
        k: np.ascontiguousarray(w)
        for k, w in from_torch(kind, [draw(shape, 50 + k, 0.8) for k, shape in enumerate(shapes)]).items()
    }
    state = {k: draw((1, B, H), 20 + n, 0.7)[0] for n, k in enumerate(states)}
    h, last, pullback = layer.scan(params, draw((B, T, F), 10, 1.5), state)
    for ours, theirs in zip((h, *last.values()), answer["outputs"], strict=True):
        agrees(ours, theirs, "outputs")
    dstate = {k: draw((1, B, H), 31 + n)[0] for n, k in enumerate(states)}
    dparams, dx, dstate0 = pullback(draw(h.shape, 30), dstate)
    agrees(dx, answer["dx"], "dL/dx")
    for (k, ours), theirs in zip(dstate0.items(), answer["dstate0"], strict=True):
        agrees(ours, theirs, f"dL/d(initial {k})")
    grads = [np.array(g).reshape(shape) for g, shape in zip(answer["dweights"], shapes, strict=True)]
    if kind != "GRU":  # b_ih and b_hh only come as their sum, and have one gradient
        np.testing.assert_array_equal(grads[2], grads[3])
        grads[3] = 0 * grads[3]
    theirs = from_torch(kind, grads)
    assert theirs.keys() == dparams.keys()
    for k, ours in dparams.items():
        agrees(ours, theirs[k], f"dL/d{k}")


@pytest.mark.parametrize("kind", peers.LOOPS)
def test_a_cell_written_out_in_pytorch_has_the_same_outputs_and_gradients(kind):
    answer, params = RECORDED["loops"][kind], peers.loop_weights(kind)
    units = params["U"].shape[0]
    layer = getattr(layers, kind)(units)
    state = {k: draw((B, units), 20 + n, 0.7) for n, k in enumerate(layer.make_cell().state)}
    h, last, pullback = layer.scan(params, draw((B, T, F), 10, 1.5), state)
    for ours, theirs in zip((h, *last.values()), answer["outputs"], strict=True):
        agrees(ours, theirs, "outputs")
    dparams, dx, dstate0 = pullback(draw(h.shape, 30), {k: draw((B, units), 31 + n) for n, k in enumerate(last)})
    agrees(dx, answer["dx"], "dL/dx")
    for (k, ours), theirs in zip(dstate0.items(), answer["dstate0"], strict=True):
        agrees(ours, theirs, f"dL/d(initial {k})")
    for k, theirs in zip(peers.LOOPS[kind], answer["dweights"], strict=True):
        agrees(dparams[k], theirs, f"dL/d{k}")


def test_a_held_step_emits_the_initial_state_where_keras_would_emit_zeros():
    layer = layers.SimpleRNN(H, return_sequences=True)
    params, _ = layer.init(np.random.default_rng(0), (None, T, F), "float64")
    state = {"h": draw((B, H), 20, 0.7)}
    ctx = Context(mask=np.array([[False, True, True], [True, True, True]]))
    h, _, _ = layer.scan(params, draw((B, T, F), 10), state, ctx)
    np.testing.assert_array_equal(h[0, 0], state["h"][0])


def test_backwards_the_mask_that_goes_on_is_reversed_with_the_sequence():
    mask = np.array([[True, False, False]])
    turned = layers.GRU(H, go_backwards=True, return_sequences=True).next_mask(mask, None)
    np.testing.assert_array_equal(turned, [[False, False, True]])
    np.testing.assert_array_equal(layers.GRU(H, return_sequences=True).next_mask(mask, None), mask)
    assert layers.GRU(H).next_mask(mask, None) is None
