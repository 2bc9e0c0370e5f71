"""Asks Keras and PyTorch about losses and metrics, in float64, and writes their answers to `losses.json`.

    python tests/peers/make_losses.py

Needs keras 3 and torch; the tests that read the answers need neither.
"""

from __future__ import annotations

import json

import numpy as np
from asking import MADE_WITH, keras, torch
from keras.src import backend
from keras.src.losses.loss import reduce_weighted_values
from keras.src.trainers.compile_utils import get_metric
from peers import losses_cases as cases


def quantile(y_true, y_pred, q):
    """What Keras lacks: the loss of one quantile, or of one for each output."""
    error = (y_true[..., None] if y_true.ndim < y_pred.ndim else y_true) - y_pred
    q = torch.tensor(q)
    return torch.maximum(q * error, (q - 1) * error).mean(dim=-1)


def over_steps(weight, shape):
    """Keras lays weights (B,) over the last axis of values, and fails on (B, 1) beside a mask: one for each step."""
    if weight is not None and weight.ndim < len(shape) - 1:
        weight = np.repeat(weight[:, None], shape[1], axis=1)
    return None if weight is None else torch.tensor(weight)


def loss(kind, options, y, target, shape, given):
    y, target, more = cases.arrays(y, target, shape, given)
    y = torch.tensor(y, requires_grad=True)
    mask = torch.tensor(more["mask"]) if "mask" in more else None
    weight = over_steps(more.get("sample_weight"), shape)
    if kind == "Quantile":
        values = quantile(torch.tensor(target), y, options["quantile"])
        value = reduce_weighted_values(values, weight, mask, "sum_over_batch_size", "float64")
    else:
        if mask is not None:
            backend.set_keras_mask(y, mask)
        value = getattr(keras.losses, kind)(**options)(torch.tensor(target), y, sample_weight=weight)
    value.backward()
    return {"value": numbers(value), "slopes": numbers(y.grad)}


def last_time_step_mse(y_true, y_pred):
    return keras.metrics.mean_squared_error(y_true[:, -1], y_pred[:, -1])


def metric(kind, options, y, target, shape, given):
    y, target, more = cases.arrays(y, target, shape, given)
    if kind in ("accuracy", "acc"):
        made = get_metric(kind, torch.tensor(target), torch.tensor(y))
    elif kind == "last_time_step_mse":
        made = get_metric(last_time_step_mse, target, y)
    elif kind == "mae of one output":
        k = options["k"]
        made = keras.metrics.MeanMetricWrapper(lambda t, p: (t - p).abs()[..., k])
    else:
        made = getattr(keras.metrics, kind)(**options)
    for rows in cases.BATCHES:
        batch = torch.tensor(y[rows])
        if "mask" in more:
            backend.set_keras_mask(batch, torch.tensor(more["mask"][rows]))
        weight = more.get("sample_weight")
        made.update_state(
            torch.tensor(target[rows]), batch, sample_weight=None if weight is None else torch.tensor(weight[rows])
        )
    return numbers(made.result())


def numbers(value):
    """A flat list to 12 digits; refuses what is not float64."""
    assert value.dtype == torch.float64, value.dtype
    array = value.detach().numpy()
    assert np.isfinite(array).all()
    return [float(f"{n:.12g}") for n in array.ravel().tolist()]


def main():
    answers = {
        "made with": MADE_WITH,
        "losses": {name: loss(*case) for name, case in cases.LOSSES.items()},
        "metrics": {name: metric(*case) for name, case in cases.METRICS.items()},
    }
    cases.PATH.write_text(json.dumps(answers, separators=(",", ":")).replace(',"', ',\n"') + "\n")


if __name__ == "__main__":
    main()
