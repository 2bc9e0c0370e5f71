"""The recipe that writes on like Shakespeare runs as a reader would run it, and learns to spell."""

from __future__ import annotations

import math

import numpy as np
import pytest
from recipe_runs import DATA, EXAMPLES, needs, quick

from rnnkit import Sequential
from rnnkit.layers import Dense, Embedding, SimpleRNN


@pytest.fixture
def shakespeare(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import shakespeare

    return shakespeare


@pytest.mark.slow
@needs("tinyshakespeare.txt")
def test_a_network_learns_to_spell_from_pieces_of_a_text(tmp_path):
    _, rows = quick("shakespeare", tmp_path, "--data", DATA)
    assert rows["counted single characters"][0] == pytest.approx(3.399, abs=5e-4)
    assert rows["counted pairs"][0] == pytest.approx(2.497, abs=5e-4)
    assert rows["counted triples"][0] == pytest.approx(2.027, abs=5e-4)
    assert rows["LSTM(64)"][0] < 2.32


def test_every_character_of_a_row_is_beside_the_one_that_follows_it(shakespeare):
    x, y = shakespeare.rows(np.arange(11), 4)
    assert x.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    np.testing.assert_array_equal(y, x + 1)


def test_counted_probabilities_are_those_of_a_pencil(shakespeare):
    train, held = np.array([0, 1, 0, 1, 0, 0]), np.array([0, 1, 0])
    # Of 0 there are 4 in 6, of 1 there are 2, one more each: 5/8 and 3/8.
    assert shakespeare.counted(train, held, 1, 2) == pytest.approx(-math.log(5 / 8 * 3 / 8 * 5 / 8) / 3)
    # Behind 0 came 1 twice and 0 once: 3/5; behind 1 came 0 twice: 3/4.
    assert shakespeare.counted(train, held, 2, 2) == pytest.approx(-math.log(3 / 5 * 3 / 4) / 2)
    # Behind 0 1 came 0 twice: 3/4.
    assert shakespeare.counted(train, held, 3, 2) == pytest.approx(-math.log(3 / 4))


def test_a_low_temperature_writes_the_likeliest_character_and_a_high_one_any(shakespeare):
    model = Sequential([Embedding(3, 2), SimpleRNN(2, return_sequences=True), Dense(3)], seed=0)
    model.build((None, None))
    weights = [w * 0 for w in model.get_weights()]
    weights[-1][:] = [0, 1, 0.5]
    model.set_weights(weights)
    assert shakespeare.written(model, "abc", "c", 30, 0.01) == "c" + "b" * 30
    assert set(shakespeare.written(model, "abc", "c", 60, 100.0)) == set("abc")
    assert shakespeare.written(model, "abc", "a", 20, 1.0, seed=1) == shakespeare.written(
        model, "abc", "a", 20, 1.0, seed=1
    )
