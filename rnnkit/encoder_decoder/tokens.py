"""What is written: targets at the border, and tokens as the decoder reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnkit_kernels.devices import is_here
from rnnkit_kernels.types import Array

from ..border import to_array
from ..ragged import as_list, is_ragged

__all__ = ["Vocabulary"]


@dataclass(frozen=True)
class Vocabulary:
    """The tokens that a decoder writes, 0 to size - 1, and those with a meaning.

    size   how many the decoder's last layer tells apart;  known: how many its first layer can read
    start  what is read before the first token is written: below `known`, and never written where it is `size` or more
    end    what is written after the last token, None where all outputs have one length
    pad    what fills a target up behind its end, and is no token to learn: any whole number; None where there is none
    Raises TypeError and ValueError for tokens that are none.
    """

    size: int
    known: int
    start: int
    end: int | None
    pad: int | None

    def __post_init__(self) -> None:
        for name, token in (("start", self.start), ("end", self.end), ("pad", self.pad)):
            if token is None and name != "start":
                continue
            if isinstance(token, bool) or not isinstance(token, (int, np.integer)):
                raise TypeError(f"{name} is a token, a whole number; got {token!r}")
            object.__setattr__(self, name, int(token))
        if self.known < self.size:
            raise ValueError(
                f"the decoder writes {self.size} tokens, the units of its last layer, and reads {self.known}, the "
                f"input_dim of its Embedding: what it writes it reads next, so input_dim is {self.size} or more"
            )
        if not 0 <= self.start < self.known:
            raise ValueError(f"start is a token that the decoder reads, 0 to {self.known - 1}; got {self.start}")
        if self.end is not None and not 0 <= self.end < self.size:
            raise ValueError(f"end is a token that the decoder writes, 0 to {self.size - 1}; got {self.end}")
        if self.pad is not None and self.pad in (self.start, self.end):
            which = "start" if self.pad == self.start else "end"
            raise ValueError(f"pad and {which} are both {self.pad}: padding is no token, give it a number of its own")

    @property
    def filler(self) -> int:
        """What stands behind the end of a row that was written."""
        return self.pad if self.pad is not None else 0 if self.end is None else self.end

    def padded(self, y: Any) -> Any:
        """A list of rows of different length as one array, filled up with `pad`; all else as it is."""
        y = as_list(y)
        if not is_ragged(y, 2):
            return y
        if self.pad is None:
            raise ValueError("the rows of y differ in length, and the model knows no padding: give it pad=")
        whole = np.full((len(y), max(map(len, y))), self.pad, np.int64)
        for row, tokens in zip(whole, y, strict=True):
            row[: len(tokens)] = to_array("y", tokens, np.int64) if len(tokens) else []
        return whole

    def targets(self, y: Any) -> tuple[Array, Array | None]:
        """y as tokens (B, T), int64, and where they are real, None where all are.

        Raises TypeError and ValueError, naming the place, for what is no target of this vocabulary. What lies on a
        device has been looked at before it went there, and may be real everywhere beside a mask.
        """
        if not is_here(y):
            there = y.astype(np.int64)
            return there, None if self.pad is None else there != self.pad
        tokens = to_array("y", y, np.int64)
        if tokens.ndim != 2 or tokens.shape[1] == 0:
            raise ValueError(f"y is tokens (samples, steps), a whole number at each step; got shape {tokens.shape}")
        real = np.ones(tokens.shape, bool) if self.pad is None else tokens != self.pad
        wrong = real & ((tokens < 0) | (tokens >= self.size))
        if wrong.any():
            row, step = np.argwhere(wrong)[0]
            raise ValueError(
                f"y has the token {tokens[row, step]} at sample {row}, step {step}; the decoder writes 0 to "
                f"{self.size - 1}, the units of its last layer"
            )
        inner = real[:, 1:] & ~real[:, :-1]
        if inner.any():
            row, step = np.argwhere(inner)[0]
            raise ValueError(
                f"y has padding ({self.pad}) before a token at sample {row}, step {step + 1}: targets are padded at "
                "their end, as pad_sequences(..., padding='post') does"
            )
        return tokens, None if real.all() else real

    def shifted(self, tokens: Array, mask: Array | None) -> Array:
        """What the decoder reads with the truth at hand: at each step the token before, `start` at the first."""
        read = np.full_like(tokens, self.start)
        read[:, 1:] = tokens[:, :-1]
        return read if mask is None else np.where(mask, read, self.start)

    def rows(self, tokens: Array, dtype: Any) -> Array:
        """One-hot rows (..., known), for a decoder without an Embedding."""
        return np.equal(tokens[..., None], np.arange(self.known, like=tokens)).astype(dtype)
