"""The recipes on texts run as a reader would run them, and learn what a broken gradient would not let them learn."""

from __future__ import annotations

import pytest
from recipe_runs import DATA, needs, quick


@pytest.mark.slow
@needs("imdb_int20k.npz")
def test_five_networks_tell_good_reviews_from_bad_ones(tmp_path):
    _, rows = quick("imdb", tmp_path, "--data", DATA)
    validated, tested = zip(*rows.values(), strict=True)
    assert (validated[0], tested[0]) == (524 / 1000, 2541 / 5000)
    least = dict(zip(rows, (0.5, 0.6, 0.63, 0.74, 0.74, 0.69), strict=True))
    assert {name: values for name, values in rows.items() if min(values) < least[name]} == {}


@pytest.mark.slow
@needs("imdb_int20k.npz")
def test_vectors_learnt_from_two_thousand_texts_beat_those_of_an_extract(tmp_path):
    printed, rows = quick("glove", tmp_path, "--data", DATA)
    assert rows["learnt, 2,000 texts"][1] > 0.7
    assert 0.54 < rows["GloVe, frozen, 2,000 texts"][1] < rows["learnt, 2,000 texts"][1]
    assert "2032 of the 10000 words have a vector in glove.6B.50d.head2445.txt.gz" in printed


@pytest.mark.slow
@needs("imdb_int20k.npz")
def test_bags_of_words_and_the_formula_of_tfidf_are_those_of_scikit_learn(tmp_path):
    pytest.importorskip("sklearn", reason="TF-IDF is scikit-learn's: the extra text")
    printed, rows = quick("texts", tmp_path, "--data", DATA)
    scores = {name: values[1] for name, values in rows.items()}
    assert scores.pop("always the same answer") == pytest.approx(0.51)
    assert min(scores.values()) > 0.8
    assert float(printed.rsplit("scikit-learn: ", 1)[1]) < 1e-15
    # The word "patio" of the second sentence, worked out with a pencil: ln(5/4) + 1 over the length of the row.
    row = next(line.split() for line in printed.splitlines() if line.split()[:1] == ["patio"])
    assert row == ["patio", "3", "1.2231", "0", "0.0000", "1", "0.3165", "1", "0.3165", "1", "0.3921"]
    assert "  gato duerme casa; perro duerme patio; gato juega patio; casa tiene patio\n" in printed


@pytest.mark.slow
def test_a_short_song_is_sung_to_its_end(tmp_path):
    printed, rows = quick("song", tmp_path)
    assert rows["the usual word after this one"] == [pytest.approx(100 * 19 / 21), 1]
    assert rows["LSTM(64)"] == rows["SimpleRNN(64)"] == [100, 3]
    assert printed.count("\nel gallo que vive en la casa canta quiquiriquí\n") == 2
    assert "[" not in printed.split("brackets:", 1)[1]
