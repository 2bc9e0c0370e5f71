"""A rnnkit model as the same model in Keras: the names and the order of weights are Keras' own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .keras3 import keras

__all__ = ["trainer"]

_ARGUMENTS = {
    "GRU": ("units", "activation", "return_sequences"),
    "LSTM": ("units", "activation", "return_sequences"),
    "Conv1D": ("filters", "kernel_size", "padding", "activation"),
    "Dense": ("units", "activation"),
    "Dropout": ("rate",),
    "Embedding": ("input_dim", "output_dim"),
}


def trainer(
    model: Any, x: Any, y: Any, loss: str, epsilon: float
) -> tuple[Callable[[], float], Callable[[int, bool], float]]:
    """The training step of one batch, and an epoch of batches of a size, shuffled or not; both return the loss."""
    twin = keras.Sequential([_layer(layer) for layer in model.layers])
    twin.compile(optimizer=keras.optimizers.Adam(1e-3, epsilon=epsilon), loss=loss)
    twin.build((None, *x.shape[1:]))
    twin.set_weights(model.get_weights())

    def epoch(size: int, shuffle: bool) -> float:
        return float(twin.fit(x, y, batch_size=size, epochs=1, shuffle=shuffle, verbose=0).history["loss"][0])

    return lambda: float(twin.train_on_batch(x, y)), epoch


def _layer(layer: Any) -> Any:
    kind = type(layer).__name__
    if kind == "Bidirectional":
        return keras.layers.Bidirectional(_layer(layer.layer))
    return getattr(keras.layers, kind)(**{name: getattr(layer, name) for name in _ARGUMENTS[kind]})
