"""Asks PyTorch and Keras, in float64, and writes their answers to `tests/peers/recurrent_options.json`.

    python tests/peers/make_recurrent_options.py

Needs keras 3 and torch; the tests that read the answers need neither.
"""

from __future__ import annotations

import json

import numpy as np
from asking import keras, leaf, plain, torch
from peers import recurrent_options_cases as cases
from peers.recurrent_options_cases import RESET, B, F, H, T, X


def owed(outputs, last, width):
    return sum((a * torch.tensor(d)).sum() for a, d in zip((outputs, *last), cases.cotangents(width), strict=True))


def projected(width, with_states):
    """torch.nn.LSTM knows no projection as wide as its cell: that one is the loop."""
    if width == H:
        return loop({}, with_states=with_states, width=width)
    made = torch.nn.LSTM(F, H, batch_first=True, proj_size=width)
    weights = cases.lstm_weights(width)
    given = {"weight_ih_l0": weights["W"].T, "weight_hh_l0": weights["U"].T, "weight_hr_l0": weights["P"].T}
    given |= {"bias_ih_l0": weights["b"], "bias_hh_l0": 0 * weights["b"]}
    with torch.no_grad():
        for name, array in given.items():
            getattr(made, name).copy_(torch.tensor(np.ascontiguousarray(array)))
    x, start = leaf(X), {k: leaf(v) for k, v in cases.starts(width).items()}
    out, last = made(x, tuple(v[None] for v in start.values()) if with_states else None)
    owed(out, [s[0] for s in last], width).backward()
    grads = {"W": made.weight_ih_l0.grad.T, "U": made.weight_hh_l0.grad.T, "b": made.bias_ih_l0.grad}
    grads |= {"P": made.weight_hr_l0.grad.T, "x": x.grad}
    grads |= {f"state0 {k}": v.grad for k, v in start.items()} if with_states else {}
    return {"y": out, "last": [s[0] for s in last], "grads": grads}


def loop(zone, *, with_states=True, width=None, reset=None):
    """An LSTM written out. zone: by state a mask for each step, or a number; reset: flags, from learned states."""
    weights = {k: leaf(v) for k, v in cases.lstm_weights(width or H).items() if width is not None or k != "P"}
    x, start = leaf(X), {k: leaf(v) for k, v in cases.starts(width or H).items()}
    learned = {"h": leaf(cases.starts(H)["h"][0]), "c": leaf(cases.starts(H)["c"][0])}
    state = {k: v if with_states else torch.zeros_like(v) for k, v in start.items()}
    if reset is not None:
        state = {k: v.expand(B, H) for k, v in learned.items()}
    outputs = []
    for t in range(T):
        if reset is not None:
            anew = torch.tensor(reset[:, t, None])
            state = {k: torch.where(anew, learned[k], v) for k, v in state.items()}
        i, f, g, o = (x[:, t] @ weights["W"] + state["h"] @ weights["U"] + weights["b"]).chunk(4, dim=1)
        c = torch.sigmoid(f) * state["c"] + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        new = {"h": h if width is None else h @ weights["P"], "c": c}
        for k, z in zone.items():
            share = torch.tensor(z[t], dtype=torch.float64) if isinstance(z, np.ndarray) else z
            new[k] = share * state[k] + (1 - share) * new[k]
        state = new
        outputs.append(state["h"])
    y, last = torch.stack(outputs, dim=1), (state["h"], state["c"])
    owed(y, last, width or H).backward()
    grads = {k: v.grad for k, v in weights.items()} | {"x": x.grad}
    if reset is not None:
        grads |= {f"{k}_0": v.grad for k, v in learned.items()}
    elif with_states:
        grads |= {f"state0 {k}": v.grad for k, v in start.items()}
    return {"y": y, "last": last, "grads": grads}


def keras_layer(kind, options, package):
    made = {name: getattr(package, which)(**arguments) for name, (which, arguments) in options.items()}
    layer = getattr(keras.layers, kind)(H, **made)
    layer.build((B, T, F))
    layer.set_weights(cases.listed(kind))
    return layer


def penalty(kind, options):
    layer = keras_layer(kind, options, keras.regularizers)
    total = sum(layer.losses)
    total.backward()
    slopes = [w.value.grad for w in layer.trainable_weights]
    return {"value": total, "slopes": [torch.zeros(1) if s is None else s for s in slopes]}


def constrained(kind, options):
    layer = keras_layer(kind, options, keras.constraints)
    return [w.value if w.constraint is None else w.constraint(w.value) for w in layer.trainable_weights]


answers = {
    "projected": {name: projected(*case) for name, case in cases.PROJECTED.items()},
    "zoned": {name: loop(cases.zone_masks(z, 7)) for name, z in cases.ZONED.items()},
    "expected": {
        name: loop({k: z for k, z in zip("hc", shares, strict=True) if z}) for name, shares in cases.ZONED.items()
    },
    "restarted": loop({}, reset=RESET),
    "penalties": {kind: penalty(kind, options) for kind, options in cases.PENALTIES.items()},
    "constraints": {kind: constrained(kind, options) for kind, options in cases.CONSTRAINTS.items()},
}
cases.PATH.write_text(json.dumps(plain(answers), separators=(",", ":")) + "\n")
