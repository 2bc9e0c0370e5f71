"""Whole numbers as vectors with a single one in them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from rnnkit_kernels.types import Array

from ..border import to_array, whole

__all__ = ["one_hot_sequences", "to_categorical", "to_indices"]


def to_categorical(y: ArrayLike, num_classes: int | None = None) -> Array:
    """Classes as one-hot vectors, for the loss "categorical_crossentropy".

    y            whole numbers from 0, any shape S; a last axis of length 1 is dropped, (B, 1) is taken as (B,)
    num_classes  C; None takes the largest class + 1
    returns      (*S, C) float64
    raises       ValueError for fractions, negative numbers, classes from `num_classes` up, an empty y without
                 num_classes; TypeError for what is not numbers

    The numbers are those of keras.utils.to_categorical, which counts negative classes from the end and cuts fractions
    off where this function refuses.
    """
    single = np.isscalar(y) or getattr(y, "shape", None) == ()
    classes = to_indices("y", [y] if single else y)
    shape = () if single else classes.shape
    if len(shape) > 1 and shape[-1] == 1:
        shape = shape[:-1]
    if num_classes is not None:
        num_classes = whole("num_classes", num_classes, least=1)
    elif not classes.size:
        raise ValueError(f"y is empty, shape {shape}; pass num_classes")
    else:
        num_classes = int(classes.max()) + 1
    _check_below("y", classes, "num_classes", num_classes)
    categorical = np.zeros((classes.size, num_classes))
    categorical[np.arange(classes.size), classes.ravel()] = 1
    return categorical.reshape(*shape, num_classes)


def one_hot_sequences(
    sequences: Iterable[ArrayLike],
    max_length: int | None = None,
    vocabulary: int | None = None,
    dtype: DTypeLike = "float32",
) -> Array:
    """Every word of every sequence as a one-hot vector: the first `max_length` words, then rows of zeros.

    sequences   whole numbers from 0, B lists of any length, as Tokenizer.texts_to_sequences or `one_hot` gives them
    max_length  T, words kept of a sequence; None takes the longest. What comes after is left out
    vocabulary  V, length of a vector; None takes the largest number + 1
    returns     (B, T, V)
    raises      ValueError for negative numbers, fractions, numbers from `vocabulary` up; no sequences without
                max_length or no words without a vocabulary

    The size is B T V numbers: 1000 texts of 100 words over 10,000 words are 4 GB in float32. `layers.Embedding` reads
    the indices themselves and needs none of it.
    """
    rows = [to_indices(f"sequence {k}", sequence) for k, sequence in enumerate(sequences)]
    for k, row in enumerate(rows):
        if row.ndim != 1:
            raise ValueError(f"sequence {k} is a list of whole numbers; got shape {row.shape}")
    if max_length is not None:
        max_length = whole("max_length", max_length, least=1)
    elif not rows:
        raise ValueError("there are no sequences to take the length from; pass max_length")
    else:
        max_length = max(len(row) for row in rows)
    rows = [row[:max_length] for row in rows]
    words = np.concatenate([np.empty(0, np.int64), *rows])
    if vocabulary is not None:
        vocabulary = whole("vocabulary", vocabulary, least=1)
    elif not words.size:
        raise ValueError("no sequence has a word to take the vocabulary from; pass vocabulary")
    else:
        vocabulary = int(words.max()) + 1
    for k, row in enumerate(rows):
        _check_below(f"sequence {k}", row, "vocabulary", vocabulary)
    vectors = np.zeros((len(rows), max_length, vocabulary), dtype)
    lengths = [len(row) for row in rows]
    place = np.concatenate([np.arange(0), *(np.arange(length) for length in lengths)])
    vectors[np.repeat(np.arange(len(rows)), lengths), place, words] = 1
    return vectors


def to_indices(name: str, given: Any) -> Array:
    """`given` as int64 from 0 up. Raises ValueError or TypeError, as `border.to_array`, and for negative numbers."""
    if hasattr(given, "__len__") and getattr(given, "shape", None) != () and not len(given):
        return np.zeros(np.shape(given), np.int64)
    indices = to_array(name, given, np.int64)
    if (indices < 0).any():
        raise ValueError(f"{name} has {indices.min()}; indices count from 0 up")
    return indices


def _check_below(name: str, indices: Array, limit_name: str, limit: int) -> None:
    if indices.size and indices.max() >= limit:
        raise ValueError(f"{name} has {indices.max()}; with {limit_name}={limit} indices go from 0 to {limit - 1}")
