"""What each kind of metric means: accuracies, last steps, horizons, R2, a user's function; and names in a history."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnkit
from rnnkit import Sequential, layers, losses, metrics

RNG = np.random.default_rng(0)


def of(metric, y, target, **more):
    return metric.result(*metric(np.asarray(y, float), np.asarray(target), **more))


# Accuracies.


@pytest.mark.parametrize("name", ["accuracy", "acc", "Accuracy"])
@pytest.mark.parametrize(
    ("y", "target", "kind"),
    [
        ((5, 1), (5,), metrics.BinaryAccuracy),
        ((5, 1), (5, 1), metrics.BinaryAccuracy),
        ((5,), (5,), metrics.BinaryAccuracy),
        ((5, 4, 1), (5, 4), metrics.BinaryAccuracy),
        ((5, 3), (5,), metrics.SparseCategoricalAccuracy),
        ((5, 3), (5, 1), metrics.SparseCategoricalAccuracy),
        ((5, 4, 3), (5, 4), metrics.SparseCategoricalAccuracy),
        ((5, 3), (5, 3), metrics.CategoricalAccuracy),
        ((5, 4, 3), (5, 4, 3), metrics.CategoricalAccuracy),
    ],
)
def test_accuracy_means_what_the_shapes_ask_for(name, y, target, kind):
    y, target = RNG.random(y), RNG.integers(0, 2, target)
    metric = metrics.get(name)
    assert metric.name == name
    assert metric(y, target) == kind()(y, target)
    assert metric(y, target.tolist()) == kind()(y, target)
    assert type(metric.chosen(y, target)) is kind


def test_a_value_on_the_threshold_is_below_it():
    assert of(metrics.BinaryAccuracy(), [[0.5], [0.51], [0.49]], [0, 1, 0]) == 1
    assert of(metrics.BinaryAccuracy(threshold=0), [[-3.0], [2.0]], [0, 0]) == 0.5


def test_accuracy_the_class_wants_equal_numbers():
    assert of(metrics.Accuracy(), [[1.0, 2.0], [3.0, 4.0]], [[1, 2], [3, 5]]) == 0.75


def test_of_equal_entries_the_first_is_meant_and_among_the_top_all_are():
    y = [[0.4, 0.4, 0.2], [0.1, 0.45, 0.45]]
    assert of(metrics.SparseCategoricalAccuracy(), y, [1, 1]) == 0.5
    assert of(metrics.SparseTopKCategoricalAccuracy(1), y, [1, 2]) == 1
    assert of(metrics.TopKCategoricalAccuracy(1), y, [[0, 1, 0], [1, 0, 0]]) == 0.5


@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 6))
def test_a_label_among_the_top_k_has_fewer_than_k_above_it(seed, k):
    rng = np.random.default_rng(seed)
    y, labels = np.round(3 * rng.random((5, 2, 6))), rng.integers(0, 6, (5, 2))
    above = (y > np.take_along_axis(y, labels[..., None], axis=-1)).sum(axis=-1)
    want = (above < k).mean()
    assert of(metrics.SparseTopKCategoricalAccuracy(k), y, labels) == pytest.approx(want, rel=1e-15)
    assert of(metrics.TopKCategoricalAccuracy(k), y, np.eye(6)[labels]) == pytest.approx(want, rel=1e-15)


@pytest.mark.parametrize("kind", [metrics.TopKCategoricalAccuracy, metrics.SparseTopKCategoricalAccuracy])
def test_a_top_k_of_too_few_classes_or_of_none_is_refused(kind):
    y, labels = RNG.random((4, 3)), RNG.integers(0, 3, 4)
    with pytest.raises(ValueError, match="the top 5 of 3 classes is always right: choose k below 3"):
        kind()(y, labels if kind is metrics.SparseTopKCategoricalAccuracy else np.eye(3)[labels])
    for k in (0, -1, 1.5, True):
        with pytest.raises(ValueError, match="a whole number from 1 up"):
            kind(k)


def test_a_label_that_is_no_class_is_never_met():
    assert of(metrics.SparseCategoricalAccuracy(), [[1.0, 0], [1, 0]], [-1, 0]) == 0.5
    assert of(metrics.SparseTopKCategoricalAccuracy(2), [[1.0, 0], [1, 0]], [2, 0]) == 0.5


@pytest.mark.parametrize("weight", [None, [[1.0, 2, 3], [0.5, 4, 1]]])
def test_rows_of_an_ignored_class_are_not_counted(weight):
    y, labels = RNG.standard_normal((2, 3, 4)), np.array([[0, -1, 3], [-1, 2, 1]])
    more = {} if weight is None else {"sample_weight": np.array(weight)}
    ignoring = metrics.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
    total, count = ignoring(y, labels, **more)
    assert count == (4 if weight is None else 1 + 3 + 4 + 1)
    hidden = of(metrics.SparseCategoricalCrossentropy(from_logits=True), y, labels, mask=labels >= 0, **more)
    assert total / count == pytest.approx(hidden, rel=1e-14)


# Whole sequences.


def test_exact_match_counts_rows_that_are_right_at_every_real_step():
    metric = metrics.get("exact_match")
    assert metric == metrics.get(metrics.ExactMatch) == metrics.ExactMatch()
    y = np.eye(3)[[[0, 1], [2, 2], [1, 1], [0, 0]]]
    target, mask = np.array([[0, 1], [2, 0], [0, 1], [1, 1]]), np.array([[1, 1], [1, 0], [1, 1], [0, 0]], bool)
    assert metric(y, target) == metric(y, target[..., None]) == (1, 4)
    assert metric(y, target, mask=mask) == (2, 3)
    assert metric(y, target, mask=mask, sample_weight=np.array([1.0, 0.5, 2.0, 7.0])) == (1.5, 3.5)
    assert metric(y[:, 0], target[:, 0]) == metrics.SparseCategoricalAccuracy()(y[:, 0], target[:, 0])
    with pytest.raises(ValueError, match=r"exact_match weighs whole samples, sample_weight \(4,\); got \(4, 2\)"):
        metric(y, target, sample_weight=np.ones((4, 2)))
    with pytest.raises(ValueError, match=r"target \(4, 3\) does not match y \(4, 2, 3\)"):
        metric(y, np.zeros((4, 3)))


def test_exact_match_is_a_metric_of_any_model_and_comes_back_from_its_file(tmp_path):
    x, y = RNG.standard_normal((6, 4, 2)), RNG.integers(0, 2, (6, 4))
    model = Sequential([layers.GRU(3, return_sequences=True), layers.Dense(2, "softmax")], seed=0)
    model.compile("adam", "sparse_categorical_crossentropy", ["exact_match"])
    share = (model.predict(x).argmax(axis=-1) == y).all(axis=1).mean()
    assert model.evaluate(x, y)["exact_match"] == share
    model.save(tmp_path / "model.safetensors")
    assert rnnkit.load(tmp_path / "model.safetensors").metrics == [metrics.ExactMatch()]


# The last step.


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1), share=st.sampled_from([None, 0.2, 0.7, 1]), weight=st.sampled_from([None, 1, 2]),
    outputs=st.integers(1, 3), steps=st.integers(1, 4),
)  # fmt: skip
def test_the_last_step_is_the_last_real_one_of_each_row(seed, share, weight, outputs, steps):
    rng = np.random.default_rng(seed)
    y, target = rng.standard_normal((2, 5, steps, outputs))
    mask = None if share is None else rng.random((5, steps)) < share
    weights = None if weight is None else rng.uniform(0.5, 2, (5, steps)[:weight])
    total = count = 0.0
    for b in range(5):
        real = [t for t in range(steps) if mask is None or mask[b, t]]
        if real:
            w = 1 if weights is None else weights[b] if weight == 1 else weights[b, real[-1]]
            total += w * ((y[b, real[-1]] - target[b, real[-1]]) ** 2).sum()
            count += w * outputs
    got = metrics.last_step_mse(y, target, mask=mask, sample_weight=weights)
    assert got == pytest.approx((total, count), rel=1e-13)


def test_any_mean_can_be_taken_at_the_last_step():
    y, labels = RNG.standard_normal((6, 4, 3)), RNG.integers(0, 3, (6, 4))
    for inner in (metrics.accuracy, metrics.SparseCategoricalCrossentropy(from_logits=True)):
        last = of(metrics.LastStep(inner, "last"), y, labels)
        assert last == pytest.approx(of(inner, y[:, -1], labels[:, -1]), rel=1e-14)
    root = of(metrics.LastStep(metrics.rmse), y, 2 * y)
    assert root == pytest.approx(of(metrics.rmse, y[:, -1], 2 * y[:, -1]), rel=1e-14)


def test_without_steps_the_last_output_is_meant_and_without_those_it_is_refused():
    y, target = RNG.standard_normal((2, 4, 3))
    assert of(metrics.last_step_mse, y, target) == of(metrics.mse, y[:, -1], target[:, -1])
    with pytest.raises(ValueError, match=r"y \(4,\) has no steps"):
        metrics.last_step_mse(y[:, 0], target[:, 0])
    with pytest.raises(TypeError, match="LastStep takes a metric that is a mean of values"):
        metrics.LastStep(metrics.R2Score())


# The horizon.


@pytest.mark.parametrize(
    ("shape", "axis", "which"),
    [((6, 3), None, 1), ((6, 4, 3), None, 2), ((6, 4, 1), None, 1), ((6, 1), None, 1), ((6, 4, 3), 1, 1),
     ((6, 4, 3), -2, 1)],
)  # fmt: skip
@pytest.mark.parametrize("given", ["", "mask", "weight"])
def test_a_horizon_has_the_figure_of_each_of_its_steps(shape, axis, which, given):
    y, target = RNG.standard_normal((2, *shape))
    lead = shape[: max(1, len(shape) - 1)]
    more = {"mask": RNG.random(lead) < 0.7} if given == "mask" else {}
    more |= {"sample_weight": RNG.uniform(0.5, 2, lead)} if given == "weight" else {}
    figures = of(metrics.PerHorizon("rmse", axis), y, target, **more)
    assert list(figures) == [str(k + 1) for k in range(shape[which])]
    for k, found in enumerate(figures.values()):
        part = [np.take(a, [k], axis=which) for a in (y, target)]
        beside = {n: np.take(a, [k], axis=which) if a.ndim > which else a for n, a in more.items()}
        assert found == pytest.approx(of(metrics.rmse, *part, **beside), rel=1e-13)


def test_a_horizon_of_classes_is_along_time():
    y, labels = RNG.standard_normal((6, 4, 3)), RNG.integers(0, 3, (6, 4))
    figures = of(metrics.PerHorizon("acc"), y, labels)
    assert list(figures.values()) == [of(metrics.accuracy, y[:, k], labels[:, k]) for k in range(4)]


def test_what_has_no_horizon_is_refused():
    y = RNG.standard_normal((4, 3))
    for axis in (0, 2, -2, -3):
        with pytest.raises(ValueError, match=rf"axis {axis} is no horizon of mae of shape \(4, 3\)"):
            metrics.PerHorizon("mae", axis)(y, y)
    with pytest.raises(ValueError, match=r"axis 0 is no horizon of mae of shape \(4,\)"):
        metrics.PerHorizon("mae")(y[:, 0], y[:, 0])
    with pytest.raises(TypeError, match="PerHorizon takes a metric that is a mean of values"):
        metrics.PerHorizon("r2")


# R2.


@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), shape=st.sampled_from([(7,), (7, 3), (4, 5, 2)]), weighted=st.booleans())
def test_r2_is_one_less_the_unexplained_share_of_the_spread(seed, shape, weighted):
    rng = np.random.default_rng(seed)
    y, target = rng.standard_normal((2, *shape))
    mask = rng.random(shape[:2] if len(shape) == 3 else shape[:1]) < 0.8
    mask[:2] = True
    weight = rng.uniform(0.5, 2, mask.shape) if weighted else np.ones(mask.shape)
    t, e, w = target[mask], (target - y)[mask], weight[mask].reshape((-1,) + (1,) * (len(shape) > 1))
    spread = (w * (t - (w * t).sum(axis=0) / w.sum()) ** 2).sum(axis=0)
    each = 1 - (w * e**2).sum(axis=0) / spread
    more = {"mask": mask, "sample_weight": weight}
    assert of(metrics.r2, y, target, **more) == pytest.approx(np.mean(each), rel=1e-11, abs=1e-11)
    got = of(metrics.R2Score("variance_weighted_average"), y, target, **more)
    assert got == pytest.approx(np.sum(spread * each) / np.sum(spread), rel=1e-11, abs=1e-11)
    np.testing.assert_allclose(list(of(metrics.R2Score(None), y, target, **more).values()), np.ravel(each), rtol=1e-11)


def test_targets_without_spread_are_explained_wholly_or_not_at_all():
    same = np.full((7, 2), 0.1)
    y = same + np.array([0, 1])
    assert of(metrics.R2Score(None), y, same) == {"1": 1, "2": 0}
    assert of(metrics.r2, y, same) == 0.5
    assert of(metrics.R2Score("variance_weighted_average"), y, same) == 0.5
    with pytest.raises(ValueError, match="class_aggregation is 'uniform_average', 'variance_weighted_average' or None"):
        metrics.R2Score("mean")


# A user's function.


def last_time_step_mse(Y_true, Y_pred):
    return metrics.mean_squared_error(Y_true[:, -1], Y_pred[:, -1])


def test_a_function_gets_targets_first_and_its_values_are_averaged():
    y, target = RNG.standard_normal((2, 6, 4, 3))
    metric = metrics.get(last_time_step_mse)
    assert metric.name == "last_time_step_mse"
    assert of(metric, y, target) == pytest.approx(of(metrics.last_step_mse, y, target), rel=1e-14)
    weight = RNG.random(6)
    weighed = of(metric, y, target, sample_weight=weight)
    assert weighed == pytest.approx(of(metrics.last_step_mse, y, target, sample_weight=weight), rel=1e-14)
    assert of(metrics.get(lambda t, y: t - y), y, 0 * y) == pytest.approx(-y.mean(), rel=1e-12)


def test_one_number_counts_for_each_row_of_its_batch():
    y, target = RNG.standard_normal((2, 5, 2))
    metric = metrics.get(lambda t, y: np.mean((t - y) ** 2))
    parts = [metric(y[rows], target[rows]) for rows in (slice(4), slice(4, 5))]
    assert metric.result(*np.sum(parts, axis=0)) == pytest.approx(of(metrics.mse, y, target), rel=1e-14)


def test_values_of_a_function_are_masked_step_by_step_or_refused():
    y, target = RNG.standard_normal((2, 4, 3, 2))
    mask = RNG.random((4, 3)) < 0.5
    for function in (metrics.mean_absolute_error, lambda t, y: np.abs(t - y)):
        hidden = np.where(mask[..., None], y, np.nan)
        assert of(metrics.get(function), hidden, target, mask=mask) == pytest.approx(
            of(metrics.mae, y, target, mask=mask)
        )
    with pytest.raises(
        ValueError, match=r"last_time_step_mse returned values of shape \(4,\) and the output has a mask"
    ):
        of(metrics.get(last_time_step_mse), y, target, mask=mask)


def test_what_a_function_may_not_return_is_refused():
    y = RNG.standard_normal((4, 3))
    with pytest.raises(
        ValueError, match=r"returned values of shape \(3,\) for 4 rows: expected \(4,\) or \(4, steps\)\."
    ):
        of(metrics.get(lambda t, y: (t - y).sum(axis=0)), y, y)
    with pytest.raises(ValueError, match="a single number can be neither weighed nor masked"):
        of(metrics.get(lambda t, y: 1.0), y, y, sample_weight=np.ones(4))
    with pytest.raises(TypeError, match="expected real numbers"):
        of(metrics.get(lambda t, y: None), y, y)


# In a history.


def test_figures_appear_in_a_history_under_their_names():
    x, y = RNG.standard_normal((7, 4, 2)), RNG.standard_normal((7, 4, 3))
    model = Sequential([layers.SimpleRNN(3, return_sequences=True), layers.Dense(3)], seed=0, dtype="float64")
    asked = [last_time_step_mse, "last_step_mse", metrics.PerHorizon("mae"), metrics.R2Score(None, name="r2"), "rmse"]
    model.compile("adam", losses.LogCosh(), metrics=asked)
    names = ["loss", "last_time_step_mse", "last_step_mse", "mae_1", "mae_2", "mae_3", "r2_1", "r2_2", "r2_3", "rmse"]
    history = model.fit(x, y, batch_size=4, epochs=2, verbose=0, validation_data=(x, y)).history
    assert list(history) == names + [f"val_{name}" for name in names]
    assert history["last_time_step_mse"] == pytest.approx(history["last_step_mse"], rel=1e-12)
    whole = model.evaluate(x, y, verbose=0)
    assert list(whole) == names
    for name, number in model.evaluate(x, y, batch_size=3, verbose=0).items():
        assert number == pytest.approx(whole[name], rel=1e-12)
    out = model.predict(x)
    assert whole["mae_2"] == pytest.approx(np.abs(out - y)[..., 1].mean(), rel=1e-12)


def test_a_classifier_is_trained_on_labels():
    x = RNG.standard_normal((24, 5, 2))
    labels = (x.sum(axis=(1, 2)) > 0).astype(int)
    for units, activation, loss in (
        (1, "sigmoid", "binary_crossentropy"),
        (2, "softmax", "sparse_categorical_crossentropy"),
    ):
        model = Sequential([layers.GRU(6), layers.Dense(units, activation=activation)], seed=1)
        model.compile("adam", loss, metrics=["accuracy", loss])
        model.optimizer = type(model.optimizer)(learning_rate=0.05)
        history = model.fit(x, labels, epochs=25, verbose=0).history
        assert history["accuracy"][-1] > 0.95
        assert history[loss] == pytest.approx(history["loss"], rel=1e-6)


def test_a_row_of_classes_has_no_last_step():
    last = metrics.LastStep(metrics.SparseCategoricalAccuracy(), name="last")
    with pytest.raises(ValueError, match=r"y \(2, 3\) has no steps: expected \(batch, time, ...\) for last"):
        last(np.eye(3)[:2], np.array([0, 1]))
    assert of(last, [[[1, 0, 0], [0, 1, 0]]], [[2, 1]]) == 1


def test_weights_that_leave_nothing_to_take_a_root_of_are_refused():
    total, count = metrics.rmse(np.array([[1.0], [2.0]]), np.zeros((2, 1)), sample_weight=np.array([3.0, -1.0]))
    with pytest.raises(ValueError, match=r"the mean is -0.5, which has no root: expected sample weights from 0 up"):
        metrics.rmse.result(total, count)


def test_wrong_arguments_are_refused_where_a_metric_is_made():
    with pytest.raises(TypeError, match="from_logits is 'yes', expected True or False"):
        metrics.BinaryCrossentropy(from_logits="yes")
    with pytest.raises(TypeError, match="threshold is 'half', expected a number"):
        metrics.BinaryAccuracy(threshold="half")
    partial = functools.partial(metrics.mean_squared_error)
    with pytest.raises(TypeError, match=r"is no function with a name: .* name='...'"):
        metrics.FromFunction(partial)
    assert metrics.FromFunction(partial, "squares").name == "squares"
    with pytest.raises(TypeError, match="3 is no function"):
        metrics.FromFunction(3, "three")
