"""Crossentropies at their extremes, their labels, and at the border. Values against Keras: `test_losses_peers.py`."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnkit.losses import BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy

KINDS = BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy
MASK = np.array([[True, True, False], [False, True, False]])
STEPS = np.array([[0.5, 2.0, 0.0], [1.0, 4.0, 0.25]])


def softmax(y):
    e = np.exp(y - y.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def drawn(seed, shape=(2, 3, 4)):
    """Logits, labels, and the labels as one-hot rows."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, shape[-1], shape[:-1])
    return 2 * rng.standard_normal(shape), labels, np.eye(shape[-1])[labels]


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1), from_logits=st.booleans(), mask=st.sampled_from([None, MASK, MASK[:, 1]]),
    weight=st.sampled_from([None, STEPS, STEPS[:, 1]]), dtype=st.sampled_from([np.int8, np.float32, np.float64]),
    last_axis=st.booleans(),
)  # fmt: skip
def test_labels_are_one_hot_rows_written_shorter(seed, from_logits, mask, weight, dtype, last_axis):
    y, labels, rows = drawn(seed)
    y = y if from_logits else softmax(y)
    given = {"sample_weight": weight, "mask": mask}
    value, gradient = CategoricalCrossentropy(from_logits)(y, rows, **given)
    labels = (labels[..., None] if last_axis else labels).astype(dtype)
    got = SparseCategoricalCrossentropy(from_logits)(y, labels, **given)
    assert got[0] == value
    np.testing.assert_array_equal(got[1], gradient)


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("odd", [0.0, 1e-9, np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("place", [1, 2])
def test_a_number_that_is_odd_costs_a_label_what_it_costs_a_one_hot_row(odd, place, from_logits):
    y, labels, rows = drawn(3)
    y = y if from_logits else softmax(y)
    y[0, 0], y[1, 1, place], labels[1, 1], rows[1, 1] = 0, odd, 1, [0, 1, 0, 0]
    with np.errstate(all="ignore"):
        value, gradient = CategoricalCrossentropy(from_logits)(y, rows)
        got = SparseCategoricalCrossentropy(from_logits)(y, labels)
    np.testing.assert_array_equal(got[0], value)
    np.testing.assert_array_equal(got[1], gradient)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), smoothing=st.sampled_from([0.0, 0.1, 1.0]))
def test_logits_and_the_probabilities_they_stand_for_cost_the_same(seed, smoothing):
    y, labels, rows = drawn(seed)
    # Probabilities are a few roundings off, and clipped where they are below 1e-7: these are not.
    for kind, p, target in (
        (CategoricalCrossentropy, softmax(y), rows),
        (BinaryCrossentropy, 1 / (1 + np.exp(-y)), rows),
    ):
        logits, probabilities = (kind(b, smoothing)(a, target)[0] for a, b in ((y, True), (p, False)))
        assert logits == pytest.approx(probabilities, rel=1e-12)
    logits, probabilities = (
        SparseCategoricalCrossentropy(b)(a, labels)[0] for a, b in ((y, True), (softmax(y), False))
    )
    assert logits == pytest.approx(probabilities, rel=1e-12)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_through_a_softmax_the_gradient_is_that_of_the_logits(seed):
    y, _, rows = drawn(seed)
    p = softmax(y)
    dp = CategoricalCrossentropy()(p, rows)[1]
    through = p * (dp - (dp * p).sum(axis=-1, keepdims=True))
    np.testing.assert_allclose(through, CategoricalCrossentropy(True)(y, rows)[1], rtol=0, atol=1e-14)


def test_immense_logits_cost_what_they_are_wrong_by():
    y = np.array([[1e4], [-1e4], [1e4], [-1e4]])
    value, gradient = BinaryCrossentropy(from_logits=True)(y, [1, 0, 0, 1])
    assert value == 2e4 / 4
    np.testing.assert_array_equal(gradient.ravel(), [0, 0, 0.25, -0.25])
    y = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4]])
    for loss, target in (
        (CategoricalCrossentropy(True), np.eye(3)[[1, 2]]),
        (SparseCategoricalCrossentropy(True), [1, 2]),
    ):
        value, gradient = loss(y, target)
        assert value == pytest.approx((2e4 + math.log(2)) / 2, rel=1e-15)
        np.testing.assert_array_equal(gradient, [[0.5, -0.5, 0], [0, 0.25, -0.25]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_probabilities_of_zero_and_one_are_clipped_and_have_no_slope(dtype):
    y = np.array([[0], [1], [0], [1]], dtype)
    value, gradient = BinaryCrossentropy()(y, [0, 1, 1, 0])
    low, high = dtype(1e-7), dtype(1 - 1e-7)
    wrong = -np.log(low) - np.log1p(-high)
    assert value == pytest.approx((wrong - np.log1p(-low) - np.log(high)) / 4, rel=1e-6)
    assert not gradient.any()
    y = np.array([[0, 1, 0], [0, 1, 0]], dtype)
    value, gradient = SparseCategoricalCrossentropy()(y, [1, 0])
    assert value == pytest.approx((-math.log(low) - math.log(high)) / 2, rel=1e-6)
    assert not gradient.any()


def test_on_the_ends_of_the_interval_the_slope_is_that_from_inside():
    p = np.array([[1e-7], [1 - 1e-7], [0.5e-7], [1 - 0.5e-7]])
    gradient = BinaryCrossentropy()(p, [1, 0, 1, 0])[1]
    np.testing.assert_allclose(gradient.ravel(), [-1e7 / 4, 1e7 / 4, 0, 0], rtol=1e-7)


def test_rows_of_probabilities_are_divided_by_their_sum():
    y, labels, rows = drawn(3)
    p = softmax(y)
    for loss, target in ((CategoricalCrossentropy(), rows), (SparseCategoricalCrossentropy(), labels)):
        (one, slopes), (many, slopes_of_many) = loss(p, target), loss(8 * p, target)
        assert one == pytest.approx(many, rel=1e-14)
        np.testing.assert_allclose(slopes, 8 * slopes_of_many, rtol=1e-12)


def test_a_row_that_sums_to_zero_is_clipped_and_has_no_slope():
    value, gradient = SparseCategoricalCrossentropy()(np.zeros((2, 3)), [0, 2])
    assert value == -math.log(1e-7)
    assert not gradient.any()


def test_a_class_that_is_ruled_out_costs_nothing_where_it_is_not_the_target():
    y = np.array([[0.0, -np.inf, 0.0]])
    for loss, target in ((CategoricalCrossentropy(True), np.eye(3)[[0]]), (SparseCategoricalCrossentropy(True), [0])):
        value, gradient = loss(y, target)
        assert value == pytest.approx(math.log(2), rel=1e-15)
        np.testing.assert_allclose(gradient, [[-0.5, 0, 0.5]], rtol=1e-15)


def test_smoothing_moves_targets_towards_all_classes_alike():
    y, _, rows = drawn(4)
    smooth = CategoricalCrossentropy(True, 0.2)(y, rows)
    plain = CategoricalCrossentropy(True)(y, 0.8 * rows + 0.05)
    assert smooth[0] == pytest.approx(plain[0], rel=1e-14)
    smooth = BinaryCrossentropy(True, 0.2)(y, rows)
    plain = BinaryCrossentropy(True)(y, 0.8 * rows + 0.1)
    assert smooth[0] == pytest.approx(plain[0], rel=1e-14)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1), ignored=st.sampled_from([-1, 0, 3, 255]), from_logits=st.booleans(),
    mask=st.sampled_from([None, MASK, MASK[:, 1]]), weight=st.sampled_from([None, STEPS, STEPS[:, 0]]),
)  # fmt: skip
def test_an_ignored_class_is_a_mask(seed, ignored, from_logits, mask, weight):
    y, labels, _ = drawn(seed)
    y = y if from_logits else softmax(y)
    labels = np.where(np.random.default_rng(seed).random(labels.shape) < 0.4, ignored, labels)
    real = labels != ignored
    if mask is not None:
        real &= mask if mask.ndim == 2 else mask[:, None]
    got = SparseCategoricalCrossentropy(from_logits, ignored)(y, labels, sample_weight=weight, mask=mask)
    hidden = np.where(real, labels, 0)
    want = SparseCategoricalCrossentropy(from_logits)(y, hidden, sample_weight=weight, mask=real)
    assert got[0] == want[0]
    np.testing.assert_array_equal(got[1], want[1])
    assert not got[1][~real].any()


def test_where_every_row_is_ignored_nothing_is_lost():
    value, gradient = SparseCategoricalCrossentropy(ignore_class=-1)(np.full((3, 2), 0.5), [-1, -1, -1])
    assert value == 0
    assert not gradient.any()


@pytest.mark.parametrize("wrong", [-1, 4, 1.5, np.nan, 255])
def test_a_label_that_is_no_class_is_named_unless_it_is_masked(wrong):
    y, labels, _ = drawn(5)
    labels = labels.astype(float)
    labels[1, 2], labels[0, 2] = wrong, wrong
    loss = SparseCategoricalCrossentropy(from_logits=True)
    with pytest.raises(ValueError, match=rf"target has {wrong:.1f} at \(0, 2\).*whole numbers from 0 to 3"):
        loss(y, labels)
    assert math.isfinite(loss(y, labels, mask=MASK)[0])


@pytest.mark.parametrize("wrong", [-1.0, 2.0, np.nan])
def test_a_binary_target_outside_zero_to_one_is_named_unless_it_is_masked(wrong):
    y = np.full((2, 3, 1), 0.25)
    target = np.array([[0, 1, 0], [1, 0, wrong]])
    with pytest.raises(ValueError, match=rf"target has {wrong} at \(1, 2, 0\), expected a probability from 0 to 1"):
        BinaryCrossentropy()(y, target)
    assert math.isfinite(BinaryCrossentropy()(y, target, mask=MASK)[0])


@pytest.mark.parametrize(
    ("kind", "y", "target", "hint"),
    [
        (CategoricalCrossentropy, (4, 3), (4,), "for labels take the sparse one"),
        (CategoricalCrossentropy, (4, 3), (4, 1), "for labels take the sparse one"),
        (CategoricalCrossentropy, (4, 3), (4, 2), r"a number for each class, \(4, 3\)\."),
        (SparseCategoricalCrossentropy, (4, 3), (4, 3), "for one-hot rows take the categorical one"),
        (SparseCategoricalCrossentropy, (4, 5, 3), (4,), r"one label for each row, \(4, 5\) or \(4, 5, 1\); does"),
        (SparseCategoricalCrossentropy, (4,), (4,), "no axis of classes"),
        (CategoricalCrossentropy, (4,), (4,), "no axis of classes"),
    ],
)
def test_targets_that_do_not_match_rows_are_refused(kind, y, target, hint):
    with pytest.raises(ValueError, match=hint):
        kind()(np.ones(y), np.zeros(target))


@pytest.mark.parametrize("kind", KINDS[1:])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4), (2, 2), (3, 1)])
def test_a_weight_belongs_to_a_row_and_not_to_a_class(kind, shape):
    y, labels, rows = drawn(6)
    target = labels if kind is SparseCategoricalCrossentropy else rows
    for name, over in (("sample_weight", np.ones(shape)), ("mask", np.ones(shape, bool))):
        with pytest.raises(ValueError, match=rf"{name} .* expected the leading axes of y, \(2,\) or \(2, 3\)\."):
            kind()(softmax(y), target, **{name: over})
    assert kind(True)(y, target, sample_weight=STEPS[..., None])[0] == kind(True)(y, target, sample_weight=STEPS)[0]


@pytest.mark.parametrize("smoothing", [-0.1, 1.1, np.nan])
@pytest.mark.parametrize("kind", KINDS[:2])
def test_smoothing_is_a_share(kind, smoothing):
    with pytest.raises(ValueError, match=r"label_smoothing is .*, expected a number in \[0, 1\]"):
        kind(label_smoothing=smoothing)


def test_labels_are_compared_as_they_are_whatever_the_dtype_of_y():
    label = 2**24 + 1  # float32 has its even neighbours alone
    loss = SparseCategoricalCrossentropy(True, ignore_class=label)
    y = np.zeros((2, 3), np.float32)
    value, gradient = loss(y, np.array([label, 1]))
    assert value == pytest.approx(np.log(3), rel=1e-7)
    assert not gradient[0].any()
    assert gradient.dtype == np.float32
    for near in (label - 1, label + 1):
        with pytest.raises(ValueError, match=f"target has {float(near)} at .*, which is no class"):
            loss(y, np.array([near, 1]))
    half = np.zeros((1, 4100), np.float16)  # float16 knows 4096 and 4100, and nothing between
    assert np.argmin(SparseCategoricalCrossentropy(True)(half, np.array([4099]))[1]) == 4099
