"""Small encoder-decoders and the data that go with them."""

from typing import Any

import numpy as np

from rnnkit import EncoderDecoder
from rnnkit.layers import GRU, LSTM, Dense, Embedding, Layer, SimpleRNN

START, END, PAD = 1, 2, 0
TOKENS, UNITS = 5, 4
KINDS: dict[str, type[Any]] = {"LSTM": LSTM, "GRU": GRU, "SimpleRNN": SimpleRNN}

SOURCES = np.array([[3, 4, 3, 0], [4, 3, 4, 4], [3, 0, 0, 0]])
TARGETS = np.array([[4, 3, 2, 0], [3, 3, 4, 2], [2, 0, 0, 0]])
SOURCE_MASK = SOURCES != PAD


def decoder(kind: type[Any] = GRU, units: int = UNITS, depth: int = 1, embedded: bool = True) -> list[Layer]:
    first: list[Layer] = [Embedding(TOKENS, 2)] if embedded else []
    return [*first, *(kind(units, return_sequences=True) for _ in range(depth)), Dense(TOKENS, "softmax")]


def encoder(kind: type[Any] = GRU, units: int = UNITS, depth: int = 1) -> list[Layer]:
    before = [kind(units, return_sequences=True) for _ in range(depth - 1)]
    return [Embedding(TOKENS, 2), *before, kind(units)]


def model(kind: type[Any] = GRU, depth: int = 1, **options: Any) -> EncoderDecoder:
    """An encoder-decoder of a kind and depth, built and compiled, with weights large enough to tell tokens apart."""
    options = {"dtype": "float64", "seed": 3, "backend": "numpy"} | options
    made = EncoderDecoder(encoder(kind, depth=depth), decoder(kind, depth=depth), **options)
    made.build((None, None))
    made.compile("adam")
    return scaled(made)


def scaled(made: EncoderDecoder, factor: float = 3.0) -> EncoderDecoder:
    made.set_weights([factor * w for w in made.get_weights()])
    return made
