"""The decoder fed one token at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnkit_kernels.types import Array

from ..context import Context
from ..layers.base import Layer, Params
from ..layers.streams import LayerStream
from ..losses.crossentropy import log_softmax
from .bridge import States
from .tokens import Vocabulary

__all__ = ["Steps"]


class Steps:
    """Rows of tokens side by side, from their first states; nothing is random, and there is no way back.

    one_hot  whether the decoder's first layer takes rows instead of tokens
    logits   whether its output is not yet a distribution
    """

    def __init__(
        self, layers: Sequence[Layer], params: Sequence[Params], starts: States, ctx: Context,
        vocabulary: Vocabulary, one_hot: bool, logits: bool,
    ) -> None:  # fmt: skip
        rows = len(next(iter(starts[min(starts)].values())))
        self.vocabulary, self._one_hot, self._logits = vocabulary, one_hot, logits
        self._dtype = params[min(starts)]["W"].dtype
        self._streams: list[LayerStream] = [
            layer.stream(weights, rows, ctx) for layer, weights in zip(layers, params, strict=True)
        ]
        self._places = list(starts)
        for place, state in starts.items():
            self._streams[place].state = state

    def step(self, tokens: Array, live: Array | None = None) -> Array:
        """The output (rows, V) for tokens (rows,); live (rows,) bool: False holds a row where it is."""
        x: Any = self.vocabulary.rows(tokens, self._dtype) if self._one_hot else tokens
        for stream in self._streams:
            given = stream.step(x, live)
            assert given is not None  # layers of a decoder have an output at every step
            x = given[0]
        found: Array = x
        return found

    def log_probabilities(self, tokens: Array, live: Array | None = None) -> Array:
        """log p of every token, float64 (rows, V), after those read so far. Raises FloatingPointError for NaN."""
        y = self.step(tokens, live).astype(np.float64)
        if np.isnan(y).any():
            raise FloatingPointError("an output of the decoder is not a number: its weights are too large, or x is")
        if self._logits:
            return log_softmax(y)
        with np.errstate(divide="ignore"):  # a token that is ruled out has log p = -inf
            return np.log(y / y.sum(axis=-1, keepdims=True))

    def follow(self, rows: Array) -> None:
        """Row k goes on from where row rows[k] is now."""
        for place in self._places:
            stream = self._streams[place]
            stream.state = {name: value[rows] for name, value in stream.state.items()}
