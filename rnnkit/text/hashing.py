"""Words to numbers without a vocabulary: by a hash, so that two words may share a number."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

from ..border import whole
from .words import FILTERS, Analyzer, analysed

__all__ = ["hashing_trick", "one_hot"]


def hashing_trick(
    text: str,
    n: int,
    hash_function: str | Callable[[Any], int] = "md5",
    filters: str = FILTERS,
    lower: bool = True,
    split: str = " ",
    analyzer: Analyzer | None = None,
) -> list[int]:
    """The words of a text as numbers from 1 to n - 1: hash(word) mod (n - 1) + 1.

    text           a str, cut into words as `text_to_word_sequence` does, or by `analyzer`
    n              size of the space, from 2 up; 0 stays free, for padding
    hash_function  "md5" (of the word in UTF-8), or a function from a word to a whole number
    returns        one number for each word; different words may get the same one (Weinberger et al. 2009)
    raises         TypeError for a text or a hash that is neither, ValueError for n below 2

    Keras' default is Python's own `hash`, which gives other numbers in every run, so that a saved model would read
    noise; here the default is md5, the same everywhere. For Keras' behaviour pass `hash_function=hash`.
    """
    n = whole("n", n, least=2)
    number = _hash(hash_function)
    return [number(word) % (n - 1) + 1 for word in analysed(text, filters, lower, split, analyzer)]


def one_hot(
    input_text: str,
    n: int,
    filters: str = FILTERS,
    lower: bool = True,
    split: str = " ",
    analyzer: Analyzer | None = None,
    hash_function: str | Callable[[Any], int] = "md5",
) -> list[int]:
    """Keras' name for `hashing_trick`: the place of the one in each word's one-hot vector of length n.

    The arguments, what is returned and what is refused are those of `hashing_trick`. The vectors themselves are
    `one_hot_sequences([one_hot(text, n)], vocabulary=n)`.
    """
    return hashing_trick(input_text, n, hash_function, filters, lower, split, analyzer)


def _hash(given: Any) -> Callable[[Hashable], int]:
    if given == "md5":
        return _md5
    if not callable(given):
        raise TypeError(f"hash_function is 'md5' or a function from a word to a whole number; got {given!r}")

    def checked(word: Hashable) -> int:
        number = given(word)
        if isinstance(number, bool) or not isinstance(number, int | np.integer):
            raise TypeError(f"hash_function gives a whole number; got {number!r} for {word!r}")
        return int(number)

    return checked


def _md5(word: Hashable) -> int:
    return int(hashlib.md5(str(word).encode(errors="surrogatepass"), usedforsecurity=False).hexdigest(), 16)
