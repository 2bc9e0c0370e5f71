"""The recipes of the sine waves: their baselines are the recorded ones, their networks learn, a WaveNet sees far."""

from __future__ import annotations

import math
from importlib import import_module

import numpy as np
import pytest
from recipe_runs import EXAMPLES, quick

import rnnkit
from rnnkit.data import sine_waves


@pytest.fixture
def example(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return import_module


def test_the_baselines_of_the_whole_series_are_the_recorded_ones(example):
    sines = example("sines")
    train, held = slice(0, 7_000), slice(7_000, 9_000)
    near, far = sine_waves(10_000, 51), sine_waves(10_000, 60)
    x, y = near[:, :50], near[:, 50]
    assert sines.mse(x[held, -1], y[held]) == pytest.approx(0.0202114, abs=5e-7)
    assert sines.mse(sines.least_squares(x[train], y[train], x[held]), y[held]) == pytest.approx(0.002931, abs=5e-7)
    x, y = far[:, :50], far[:, 50:, 0]
    assert sines.mse(np.repeat(x[held, -1], 10, axis=1), y[held]) == pytest.approx(0.2569740, abs=5e-7)
    assert sines.mse(sines.least_squares(x[train], y[train], x[held]), y[held]) == pytest.approx(0.015488, abs=5e-7)


def test_one_by_one_is_what_reading_the_grown_series_anew_gives(example):
    sines = example("sines")
    model = sines.deep_dense(1)(rnnkit, seed=0)
    grown = x = sine_waves(3, 50)
    model.build(x.shape)
    for _ in range(10):
        grown = np.concatenate([grown, model.predict(grown)[:, None]], axis=1)
    np.testing.assert_allclose(sines.one_by_one(model, x), grown[:, 50:, 0], rtol=2e-5, atol=1e-6)


@pytest.mark.slow
def test_two_recurrent_layers_see_the_next_steps_of_a_wave(tmp_path):
    _, rows = quick("sines", tmp_path)
    assert rows["1 step: 20-20-Dense(1)"][0] < 0.007 < 0.02 < rows["1 step: the last value"][0]
    assert rows["1 step: 20-20-SimpleRNN(1)"][0] < 0.013
    assert rows["10 steps: 20-20-Dense(10)"][0] < 0.040


@pytest.mark.slow
def test_every_network_of_sequences_learns_to_tell_the_next_ten_steps(tmp_path):
    _, rows = quick("sines_sequences", tmp_path)
    last = {name: score for name, (_, score) in rows.items()}
    assert last.pop("the last value") > 0.25
    assert last.pop("gated WaveNet, softmax") > 0.1  # its outputs add up to one
    assert max(last.values()) < 0.075
    # Where recurrent weights learn from the last step alone these are 0.0441, 0.0577 and 0.0569.
    assert last["SimpleRNN(20) x 2"] < 0.038
    assert last["LSTM(20) x 2"] < 0.045
    assert last["GRU(20) x 2"] < 0.05
    assert last["WaveNet of plain convolutions"] < 0.03
    assert last["gated, 1..8 twice, linear"] < 0.03


@pytest.mark.slow
def test_a_wavenet_that_has_learnt_waves_draws_more_of_them(tmp_path):
    printed, rows = quick("wavenet", tmp_path)
    assert rows["all levels alike"][0] == pytest.approx(math.log(64))
    assert "sees 95 steps" in printed
    assert rows["WaveNet, 3 x 5 blocks"][0] < rows["how often after the last one"][0] - 0.2


def test_the_papers_wavenet_sees_three_thousand_and_seventy_one_steps_and_no_more(example):
    wavenet = example("wavenet")
    model = wavenet.wavenet(wavenet.DILATIONS * wavenet.STACKS, 1)(rnnkit, seed=0)
    assert model.receptive_field == 1 + 1 + 3 * sum(2**k for k in range(10)) == 3_071
    x = np.random.default_rng(0).standard_normal((1, 3_200, 1)).astype(np.float32)
    y, pullback = model.forward(x)
    dy = np.zeros_like(y)
    dy[:, 3_150, 5] = 1
    steps = np.flatnonzero(pullback(dy)[1][0, :, 0])
    assert (steps[0], steps[-1]) == (3_150 - 3_070, 3_150)


def test_levels_and_values_go_there_and_back(example):
    levels = example("wavenet_levels")
    every = np.arange(levels.LEVELS)
    np.testing.assert_array_equal(levels.to_level(levels.to_value(every)), every)
    np.testing.assert_array_equal(levels.to_level(np.array([-9.0, 9.0])), [0, levels.LEVELS - 1])


def test_noise_alone_is_the_entropy_of_a_window_over_levels(example):
    # Every place of the window at random: what a million draws give.
    levels, rng = example("wavenet_levels"), np.random.default_rng(0)
    width, entropy = (levels.HIGH - levels.LOW) / levels.LEVELS, []
    for start in rng.random(200) * width:
        share = np.bincount(((start + levels.NOISE * rng.random(20_000)) / width).astype(int)) / 20_000
        entropy.append(-(share[share > 0] * np.log(share[share > 0])).sum())
    assert levels.noise_alone() == pytest.approx(np.mean(entropy), abs=0.01)


def test_a_drawn_series_goes_on_from_what_the_network_tells(example):
    wavenet = example("wavenet")
    model = wavenet.wavenet((1, 2), 1)(rnnkit, seed=0)
    past = wavenet.to_level(sine_waves(1, 20)[0, :, 0])
    levels, _ = wavenet.generate(model, past, 5, np.random.default_rng(0))
    grown, rng = list(past), np.random.default_rng(0)
    for level in levels:
        told = model.predict(wavenet.to_value(np.array(grown))[None, :, None])[0, -1].astype(np.float64)
        assert level == rng.choice(wavenet.LEVELS, p=told / told.sum())
        grown.append(level)
