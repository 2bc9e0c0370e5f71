"""What a step of training does by a shorter way, and must not see differently for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import rnnkit
from rnnkit.batches import Batch
from rnnkit.context import Context
from rnnkit.diagnosis import IN_TRAINING, Witness
from rnnkit.layers.restarts import nothing_owed

LARGE = np.full((2, 3), 3e30, np.float32)  # finite, and its square is not


def witness():
    model = rnnkit.Sequential([rnnkit.layers.Dense(3)], seed=0)
    return Witness(model, "in this batch", IN_TRAINING)


@pytest.mark.filterwarnings("ignore:overflow")
def test_a_gradient_is_finite_also_where_its_square_is_not():
    witness().check_backward([{"W": LARGE}])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_entry_that_is_not_finite_is_found_among_large_and_small_ones(bad):
    gradients = LARGE * np.float32(1e-30)
    gradients[1, 2] = bad
    with pytest.raises(FloatingPointError, match="the gradient of b of layer 0 Dense"):
        witness().check_backward([{"W": np.ones((4, 2), np.float32), "b": gradients}])


@pytest.mark.parametrize("rows", [np.array([5, 0, 5]), slice(2, 6)], ids=["numbers", "a stretch"])
@pytest.mark.parametrize("view", [False, True])
def test_a_part_of_a_batch_has_its_rows_of_every_array(rows, view):
    series = np.arange(40.0)
    x = np.lib.stride_tricks.sliding_window_view(series, 4)[:8, :, None] if view else series.reshape(8, 5, 1)
    y, mask = np.arange(8.0), np.arange(8)[:, None] > np.arange(x.shape[1])
    part = Batch(x, y, None, mask).part(rows)
    np.testing.assert_array_equal(part.x, x[rows])
    np.testing.assert_array_equal(part.y, y[rows])
    np.testing.assert_array_equal(part.mask, mask[rows])
    assert part.sample_weight is None
    assert part.reset is None


def test_where_the_loss_reads_no_output_nothing_is_owed_to_any_step():
    owed = nothing_owed(np.ones((5, 2, 3), np.float32))
    assert owed.shape == (5, 2, 3)
    assert owed.dtype == np.float32
    assert owed.strides == (0, 0, 4)
    assert not owed.any()
    assert not owed.flags.writeable


def test_a_context_with_other_fields_leaves_the_first_as_it_was():
    mask = np.ones((2, 3), bool)
    first = Context("numpy", mask, np.random.default_rng(0), path="1")
    second = first.but(mask=None, path="2")
    assert first.mask is mask
    assert first.path == "1"
    assert (second.mask, second.path) == (None, "2")
    assert second.rng is first.rng
    assert second.backend is first.backend


def test_a_layer_given_another_regularizer_costs_by_that_one():
    params = {"W": np.ones((2, 1), np.float32), "b": np.ones(1, np.float32)}
    plain = rnnkit.layers.Dense(1)
    assert plain.penalty(params) == (0.0, {})
    total, slopes = rnnkit.layers.Dense(1, bias_regularizer=rnnkit.regularizers.L2(0.5)).penalty(params)
    assert total == pytest.approx(0.5)
    assert list(slopes) == ["b"]
    assert plain.penalty(params) == (0.0, {})


def test_what_is_said_of_a_weight_is_asked_for_each_set_of_weights():
    @dataclass(frozen=True, repr=False)
    class Two(rnnkit.layers.Layer):
        first_constraint: Any = "non_neg"

    weights = {"first": -np.ones(2, np.float32), "second": -np.ones(2, np.float32)}
    layer = Two()
    np.testing.assert_array_equal(layer.constrained({"second": weights["second"]})["second"], [-1, -1])
    held = layer.constrained(weights)
    np.testing.assert_array_equal(held["first"], [0, 0])
    np.testing.assert_array_equal(held["second"], [-1, -1])
