"""Bags of words: a text as one row with a number for every word of the vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rnnkit_kernels.types import Array

from .encoding import to_indices

__all__ = ["MODES", "bag_of_words"]

MODES = ("binary", "count", "freq", "tfidf")


def bag_of_words(sequences: Any, width: int, mode: str, documents: int, index_docs: Mapping[int, int]) -> Array:
    """One row (width,) for each sequence; what stands at word j, found c times in a sequence of n words, by `mode`:

        binary   1
        count    c
        freq     c / n
        tfidf    (1 + ln c) ln(1 + N / (1 + d_j)),   N documents, d_j of them with word j

    sequences  whole numbers from 0; those from `width` up are left out, but count in n
    returns    (B, width) float64
    raises     ValueError for another mode, "tfidf" before any document was counted, negative numbers or fractions

    tfidf is Keras' and differs from that of scikit-learn, whose idf is ln((1 + N) / (1 + d)) + 1 (Manning, Raghavan &
    Schuetze 2008, section 6.4 has the family).
    """
    if mode not in MODES:
        raise ValueError(f"mode is one of {', '.join(MODES)}; got {mode!r}")
    if mode == "tfidf" and not documents:
        raise ValueError(
            "tfidf weighs words by the documents they are in, and none was counted; fit the tokenizer first"
        )
    matrix = np.zeros((len(sequences), width))
    for k, (row, sequence) in enumerate(zip(matrix, sequences, strict=True)):
        words, counts = np.unique(to_indices(f"sequence {k}", sequence), return_counts=True)
        known = words < width
        words, counts = words[known], counts[known]
        if mode == "binary":
            row[words] = 1
        elif mode == "count":
            row[words] = counts
        elif mode == "freq":
            row[words] = counts / max(len(sequence), 1)
        else:
            inside = np.array([index_docs.get(int(j), 0) for j in words], np.float64)
            row[words] = (1 + np.log(counts)) * np.log(1 + documents / (1 + inside))
    return matrix
