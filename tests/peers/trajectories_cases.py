"""Whole trainings that Keras and rnnkit are both put through, step by step, as data.

A case: the layers, the optimizer, the loss, how many epochs of batches of how many rows; x and y come from `data`.
"""

from __future__ import annotations

from math import prod

import numpy as np
from peer_values import draw

__all__ = ["CASES", "data", "start"]

SEQUENCES = {"return_sequences": True}

CASES = {
    "GRU, Adam": {
        "layers": [("GRU", {"units": 4}), ("Dense", {"units": 1})],
        "optimizer": ("Adam", {"learning_rate": 0.02}), "loss": "mse",
        "shape": (8, 6, 2), "batch_size": 8, "epochs": 8,
    },
    "stacked LSTM, RMSprop in mini-batches": {
        "layers": [("LSTM", {"units": 3} | SEQUENCES), ("LSTM", {"units": 3}), ("Dense", {"units": 1})],
        "optimizer": ("RMSprop", {"learning_rate": 0.01, "momentum": 0.5}), "loss": "mae",
        "shape": (9, 5, 2), "batch_size": 4, "epochs": 4,
    },
    "Embedding with a mask, GRU, binary crossentropy": {
        "layers": [
            ("Embedding", {"input_dim": 7, "output_dim": 3, "mask_zero": True}), ("GRU", {"units": 3}),
            ("Dense", {"units": 1, "activation": "sigmoid"}),
        ],
        "optimizer": ("Adam", {"learning_rate": 0.05}), "loss": "binary_crossentropy",
        "tokens": (8, 6), "labels": True, "batch_size": 4, "epochs": 5,
    },
    "SimpleRNN at every step, SGD with Nesterov momentum and clipping": {
        "layers": [("SimpleRNN", {"units": 4} | SEQUENCES), ("Dense", {"units": 2})],
        "optimizer": ("SGD", {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True, "clipnorm": 0.3}), "loss": "mse",
        "shape": (6, 7, 2), "outputs": (7, 2), "batch_size": 3, "epochs": 5,
    },
    "Conv1D, GRU": {
        "layers": [
            ("Conv1D", {"filters": 4, "kernel_size": 3, "padding": "causal", "strides": 2, "activation": "relu"}),
            ("GRU", {"units": 3, "activation": "swish"}), ("Dense", {"units": 1}),
        ],
        "optimizer": ("Nadam", {"learning_rate": 0.02}), "loss": "huber",
        "shape": (8, 9, 2), "batch_size": 4, "epochs": 5,
    },
    "Conv1D, pooling, Bidirectional GRU, AdamW": {
        "layers": [
            ("Conv1D", {"filters": 3, "kernel_size": 2, "activation": "tanh"}), ("MaxPooling1D", {"pool_size": 2}),
            ("Bidirectional", {"layer": ("GRU", {"units": 2})}), ("Dense", {"units": 1}),
        ],
        "optimizer": ("AdamW", {"learning_rate": 0.02, "weight_decay": 0.1, "global_clipnorm": 0.5}), "loss": "mse",
        "shape": (6, 9, 2), "batch_size": 3, "epochs": 5,
    },
    "BatchNormalization between recurrent layers": {
        "layers": [
            ("SimpleRNN", {"units": 3} | SEQUENCES), ("BatchNormalization", {"momentum": 0.8}),
            ("SimpleRNN", {"units": 3}), ("Dense", {"units": 1}),
        ],
        "optimizer": ("SGD", {"learning_rate": 0.1}), "loss": "mse",
        "shape": (8, 5, 2), "batch_size": 4, "epochs": 5,
    },
    "softmax over three classes, weights decayed and penalised": {
        "layers": [
            ("LSTM", {"units": 3, "kernel_regularizer": "l2", "recurrent_regularizer": "l1"}),
            ("Dense", {"units": 3, "activation": "softmax", "kernel_constraint": "max_norm"}),
        ],
        "optimizer": ("Adagrad", {"learning_rate": 0.2}), "loss": "sparse_categorical_crossentropy",
        "shape": (9, 4, 2), "classes": 3, "batch_size": 4, "epochs": 4,
    },
}  # fmt: skip


def data(case):
    """x and y of a case; y between -2 and 2, or labels."""
    if "tokens" in case:
        x = np.floor(3.5 + draw(case["tokens"], 11, 3.49)).astype(np.int64)  # 0 among them: padding
    else:
        x = draw(case["shape"], 11, 1.5)
    B = len(x)
    if "classes" in case:
        return x, np.floor(case["classes"] * (draw((B,), 12, 0.499) + 0.5))
    if "labels" in case:
        return x, (draw((B, 1), 12) > 0).astype(float)
    return x, draw((B, *case.get("outputs", (1,))), 12, 2.0)


def start(shapes):
    """Weights to start from, of those shapes; running statistics in the places where Keras has them begin as usual."""
    scales = [0.8 / max(shape[0], 1) ** 0.5 if len(shape) > 1 else 0.3 for shape in shapes]
    return [
        draw(shape, 100 + k, scale * (prod(shape) > 0))
        for k, (shape, scale) in enumerate(zip(shapes, scales, strict=True))
    ]
