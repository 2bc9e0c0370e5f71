"""Whole models as the course texts print them, with their imports changed: they build, count, train and predict."""

from __future__ import annotations

import numpy as np
import pytest

from rnnkit import Sequential
from rnnkit.callbacks import EarlyStopping, ModelCheckpoint
from rnnkit.layers import (
    GRU,
    LSTM,
    AveragePooling1D,
    BatchNormalization,
    Bidirectional,
    Conv1D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalMaxPooling1D,
    Input,
    MaxPooling1D,
    SimpleRNN,
    TimeDistributed,
)
from rnnkit.optimizers import Adam, RMSprop
from rnnkit.text import Tokenizer, pad_sequences


def reviews(count=60, steps=40, words=100, seed=0):
    """Sequences of word numbers, 0 for padding, and whether more of them come from the upper half of the vocabulary."""
    rng = np.random.default_rng(seed)
    x = rng.integers(1, words, (count, steps))
    y = (rng.random(count) < 0.5).astype(int)
    x = np.where(rng.random(x.shape) < 0.4, np.where(y[:, None], words - 1 - x // 4, 1 + x // 4), x)
    x[np.arange(steps) < rng.integers(0, steps // 3, count)[:, None]] = 0
    return x, y


def series(count=30, steps=60, features=3, seed=0):
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.standard_normal((count, steps, features)), axis=1) / 5
    return x, x[:, -1:, 0] + 0.1 * rng.standard_normal((count, 1))


def improves(model, x, y, **options):
    """Trains and returns the history: the loss must have come down."""
    history = model.fit(x, y, verbose=0, **({"epochs": 4, "batch_size": 16} | options))
    assert history.history["loss"][-1] < history.history["loss"][0]
    return history


@pytest.mark.parametrize(
    ("stack", "count"),
    [
        # W 32 x 32, U 32 x 32, b 32, and an embedding of 10,000 words in 32 numbers
        ([Embedding(10000, 32), SimpleRNN(32)], "322,080"),
        ([Embedding(10000, 32), SimpleRNN(32, return_sequences=True)], "322,080"),
        ([Embedding(10000, 32), LSTM(32), Dense(1, activation="sigmoid")], "328,353"),
        ([Embedding(10000, 128, input_shape=(500,)), Conv1D(32, 7, activation="relu"), MaxPooling1D(5),
          Conv1D(32, 7, activation="relu"), GlobalMaxPooling1D(), Dense(1)], "1,315,937"),
        ([Embedding(10000, 8, input_shape=(20,)), Flatten(), Dense(1, activation="sigmoid")], "80,161"),
    ],
)  # fmt: skip
def test_a_summary_counts_what_the_course_counts(stack, count):
    model = Sequential(stack)
    assert f"{count} parameters" in model.summary()
    model.build((None, None))
    assert f"{count} parameters" in model.summary()
    assert f"{model.count_params():,}" == count


def test_what_cannot_be_counted_yet_is_not():
    lines = Sequential([Embedding(100, 8), Flatten(), Dense(1)]).summary().splitlines()
    assert [line.split() for line in lines[2:5]] == [
        ["0", "Embedding", "(?,", "?,", "8)", "800"],
        ["1", "Flatten", "(?,", "?)", "0"],
        ["2", "Dense", "?", "?"],
    ]
    assert lines[-1] == "not built: the input's shape is not known"


def test_two_bidirectional_gru_layers_and_a_dense_one():
    model = Sequential([Input((24, 1))], seed=0)
    model.add(Bidirectional(GRU(20, return_sequences=True, dropout=0.1, recurrent_dropout=0.1)))
    model.add(Bidirectional(GRU(20)))
    model.add(Dense(1))
    model.compile(optimizer=Adam(learning_rate=0.01), loss="huber", metrics=["mae"])
    x, y = series(steps=24, features=1)
    history = improves(model, x, y, epochs=8, validation_split=0.2)
    assert list(history.history) == ["loss", "mae", "val_loss", "val_mae"]
    assert model.output_shape == (None, 1)
    assert model.shapes[1] == (None, 24, 40)


def test_an_embedding_and_a_bidirectional_lstm_tell_reviews_apart():
    x, y = reviews()
    model = Sequential(seed=1)
    model.add(Embedding(100, 32))
    model.add(Bidirectional(LSTM(32)))
    model.add(Dense(1, activation="sigmoid"))
    model.compile(optimizer=RMSprop(learning_rate=0.01), loss="binary_crossentropy", metrics=["acc"])
    history = model.fit(x, y, epochs=10, batch_size=16, validation_split=0.2, verbose=0)
    assert history.history["acc"][-1] > 0.85
    assert "val_acc" in history.history


def test_an_embedding_two_convolutions_and_poolings():
    x, y = reviews(steps=80)
    model = Sequential(seed=2)
    model.add(Embedding(100, 32, input_shape=(80,)))
    model.add(Conv1D(32, 7, activation="relu"))
    model.add(MaxPooling1D(5))
    model.add(Conv1D(32, 7, activation="relu"))
    model.add(GlobalMaxPooling1D())
    model.add(Dense(1))
    model.compile(optimizer=RMSprop(learning_rate=1e-3), loss="binary_crossentropy", metrics=["acc"])
    # The course gives probabilities' loss a layer without an activation; numbers outside (0, 1) are clipped by it.
    assert np.isfinite(model.fit(x, y, epochs=2, batch_size=16, validation_split=0.2, verbose=0).history["loss"]).all()
    shapes = [(None, 80, 32), (None, 74, 32), (None, 14, 32), (None, 8, 32), (None, 32), (None, 1)]
    assert model.shapes[1:] == shapes


def test_a_convolution_pooling_and_a_gru_with_recurrent_dropout():
    x, y = series()
    model = Sequential(seed=3)
    model.add(Conv1D(32, 5, activation="relu", input_shape=(None, x.shape[-1])))
    model.add(MaxPooling1D(3))
    model.add(Conv1D(32, 5, activation="relu"))
    model.add(GRU(32, dropout=0.1, recurrent_dropout=0.5))
    model.add(Dense(1))
    model.compile(optimizer=RMSprop(), loss="mae")
    improves(model, x, y, epochs=6)


def test_batch_normalisation_between_recurrent_layers_and_a_head_at_every_step():
    x, _ = series(steps=20)
    y = x[:, :, :1] * np.ones(10)
    model = Sequential(
        [
            SimpleRNN(20, return_sequences=True, input_shape=[None, 3]),
            BatchNormalization(),
            SimpleRNN(20, return_sequences=True),
            BatchNormalization(),
            TimeDistributed(Dense(10)),
        ],
        seed=4,
    )
    model.compile(loss="mse", optimizer="adam", metrics=["last_step_mse"])
    history = improves(model, x, y, epochs=6)
    assert history.history["last_step_mse"][-1] < history.history["last_step_mse"][0]


def test_the_stack_of_causal_convolutions_that_the_course_calls_a_simple_wavenet():
    x, _ = series(steps=20, features=1)
    model = Sequential([Input((None, 1))], seed=5)
    for rate in (1, 2, 4, 8) * 2:
        model.add(Conv1D(filters=20, kernel_size=2, padding="causal", activation="relu", dilation_rate=rate))
    model.add(Conv1D(filters=10, kernel_size=1))
    model.compile(loss="mse", optimizer="adam", metrics=["last_step_mse"])
    improves(model, x, x * np.ones(10))
    assert model.receptive_field == 1 + 2 * (1 + 2 + 4 + 8)


def test_texts_become_tokens_a_frozen_embedding_and_a_classifier(tmp_path):
    good, bad = (
        ["me gusta mucho", "qué buena película", "gusta y es buena"],
        ["no me gusta nada", "qué mala", "es mala"],
    )
    texts, labels = (good + bad) * 4, np.array([1, 1, 1, 0, 0, 0] * 4)
    tokenizer = Tokenizer(num_words=20)
    tokenizer.fit_on_texts(texts)
    data = pad_sequences(tokenizer.texts_to_sequences(texts), maxlen=5)
    matrix = np.random.default_rng(0).standard_normal((20, 6))
    model = Sequential(
        [Embedding(20, 6, weights=matrix, trainable=False, mask_zero=True), GRU(8), Dropout(0.1), Dense(1, "sigmoid")],
        seed=6,
    )
    model.compile(Adam(0.02), "binary_crossentropy", metrics=["acc"])
    best = tmp_path / "best.safetensors"
    watchers = [EarlyStopping(monitor="acc", patience=30), ModelCheckpoint(best, monitor="loss", save_best_only=True)]
    history = model.fit(data, labels, epochs=60, batch_size=8, callbacks=watchers, verbose=0)
    assert history.history["acc"][-1] == 1.0
    np.testing.assert_array_equal(model.get_weights()[0], matrix.astype(np.float32))
    assert best.exists()


def test_average_pooling_and_two_classes_of_softmax():
    x, y = reviews()
    model = Sequential(
        [Embedding(100, 16), AveragePooling1D(2), Bidirectional(GRU(8)), Dense(2, activation="softmax")], seed=7
    )
    model.compile(Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    assert model.fit(x, y, epochs=10, batch_size=16, verbose=0).history["accuracy"][-1] > 0.8
    np.testing.assert_allclose(model.predict(x).sum(axis=1), 1, rtol=1e-5)


def test_a_summary_tells_what_is_not_trained_and_how_far_an_output_sees():
    model = Sequential(
        [Input((None, 2)), Conv1D(4, 3, dilation_rate=2, trainable=False), BatchNormalization(), Dense(1)]
    )
    lines = model.summary().splitlines()
    assert lines[-3:] == [
        "49 parameters, 196 bytes of float32",  # 3 * 2 * 4 + 4, four times 4, 4 + 1
        "13 are trained, 36 are not",
        "a step of the output sees 5 steps of the input",
    ]
