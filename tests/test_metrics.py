"""Metrics over batches, in a history, and at the border. More of them against Keras: `test_losses_peers.py`.

At the end: arrays of another library all along a training step, through loss, metric and optimizer.
"""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnkit import losses, metrics, trees
from rnnkit.optimizers import SGD, AdamW, RMSprop

Y = np.array([((5 * k) % 13 - 6) / 4 for k in range(12)]).reshape(2, 3, 2)
TARGET = np.array([((3 * k) % 7 - 3) / 4 for k in range(12)]).reshape(2, 3, 2)
GIVEN = {
    "steps": np.array([[0.5, 2.0, 0.0], [1.0, 4.0, 0.25]]),
    "samples": np.array([0.5, 3.0]),
    "mask": np.array([[True, True, False], [False, True, False]]),
    None: None,
}
MADE = {
    **metrics.ALL,
    **{name: kind() for name, kind in metrics.CLASSES.items() if name not in ("Mean", "RootMean", "FromFunction")},
    "variance weighted": metrics.R2Score("variance_weighted_average"),
    "each output": metrics.R2Score(None),
    "rmse per step": metrics.PerHorizon("rmse", axis=1),
    "accuracy at the last step": metrics.LastStep(metrics.SparseCategoricalAccuracy()),
    "ignoring": metrics.SparseCategoricalCrossentropy(ignore_class=2),
    "a function": metrics.get(lambda t, y: np.abs(t - y)),
}
ALL = pytest.mark.parametrize("metric", [*MADE.values()], ids=[*MADE])


def suited(metric, rng, shape):
    """y of that shape and a target that the metric can compare it with."""
    inner = metric.metric if isinstance(metric, metrics.LastStep) else metric
    if hasattr(inner, "loss"):
        return inner.loss.example(rng, shape)
    if isinstance(inner, (metrics.SparseCategoricalAccuracy, metrics.SparseTopKCategoricalAccuracy)):
        return rng.standard_normal(shape), rng.integers(0, shape[-1], shape[:-1])
    if isinstance(inner, metrics.ExactMatch):  # rows that are right are rare by chance: labels are mostly met
        y = rng.standard_normal(shape)
        return y, np.where(rng.random(shape[:-1]) < 0.8, y.argmax(axis=-1), rng.integers(0, shape[-1], shape[:-1]))
    return rng.standard_normal(shape), rng.standard_normal(shape)


def weighing(metric, weight):
    """Weights of single steps as the metric takes them: a metric of whole samples has one for each."""
    return weight[:, 0] if isinstance(metric, metrics.ExactMatch) and np.ndim(weight) > 1 else weight


def figure(metric, *batches):
    """The result of several batches, added as training adds them."""
    total = count = 0.0
    for more in batches:
        batch = metric(more.pop("y"), more.pop("target"), **more)
        total, count = total + batch[0], count + batch[1]
    result = metric.result(total, count)
    return list(result.values()) if isinstance(result, dict) else result


@pytest.mark.parametrize(
    ("name", "weight", "mask", "figure"),
    [
        ("mse", None, None, 1.0763888888888888),
        ("mse", "samples", None, 1.3151041666666665),
        ("mse", "steps", None, 1.0861280487804876),
        ("mse", None, "mask", 0.80625),
        ("mse", "steps", "mask", 1.027777777777778),
        ("mae", None, None, 0.8611111111111112),
        ("mae", "samples", None, 1.0520833333333333),
        ("mae", "steps", None, 0.899390243902439),
        ("mae", None, "mask", 0.725),
        ("mae", "steps", "mask", 0.8611111111111112),
        ("rmse", None, None, 1.0374916331657276),
        ("rmse", "samples", None, 1.1467799120435735),
        ("rmse", "steps", None, 1.04217467287422),
    ],
)
def test_over_two_batches_of_different_size_the_figure_is_that_of_keras(name, weight, mask, figure):
    metric = metrics.get(name)
    total = count = 0.0
    for y, rows in ((Y, slice(0, 2)), (Y[::-1], slice(0, 1))):
        more = {
            key: None if (value := GIVEN[which]) is None else value[rows]
            for key, which in (("sample_weight", weight), ("mask", mask))
        }
        batch = metric(y[rows], TARGET[rows], **more)
        total, count = total + batch[0], count + batch[1]
    assert metric.result(total, count) == pytest.approx(figure, rel=1e-14)


@ALL
@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1), cuts=st.lists(st.integers(0, 6), max_size=3), masked=st.booleans(),
    weight=st.sampled_from([None, (6,), (6, 4)]),
)  # fmt: skip
def test_batches_add_up_to_the_whole(metric, seed, cuts, masked, weight):
    rng = np.random.default_rng(seed)
    y, target = suited(metric, rng, (6, 4, 7))
    whole = {"y": y, "target": target}
    if masked:
        whole["mask"] = rng.random((6, 4)) < 0.5
    if weight is not None:
        whole["sample_weight"] = weighing(metric, rng.uniform(0, 2, weight))
    ends = [0, *sorted(cuts), 6]
    parts = [{k: v[slice(*rows)] for k, v in whole.items()} for rows in pairwise(ends)]
    # Up to 168 values: each sum is off by fewer than as many roundings, and R2 is a ratio of differences of them.
    np.testing.assert_allclose(figure(metric, *parts), figure(metric, dict(whole)), rtol=1e-12, atol=1e-12)


@ALL
@settings(max_examples=12, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), weighted=st.booleans())
def test_masked_rows_are_as_if_they_were_not_there(metric, seed, weighted):
    rng = np.random.default_rng(seed)
    y, target = suited(metric, rng, (6, 4, 7))
    weight = weighing(metric, rng.uniform(0.1, 2, (6, 4)) if weighted else np.ones((6, 4)))
    rows = rng.random(6) < 0.6
    mask = np.broadcast_to(rows[:, None], (6, 4))
    without = {"y": y[rows], "target": target[rows], "sample_weight": weight[rows]}
    if not rows.any():
        return
    hidden = np.where(mask[..., None], y, np.nan), np.where(mask if target.ndim == 2 else mask[..., None], target, -5)
    masked = {"y": hidden[0], "target": hidden[1], "sample_weight": weight, "mask": mask}
    np.testing.assert_allclose(figure(metric, masked), figure(metric, without), rtol=1e-12, atol=1e-12)


@ALL
def test_a_total_and_a_count_are_numbers_or_arrays_in_float64(metric):
    y, target = suited(metric, np.random.default_rng(0), (3, 4, 7))
    for number in metric(y.astype(np.float32), target):
        assert type(number) is float or number.dtype == np.float64
    result = metric.result(*metric(y, target))
    assert all(type(number) is float for number in (result.values() if isinstance(result, dict) else [result]))
    assert not np.any(list(nothing.values()) if isinstance(nothing := metric.result(0.0, 0.0), dict) else nothing)


@pytest.mark.parametrize("metric", [metrics.mse, metrics.mae, metrics.huber], ids=lambda metric: metric.name)
@pytest.mark.parametrize("mask", [None, "mask"])
def test_without_weights_the_metric_is_the_loss(metric, mask):
    figure = metric.result(*metric(Y, TARGET, mask=GIVEN[mask]))
    assert figure == pytest.approx(metric.loss(Y, TARGET, mask=GIVEN[mask])[0], rel=1e-15)


def test_a_count_is_the_number_of_real_values():
    assert metrics.mse(Y, TARGET)[1] == 12
    assert metrics.mse(Y, TARGET, mask=GIVEN["mask"])[1] == 6
    assert metrics.mse(Y, TARGET, sample_weight=GIVEN["steps"])[1] == 2 * 7.75


@ALL
def test_where_nothing_is_real_the_figure_is_zero(metric):
    y, target = suited(metric, np.random.default_rng(0), (3, 4, 7))
    nothing = figure(metric, {"y": np.full_like(y, np.nan), "target": target, "mask": np.zeros((3, 4), bool)})
    assert not np.any(nothing)


def test_the_root_is_taken_once_over_all_batches():
    assert metrics.rmse.result(9.0 + 16.0, 1.0) == 5
    assert metrics.rmse(Y, TARGET) == metrics.mse(Y, TARGET)
    assert metrics.rmse.result(*metrics.rmse(Y, TARGET)) == math.sqrt(metrics.mse.result(*metrics.mse(Y, TARGET)))


@pytest.mark.parametrize(
    ("name", "like"),
    [
        *metrics.ALL.items(),
        ("MeanAbsoluteError", metrics.mae),
        ("MSE", metrics.mse),
        ("RootMeanSquaredError", metrics.rmse),
    ],
)
def test_a_metric_has_the_name_that_the_user_wrote(name, like):
    assert metrics.get(name) == dataclasses.replace(like, name=name)


def test_a_metric_object_is_taken_as_it_is():
    mine = metrics.Mean("near", losses.Huber(0.1))
    assert metrics.get(mine) is mine


def test_what_is_no_metric_is_refused():
    with pytest.raises(ValueError, match="unknown metric 'maee'; did you mean 'mae'"):
        metrics.get("maee")
    for wrong in (3, losses.MSE(), metrics.Mean, metrics.FromFunction, int):
        with pytest.raises(TypeError, match="is no metric: expected a name such as 'mae'"):
            metrics.get(wrong)


def test_a_class_stands_for_one_with_its_defaults():
    assert metrics.get(metrics.BinaryAccuracy) == metrics.BinaryAccuracy()
    assert metrics.get(metrics.PerHorizon) == metrics.PerHorizon("mae")


@pytest.mark.parametrize(
    "metric", [metrics.mse, metrics.rmse, metrics.r2, metrics.last_step_mse, metrics.BinaryAccuracy()]
)
def test_shapes_are_refused_as_by_a_loss(metric):
    with pytest.raises(ValueError, match=r"target \(2, 3\) does not match y \(2, 3, 2\)"):
        metric(Y, TARGET[..., 0])
    with pytest.raises(ValueError, match=r"mask .* does not lie over y"):
        metric(Y, TARGET, mask=np.ones((3, 2), bool))


@ALL
def test_a_metric_is_a_frozen_value_made_of_its_fields(metric):
    fields = {f.name: getattr(metric, f.name) for f in dataclasses.fields(metric)}
    assert type(metric)(**fields) == metric
    assert metrics.CLASSES[type(metric).__name__] is type(metric)
    with pytest.raises(dataclasses.FrozenInstanceError):
        metric.name = "other"


class Dispatched(np.lib.mixins.NDArrayOperatorsMixin):
    """An array of another library: NumPy functions on it dispatch, and nothing turns it into a NumPy array."""

    def __init__(self, inside):
        self.inside = inside

    dtype = property(lambda self: self.inside.dtype)
    shape = property(lambda self: self.inside.shape)
    size = property(lambda self: self.inside.size)

    def __array__(self, *_, **__):
        raise TypeError("implicit conversion to a NumPy array is not allowed")

    def __array_ufunc__(self, ufunc, method, *args, **options):
        return wrapped(getattr(ufunc, method)(*map(opened, args), **options))

    def __array_function__(self, function, _, args, options):
        return wrapped(function(*map(opened, args), **options))

    def __getattr__(self, name):
        return lambda *args, **options: wrapped(getattr(self.inside, name)(*args, **options))

    def __float__(self):
        return float(self.inside)

    def __bool__(self):
        return bool(self.inside)


def opened(value):
    return value.inside if isinstance(value, Dispatched) else value


def wrapped(value):
    return Dispatched(np.asarray(value))


LOSSES = [*losses.ALL, losses.SparseCategoricalCrossentropy(True, 1), losses.Quantile((0.1, 0.8))]


@pytest.mark.parametrize("loss", LOSSES, ids=str)
@pytest.mark.parametrize(
    "opt",
    [
        SGD(0.1, momentum=0.9, nesterov=True, clipvalue=0.5),
        RMSprop(momentum=0.5, centered=True, global_clipnorm=1.0),
        AdamW(clipnorm=1.0),
    ],
    ids=str,
)
def test_arrays_of_another_library_stay_there_through_loss_metric_and_step(opt, loss):
    rng = np.random.default_rng(5)
    y, target = (a.astype(np.float32) for a in loss.example(rng, (4, 3)))
    mask, weight = np.array([True, False, True, True]), rng.random(4).astype(np.float32)

    def run(move):
        given = {"sample_weight": move(weight), "mask": move(mask)}
        value, gradient = loss(move(y), move(target), **given)
        total, count = metrics.Mean("it", loss)(move(y), move(target), **given)
        params = {"y": move(y)}
        params, state = opt.step(params, {"y": gradient}, opt.init(params))
        return [value, total, count], trees.leaves([params, *(state[name] for name in opt.slots)])

    (numbers, arrays), (want_numbers, want_arrays) = run(Dispatched), run(lambda array: array)
    assert [type(number) for number in numbers] == [Dispatched] * 3
    assert [float(number) for number in numbers] == want_numbers
    for array, want in zip(arrays, want_arrays, strict=True):
        assert isinstance(array, Dispatched)
        np.testing.assert_array_equal(array.inside, want)
