"""Losses with their gradients, and metrics over three batches, against Keras 3.15 and PyTorch, in float64, as numbers.

`peers/losses_cases.py` has the cases, `peers/make_losses.py` asks the peers. Answers are recorded to 12 digits and
compared to 1e-10 of the largest number of an array: a sum of some dozen float64 terms has two digits more than that.

Where rnnkit means something else than Keras 3.15, on purpose:
- A sample weight (B,) belongs to samples. Keras lays it over the last axis of the values (B, T), or fails; it was
  handed one weight for each step here.
- Labels that are no class, and binary targets outside [0, 1], are refused by the losses. PyTorch under Keras stops with
  an index error, cuts 1.5 to 1, and computes on. A row of probabilities that sums to 0 is finite here, NaN in Keras.
- From logits, a class that is ruled out by a logit of minus infinity costs nothing where the target is 0. Keras' sparse
  loss agrees, its categorical loss is NaN.
- The metric `SparseCategoricalCrossentropy(ignore_class=...)` does not count ignored rows. Keras does, as rows that
  cost nothing, unless there are sample weights.
- `RootMeanSquaredError` honours a mask; Keras looks past it.
- Over several batches, weighted metrics with masks and sample weights count each weight as given. On PyTorch, Keras'
  loss writes into the weights before its metrics see them: those of a batch are multiplied by its steps / real steps.
- `R2Score` takes steps as rows and honours masks; Keras wants (B, D). Equal targets give 1 or 0, in Keras NaN or 0.
- A function that returns one number for a batch counts once for each of its rows, in Keras once for each batch.
- `TopKCategoricalAccuracy` refuses k above the number of classes; PyTorch under Keras fails.
- `SparseTopKCategoricalAccuracy` has no `from_sorted_ids`, `R2Score` no `num_regressors`, and no loss has `axis`,
  `reduction`, `name` or `dtype`.
"""

from __future__ import annotations

import json

import pytest
from peer_values import agrees
from peers import losses_cases as peers

from rnnkit import losses, metrics

RECORDED = json.loads(peers.PATH.read_text())


@pytest.mark.parametrize("name", peers.LOSSES)
def test_a_loss_and_its_gradient_are_those_of_the_peer(name):
    kind, options, y, target, shape, given = peers.LOSSES[name]
    y, target, more = peers.arrays(y, target, shape, given)
    value, slopes = getattr(losses, kind)(**options)(y, target, **more)
    answer = RECORDED["losses"][name]
    agrees(value, answer["value"], "value")
    agrees(slopes, answer["slopes"], "gradient")


def test_every_loss_of_keras_that_this_file_adds_is_asked_about():
    asked = {case[0] for case in peers.LOSSES.values()}
    elsewhere = {"MSE", "MAE", "Huber"}  # in test_losses.py, against Keras too
    known = {losses.MAPE: "MeanAbsolutePercentageError", losses.MSLE: "MeanSquaredLogarithmicError"}
    assert {known.get(type(loss), type(loss).__name__) for loss in losses.ALL} == asked | elsewhere


def made(kind, options):
    """The metric of a case as a user writes it, and which of its figures is meant."""
    if kind in ("accuracy", "acc"):
        return metrics.get(kind), None
    if kind == "last_time_step_mse":
        return metrics.get(lambda t, y: metrics.mean_squared_error(t[:, -1], y[:, -1])), None
    if kind == "mae of one output":
        return metrics.PerHorizon("mae"), str(options["k"] + 1)
    return getattr(metrics, kind)(**options), None


@pytest.mark.parametrize("name", peers.METRICS)
def test_a_metric_over_batches_is_that_of_keras(name):
    kind, options, y, target, shape, given = peers.METRICS[name]
    y, target, more = peers.arrays(y, target, shape, given)
    metric, key = made(kind, options)
    total = count = 0.0
    for rows in peers.BATCHES:
        batch = metric(y[rows], target[rows], **{k: a[rows] for k, a in more.items()})
        total, count = total + batch[0], count + batch[1]
    result = metric.result(total, count)
    if isinstance(result, dict):
        result = list(result.values()) if key is None else result[key]
    agrees(result, RECORDED["metrics"][name], name)


def test_the_last_step_is_that_of_the_function_that_keras_was_given():
    for given in ("", "rows"):
        y, target, more = peers.arrays("real", "real", (6, 3, 2), given)
        agrees(
            metrics.last_step_mse.result(*metrics.last_step_mse(y, target, **more)),
            RECORDED["metrics"][f"a function, {given}"],
            given,
        )


def test_every_class_of_metric_is_asked_about():
    asked = {case[0] for case in peers.METRICS.values()}
    inside = {"Mean", "RootMean", "LastStep", "PerHorizon", "FromFunction", "AccuracyByShape"}  # asked about by others
    own = {"ExactMatch"}  # Keras has nothing like it
    assert set(metrics.CLASSES) - inside - own == asked & set(metrics.CLASSES)
