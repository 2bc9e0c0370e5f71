"""Embedding: rows of a table, chosen by whole numbers; what flows back to them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnkit import Context, Sequential, gradcheck, layers
from rnnkit.layers.streams import StepByStep

FEW = settings(max_examples=12, deadline=None, derandomize=True)


def table(rows=5, columns=3, dtype="float64"):
    return {"embeddings": np.random.default_rng(0).standard_normal((rows, columns)).astype(dtype)}


@st.composite
def choices(draw):
    """Indices below 5 of one to three axes."""
    shape = draw(st.lists(st.integers(1, 6), min_size=1, max_size=3))
    return np.random.default_rng(draw(st.integers(0, 2**32 - 1))).integers(0, 5, shape)


@FEW
@given(choices())
def test_an_index_chooses_its_row_and_the_row_gets_what_flows_to_its_places(x):
    params, layer = table(), layers.Embedding(5, 3)
    y, pullback = layer(params, x)
    assert y.shape == layer.plan(x.shape)[1]
    for at in np.ndindex(x.shape):
        np.testing.assert_array_equal(y[at], params["embeddings"][x[at]])
    dy = np.random.default_rng(1).standard_normal(y.shape)
    dparams, dx = pullback(dy)
    expected = np.zeros((5, 3))
    for at in np.ndindex(x.shape):
        expected[x[at]] += dy[at]
    np.testing.assert_allclose(dparams["embeddings"], expected, rtol=1e-13, atol=1e-14)
    assert dx.shape == x.shape
    assert not dx.any()
    assert gradcheck(layer, x)


def test_what_flows_to_a_row_is_the_same_to_the_last_bit_every_time():
    rng = np.random.default_rng(2)
    x, dy = rng.integers(0, 5, (40, 50)), rng.standard_normal((40, 50, 3)).astype("float32")
    first = layers.Embedding(5, 3)(table(dtype="float32"), x)[1](dy)[0]["embeddings"]
    second = layers.Embedding(5, 3)(table(dtype="float32"), x)[1](dy)[0]["embeddings"]
    np.testing.assert_array_equal(first, second)
    assert first.dtype == np.float32


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint16", "float32", "float64"])
def test_whole_numbers_choose_whatever_their_dtype(dtype):
    x = np.array([[0, 4], [2, 2]])
    y, pullback = layers.Embedding(5, 3)(table(dtype="float32"), x.astype(dtype))
    np.testing.assert_array_equal(y, table(dtype="float32")["embeddings"][x])
    dparams, dx = pullback(np.ones_like(y))
    assert (y.dtype, dparams["embeddings"].dtype, dx.dtype) == (np.float32,) * 3


@pytest.mark.parametrize(
    ("x", "where"),
    [
        ([[0, 1, 2], [3, 5, 0]], "got 5 at sample 1, step 1"),
        ([[0, -1, 2]], "got -1 at sample 0, step 1"),
        ([[0.0, 1.5]], r"got 1\.5 at sample 0, step 1"),
        ([[0.0, np.nan]], "got nan at sample 0, step 1"),
        ([[np.inf, 0.0]], "got inf at sample 0, step 0"),
        ([7], "got 7 at sample 0"),
        ([[[0, 9]]], "got 9 at sample 0, step 0, feature 1"),
    ],
)
def test_an_index_that_is_not_in_the_table_is_named(x, where):
    with pytest.raises(ValueError, match=rf"whole numbers from 0 to 4 \(input_dim=5\); {where}$"):
        layers.Embedding(5, 3)(table(), np.array(x))


def test_what_chooses_nothing_is_refused():
    with pytest.raises(TypeError, match="expected whole numbers, got x of complex128"):
        layers.Embedding(5, 3)(table(), np.zeros((1, 2), complex))
    for sizes in ((0, 3), (5, 0), (5.0, 3), (True, 3)):
        with pytest.raises(ValueError, match=r"Embedding: (in|out)put_dim is a whole number from 1 up"):
            layers.Embedding(*sizes)


def test_the_table_starts_uniformly_between_a_twentieth_below_and_above_zero():
    params, shape = layers.Embedding(200, 50).init(np.random.default_rng(0), (None, 7), "float64")
    assert shape == (None, 7, 50)
    assert list(params) == ["embeddings"]
    drawn = params["embeddings"]
    assert -0.05 <= drawn.min() < -0.0499
    assert 0.0499 < drawn.max() < 0.05
    # The standard deviation of a uniform draw is its width / sqrt(12), its own error about 45 % / sqrt(n).
    assert drawn.std() == pytest.approx(0.1 / np.sqrt(12), rel=4 * 0.45 / np.sqrt(drawn.size))
    assert (
        layers.Embedding(2, 2, embeddings_initializer="ones")
        .init(np.random.default_rng(0), (None, 1))[0]["embeddings"]
        .all()
    )


def test_weights_given_are_copied_cast_and_stay_where_nothing_is_trained():
    given_ = np.arange(15.0).reshape(5, 3)
    for layer in (
        layers.Embedding(5, 3, weights=given_, trainable=False),
        layers.Embedding(5, 3, weights=[given_], trainable=False),
        layers.Embedding(5, 3, weights=given_.tolist(), trainable=False),
    ):
        params, _ = layer.init(np.random.default_rng(0), (None, 4), "float32")
        np.testing.assert_array_equal(params["embeddings"], given_)
        assert params["embeddings"].dtype == np.float32
        assert params["embeddings"].flags.writeable
        assert layer.learned(params) == ()
        with pytest.raises(ValueError, match="read-only"):
            layer.weights[0] = 1
    given_[:] = 7
    assert layer.weights[0, 0] == 0
    assert layers.Embedding(1, 2, weights=[[1, 2]]).weights.shape == (1, 2)


def test_weights_are_no_part_of_what_a_layer_is_called_or_compared_by():
    with_weights = layers.Embedding(2, 2, weights=np.eye(2))
    assert with_weights == layers.Embedding(2, 2)
    assert hash(with_weights) == hash(layers.Embedding(2, 2))
    assert repr(with_weights) == "Embedding(input_dim=2, output_dim=2)"
    np.testing.assert_array_equal(replace(with_weights, mask_zero=True).weights, np.eye(2))


@pytest.mark.parametrize(
    ("weights", "error", "sentence"),
    [
        (np.zeros((3, 5)), ValueError, r"\(input_dim, output_dim\) = \(5, 3\); got \(3, 5\)"),
        ([np.zeros((5, 3)), np.zeros(3)], ValueError, None),
        (np.full((5, 3), "a"), TypeError, "expected real numbers"),
        (np.where(np.eye(5, 3) > 0, np.nan, 0), ValueError, "weights have nan at row 0, column 0"),
    ],
)
def test_weights_that_are_no_such_table_are_refused(weights, error, sentence):
    with pytest.raises(error, match=sentence):
        layers.Embedding(5, 3, weights=weights)


def test_zero_masks_a_step_where_it_is_asked_to_and_meets_the_mask_that_came():
    x = np.array([[0, 1, 2], [3, 0, 0]])
    came = np.array([[True, False, True], [True, True, False]])
    masking, plain = layers.Embedding(5, 3, mask_zero=True), layers.Embedding(5, 3)
    np.testing.assert_array_equal(masking.next_mask(None, x), x != 0)
    np.testing.assert_array_equal(masking.next_mask(came, x), (x != 0) & came)
    np.testing.assert_array_equal(masking.next_mask(None, x.astype("float32")), x != 0)
    assert plain.next_mask(None, x) is None
    np.testing.assert_array_equal(plain.next_mask(came, x), came)
    assert masking.next_mask(None, x[0]) is None
    groups = np.array([[[0, 0], [0, 1]]])
    np.testing.assert_array_equal(masking.next_mask(None, groups), [[False, True]])


def test_padding_does_not_matter_to_what_follows_a_masking_embedding():
    first = [layers.Input((None,)), layers.Embedding(6, 3, mask_zero=True)]
    model = Sequential([*first, layers.GRU(2, return_sequences=True), layers.LSTM(2)], dtype="float64", seed=0)
    padded, _ = model.forward(np.array([[3, 5, 0, 0, 0], [0, 1, 0, 2, 4]]))
    np.testing.assert_allclose(padded[:1], model.forward(np.array([[3, 5]]))[0], rtol=1e-13)
    np.testing.assert_allclose(padded[1:], model.forward(np.array([[1, 2, 4]]))[0], rtol=1e-13)


def test_a_frozen_table_is_left_alone_and_a_free_one_learns():
    x, y = np.array([[1, 2], [3, 1], [0, 2], [4, 4]]), np.array([[0.0], [1.0], [1.0], [0.0]])
    for trainable in (True, False):
        embedding = layers.Embedding(5, 3, weights=np.arange(15.0).reshape(5, 3) / 15, trainable=trainable)
        model = Sequential([embedding, layers.SimpleRNN(2), layers.Dense(1)], dtype="float64", seed=0)
        model.compile("sgd", "mse")
        model.fit(x, y, epochs=2, batch_size=2, verbose=0)
        assert np.array_equal(model.get_weights()[0], embedding.weights) != trainable


def test_texts_of_different_length_are_padded_and_their_padding_masked():
    model = Sequential([layers.Embedding(6, 3), layers.GRU(2)], dtype="float64", seed=0)
    texts = [[3, 5], [1, 2, 4], [0]]
    together = model.predict(texts)
    for text, y in zip(texts, together, strict=True):
        np.testing.assert_allclose(model.predict(np.array([text]))[0], y, rtol=1e-13)


def test_a_table_of_ten_thousand_words_is_counted():
    model = Sequential([layers.Embedding(10_000, 32), layers.SimpleRNN(32)])
    model.build((None, 20))
    assert sum(w.size for w in model.get_weights()) == 322_080


def test_a_stream_takes_one_token_of_each_row_at_a_time():
    x, layer = np.array([[0, 1, 2], [3, 0, 4]]), layers.Embedding(5, 3, mask_zero=True)
    params = table()
    y, _ = layer(params, x)
    stream = layer.stream(params, 2)
    assert isinstance(stream, StepByStep)
    for t in range(3):
        out, mask = stream.step(x[:, t], None)
        np.testing.assert_array_equal(out, y[:, t])
        np.testing.assert_array_equal(mask, x[:, t] != 0)


def test_the_layer_says_that_it_takes_indices_and_passes_nothing_on():
    layer = layers.Embedding(5, 3)
    assert layer.takes_indices
    assert layer.stepwise
    assert layer.reach == (1, 1)
    assert layers.TimeDistributed(layer).takes_indices
    _, pullback = layer(table(), np.array([[1]]), Context(rng=np.random.default_rng(0)))
    assert pullback(np.ones((1, 1, 3)))[1].dtype == np.float64
