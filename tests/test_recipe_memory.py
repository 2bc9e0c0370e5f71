"""The recipe of the adding and the copy problem: what it asks is what the papers ask, and memory is learnt."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from recipe_runs import EXAMPLES, quick


@pytest.fixture
def memory(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return import_module("memory")


def test_the_sum_is_that_of_a_marked_number_in_each_half(memory):
    x, y = memory.Adding(7, 1, 0).batch(500)
    assert x.shape == (500, 7, 2)
    marked = x[..., 1] == 1
    assert set(np.unique(x[..., 1])) == {0, 1}
    np.testing.assert_array_equal(marked[:, :3].sum(axis=1), 1)
    np.testing.assert_array_equal(marked[:, 3:].sum(axis=1), 1)
    np.testing.assert_allclose((x[..., 0] * marked).sum(axis=1, keepdims=True), y, rtol=1e-6)
    assert (marked.sum(axis=0) > 0).all()


def test_the_copy_is_asked_for_after_the_blanks_and_the_sign(memory):
    x, y = memory.Copy(4, 1, 0).batch(50)
    assert x.shape == (50, 24, 10)
    read = x.argmax(axis=-1)
    np.testing.assert_array_equal(x.sum(axis=-1), 1)
    assert set(np.unique(read[:, :10])) == set(range(1, 9))
    np.testing.assert_array_equal(read[:, 10:], [[0] * 3 + [9] + [0] * 10] * 50)
    np.testing.assert_array_equal(y[:, :14], 0)
    np.testing.assert_array_equal(y[:, 14:], read[:, :10])


def test_the_baselines_are_the_losses_of_the_best_answers_without_memory(memory):
    _, y = memory.Adding(20, 1, 0).batch(200_000)
    assert ((y - 1) ** 2).mean() == pytest.approx(memory.Adding.baseline(20), rel=0.01)
    _, y = memory.Copy(3, 1, 0).batch(1)
    told = np.where(y == 0, 1.0, 1 / 8)  # surely blank before the sign, one of eight after it
    assert -np.log(told).mean() == pytest.approx(memory.Copy.baseline(3))


def test_fresh_batches_come_each_time_and_the_same_ones_for_a_seed(memory):
    one, other = memory.Adding(6, 2, 5), memory.Adding(6, 2, 5)
    first = [x for x, _ in one]
    assert len(first) == len(one) == 2
    for x, again in zip(first, [x for x, _ in other], strict=True):
        np.testing.assert_array_equal(x, again)
    assert not np.array_equal(next(iter(one))[0], first[0])


def test_a_relu_network_begins_by_carrying_its_state_on_unchanged(memory):
    model = memory.network(memory.Adding, "ReLU, U = 1", seed=0)
    model.build((None, 5, 2))
    np.testing.assert_array_equal(model.params[0]["U"], np.eye(memory.UNITS))
    x = np.zeros((1, 5, 2), np.float32)
    _, pullback = model.forward(x)
    assert np.isfinite(pullback(np.ones((1, 1), np.float32))[1]).all()


def test_the_gradient_of_an_untrained_gru_vanishes_sooner_than_a_simple_networks(memory):
    lengths = {cell: memory.reach(memory.network(memory.Adding, cell, 0), 60) for cell in ("SimpleRNN", "GRU")}
    assert all(length[0] == 1 and len(length) == 61 for length in lengths.values())
    assert lengths["GRU"][-1] < 1e-8 < 1e-6 < lengths["SimpleRNN"][-1]


@pytest.mark.slow
def test_every_cell_learns_to_add_over_ten_steps(tmp_path):
    _, rows = quick("memory", tmp_path)
    adding = {name: values[0] for name, values in rows.items() if values[0] is not None}
    assert adding.pop("T = 10: no memory") == pytest.approx(1 / 6)
    # Where weights learn from the last step alone these are 0.112, 0.142, 0.011, 0.0033 and 0.129.
    assert adding["T = 10: SimpleRNN"] < 0.045
    assert adding["T = 10: LayerNormSimpleRNN"] < 0.09
    assert adding["T = 10: LSTM"] < 0.007
    assert adding["T = 10: GRU"] < 0.002
    assert adding["T = 10: ReLU, U = 1"] < 0.06
