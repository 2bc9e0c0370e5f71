"""Asks Keras and PyTorch, in float64, and writes their answers to `tests/peer_values.json`.

    python tests/peers/make_peer_values.py

Needs keras 3 and torch; the tests that read the answers need neither.
"""

from __future__ import annotations

import json

from asking import MADE_WITH, hard_sigmoid, keras, leaf, plain, torch
from asking import peer_values as peers
from peer_values import MODEL_MASK, B, F, H, T, draw


def recurrent(layer, options, extra):
    """Outputs, last states, and the gradient of <outputs, cotangents> with respect to everything that went in."""
    made = getattr(keras.layers, layer)(
        H, **{k: hard_sigmoid if v == "hard_sigmoid" else v for k, v in options.items()}
    )
    x = leaf(draw((B, T, F), 10, 1.5))
    made.build((B, T, F))
    made.set_weights(peers.recurrent_weights(layer, options))
    states = [leaf(draw((B, H), 20 + k, 0.7)) for k in range(2 if layer == "LSTM" else 1)]
    call = {"initial_state": states} if extra.get("state") else {}
    if "mask" in extra:
        call["mask"] = torch.tensor(extra["mask"])
    if "drop" in extra:  # the same masks at every gate, as in Gal & Ghahramani; Keras would draw one for each
        on_x, on_h = (torch.tensor(m) for m in peers.drops(extra["drop"], options))
        count = getattr(made.cell, "dropout_mask_count", None)
        one_or_many = (lambda m: m) if count is None else (lambda m: [m] * count)
        made.cell.get_dropout_mask = lambda _: one_or_many(on_x[:, 0])
        made.cell.get_recurrent_dropout_mask = lambda _: one_or_many(on_h)
        call["training"] = True
    out = made(x, **call)
    outputs = out if isinstance(out, (tuple, list)) else [out]
    sum((o * torch.tensor(draw(tuple(o.shape), 30 + k))).sum() for k, o in enumerate(outputs)).backward()
    answer = {"outputs": outputs, "dx": x.grad, "dweights": [w.value.grad for w in made.trainable_weights]}
    if extra.get("state"):
        answer["dstate0"] = [s.grad for s in states]
    return answer


def stack(layers, masking=False):
    """Keras' model with the weights of `peers.model_weights`."""
    first = [keras.layers.Masking(0.0)] if masking else []
    made = keras.Sequential(
        [keras.Input((4, 2)), *first, *(getattr(keras.layers, name)(**options) for name, options in layers)]
    )
    made.set_weights(peers.model_weights([w.shape for w in made.weights]))
    return made


def model(layers, loss, weight_shape, mask):
    made = stack(layers, mask is not None)
    data = draw((5, 4, 2), 11, 1.5)
    if mask is not None:
        data[~MODEL_MASK] = 0
    x = leaf(data)
    y = made(x)
    target = draw(tuple(y.shape), 12, 2.0)
    weight = None if weight_shape is None else draw(weight_shape, 13, 0.5) + 1
    made.compile(optimizer="sgd", loss=loss, metrics=["mae", "mse"])
    value = made.compute_loss(
        x=x, y=torch.tensor(target), y_pred=y, sample_weight=None if weight is None else torch.tensor(weight)
    )
    value.backward()
    numbers = made.evaluate(data, target, sample_weight=weight, batch_size=3, verbose=0, return_dict=True)
    return {
        "y": y,
        "loss": value,
        "dweights": [w.value.grad for w in made.trainable_weights],
        "dx": x.grad,
        "evaluate": numbers,
    }


def run(layers, optimizer, loss):
    made = stack(layers)
    kind, options = optimizer
    made.compile(optimizer=getattr(keras.optimizers, kind)(**options), loss=loss, metrics=["mae"])
    x, y = draw((5, 4, 2), 11, 1.5), draw((5, 1), 12, 2.0)
    held_out = draw((4, 4, 2), 14, 1.5), draw((4, 1), 15, 2.0)
    history = made.fit(x, y, batch_size=3, epochs=5, shuffle=False, verbose=0, validation_data=held_out)
    assert made.optimizer.iterations == 10
    return {"history": history.history, "weights": made.get_weights()}


def module(kind):
    """PyTorch's own module, its weights in its own layout."""
    _, states = peers.TORCH[kind]
    made = getattr(torch.nn, kind)(F, H, batch_first=True)
    with torch.no_grad():
        for k, p in enumerate(made.parameters()):
            p.copy_(torch.tensor(draw(tuple(p.shape), 50 + k, 0.8)))
    x = leaf(draw((B, T, F), 10, 1.5))
    first = [leaf(draw((1, B, H), 20 + k, 0.7)) for k in range(len(states))]
    h, last = made(x, tuple(first) if len(first) > 1 else first[0])
    outputs = [h, *(last if len(first) > 1 else [last])]
    sum((o * torch.tensor(draw(tuple(o.shape), 30 + k))).sum() for k, o in enumerate(outputs)).backward()
    return {
        "outputs": outputs,
        "dx": x.grad,
        "dweights": [p.grad for p in made.parameters()],
        "dstate0": [s.grad for s in first],
    }


def norm(a, gamma, beta, epsilon):
    return torch.nn.functional.layer_norm(a, a.shape[-1:], gamma, beta, epsilon)


def peephole(x, s, w):
    """Gers & Schmidhuber 2000; Graves 2013, eq. 7-11."""
    i, f, g, o = (x @ w["W"] + s["h"] @ w["U"] + w["b"]).chunk(4, dim=1)
    i, f = torch.sigmoid(i + w["p_i"] * s["c"]), torch.sigmoid(f + w["p_f"] * s["c"])
    c = f * s["c"] + i * torch.tanh(g)
    return {"h": torch.sigmoid(o + w["p_o"] * c) * torch.tanh(c), "c": c}


def normed_rnn(x, s, w):
    """SimpleRNNCell without activation, LayerNormalization, tanh."""
    return {"h": torch.tanh(norm(x @ w["W"] + w["b"] + s["h"] @ w["U"], w["gamma"], w["beta"], 1e-3))}


def normed_lstm(x, s, w):
    """Ba, Kiros & Hinton 2016, eq. 20-22: b outside both norms, c normalised on its way out only."""
    a = (
        norm(x @ w["W"], w["gamma_x"], w["beta_x"], 1e-5)
        + norm(s["h"] @ w["U"], w["gamma_h"], w["beta_h"], 1e-5)
        + w["b"]
    )
    i, f, g, o = a.chunk(4, dim=1)
    c = torch.sigmoid(f) * s["c"] + torch.sigmoid(i) * torch.tanh(g)
    return {"h": torch.sigmoid(o) * torch.tanh(norm(c, w["gamma_c"], w["beta_c"], 1e-5)), "c": c}


def normed_gru(x, s, w):
    """The same norms, over three gates, in a GRU that resets after the product."""
    p = norm(x @ w["W"], w["gamma_x"], w["beta_x"], 1e-5) + w["b"]
    q = norm(s["h"] @ w["U"], w["gamma_h"], w["beta_h"], 1e-5)
    (pz, pr, pn), (qz, qr, qn) = p.chunk(3, dim=1), q.chunk(3, dim=1)
    z, r = torch.sigmoid(pz + qz), torch.sigmoid(pr + qr)
    return {"h": z * s["h"] + (1 - z) * torch.tanh(pn + r * qn)}


CELLS = {
    "PeepholeLSTM": peephole,
    "LayerNormSimpleRNN": normed_rnn,
    "LayerNormLSTM": normed_lstm,
    "LayerNormGRU": normed_gru,
}


def loop(kind):
    """A cell written out, differentiated by PyTorch."""
    w = {name: leaf(a) for name, a in peers.loop_weights(kind).items()}
    units = w["U"].shape[0]
    x = leaf(draw((B, T, F), 10, 1.5))
    first = {k: leaf(draw((B, units), 20 + n, 0.7)) for n, k in enumerate("hc" if kind.endswith("LSTM") else "h")}
    s, steps = first, []
    for t in range(T):
        s = CELLS[kind](x[:, t], s, w)
        steps.append(s["h"])
    outputs = [torch.stack(steps, dim=1), *s.values()]
    sum((o * torch.tensor(draw(tuple(o.shape), 30 + k))).sum() for k, o in enumerate(outputs)).backward()
    return {
        "outputs": outputs,
        "dx": x.grad,
        "dweights": [a.grad for a in w.values()],
        "dstate0": [a.grad for a in first.values()],
    }


def main():
    answers = {
        "made with": MADE_WITH,
        "recurrent": {name: plain(recurrent(*case)) for name, case in peers.recurrent_cases().items()},
        "models": {name: plain(model(*case)) for name, case in peers.MODELS.items()},
        "runs": {name: plain(run(*case)) for name, case in peers.RUNS.items()},
        "torch": {kind: plain(module(kind)) for kind in peers.TORCH},
        "loops": {kind: plain(loop(kind)) for kind in peers.LOOPS},
    }
    lines = json.dumps(answers, separators=(",", ":")).replace('},"', '},\n"')
    peers.PATH.write_text(lines + "\n")


if __name__ == "__main__":
    main()
