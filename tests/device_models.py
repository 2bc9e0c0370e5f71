"""Small models of every kind with data for them, in main memory or on the double of a device."""

from __future__ import annotations

from typing import Any

import numpy as np

import rnnkit
from rnnkit import Sequential, layers
from tests.kernels.device_backend import ON_A_DEVICE

__all__ = ["LABELS", "MODELS", "STEPS", "TOKENS", "L", "X", "Y", "assert_close", "model_of"]

L = layers
RNG = np.random.default_rng(0)
X = RNG.standard_normal((24, 6, 2)).astype("f")
Y = X.sum(axis=(1, 2))[:, None]
STEPS = np.cumsum(X, axis=1)[..., :1]
TOKENS = RNG.integers(0, 7, (24, 6))
LABELS = RNG.integers(0, 3, (24, 1))

CELLS = [
    L.SimpleRNN, L.LSTM, L.GRU, L.PeepholeLSTM, L.LayerNormSimpleRNN, L.LayerNormLSTM, L.LayerNormGRU,
]  # fmt: skip
MODELS: dict[str, Any] = {cell.__name__: lambda cell=cell: ([cell(4), L.Dense(1)], X, Y) for cell in CELLS}
MODELS |= {
    "own cell": lambda: ([L.RNN(rnnkit.cells.MGU(), 4), L.Dense(1)], X, Y),
    "convolution": lambda: (
        [L.Conv1D(4, 3, padding="causal", activation="relu"), L.BatchNormalization(), L.MaxPooling1D(2), L.Flatten(),
         L.Dropout(0.2), L.Dense(1)], X, Y,
    ),
    "wavenet": lambda: ([L.WaveNet(3, (1, 2)), L.Dense(1)], X, STEPS),
    "tokens": lambda: (
        [L.Embedding(7, 3, mask_zero=True), L.Bidirectional(L.GRU(3, recurrent_dropout=0.2)), L.Dense(3, "softmax")],
        TOKENS, LABELS,
    ),
    "penalties": lambda: (
        [L.LSTM(3, kernel_regularizer="l2", recurrent_constraint="max_norm", stateful=True, return_sequences=True),
         L.TimeDistributed(L.Dense(1))], X, STEPS,
    ),
}  # fmt: skip


def model_of(name: str, device: bool, **compiled: Any) -> tuple[Any, Any, Any]:
    stack, x, y = MODELS[name]()
    model: Any = Sequential(stack, backend="numpy", seed=3)
    if device:
        model.backend = ON_A_DEVICE
    loss = "sparse_categorical_crossentropy" if name == "tokens" else "mse"
    metrics = ["accuracy"] if name == "tokens" else ["mae", "r2_score"]
    model.compile(**({"optimizer": "adam", "loss": loss, "metrics": metrics} | compiled))
    return model, x, y


def assert_close(found: Any, wanted: Any) -> None:
    """Sums of an epoch are the same in another order: off by as many roundings as there are numbers."""
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-12)
