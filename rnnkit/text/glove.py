"""Word vectors that others have trained, in the text format of GloVe."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, overload

import numpy as np

from rnnkit_kernels.types import Array

from ..border import whole
from ..data.files import broken, text_lines
from ..progress import watched

__all__ = ["load_glove"]

_LIMIT = 8 << 30  # the largest published file, glove.840B.300d, has 5.3 GiB


@overload
def load_glove(
    path: str | os.PathLike[str],
    word_index: None = None,
    dim: int | None = None,
    num_words: None = None,
    *,
    limit: int = _LIMIT,
    verbose: Any = 0,
) -> dict[str, Array]: ...


@overload
def load_glove(
    path: str | os.PathLike[str],
    word_index: Mapping[str, int],
    dim: int | None = None,
    num_words: int | None = None,
    *,
    limit: int = _LIMIT,
    verbose: Any = 0,
) -> tuple[Array, int]: ...


def load_glove(
    path: str | os.PathLike[str],
    word_index: Mapping[str, int] | None = None,
    dim: int | None = None,
    num_words: int | None = None,
    *,
    limit: int = _LIMIT,
    verbose: Any = 0,
) -> Any:
    """The vectors of words from a GloVe file: a word and `dim` numbers to a line, with blanks between, UTF-8.

    path        a file, plain or gzip (known by content)
    word_index  word -> row, as Tokenizer.word_index; None reads every word
    dim         numbers to a word; None takes what the first line has, whose word then has no blank in it. In every
                line the last `dim` fields are the numbers and all before them is the word, blanks included (". . .")
    num_words   rows of the matrix; words with a row from there up are left out. None: the largest row + 1
    limit       the largest size of the (uncompressed) file in bytes, looked at before anything is read
    verbose     0, 1 or "auto": a progress bar
    returns     with word_index: (matrix (num_words, dim) float32, how many words of it were found); the rows of words
                not found are zeros. Without: a dict word -> (dim,) float32
    raises      ValueError by line number for a line with too few or too many numbers, no word, no number where one is
                expected, NaN or infinity, and for files that are no text, as `rnnkit.data` does; FileNotFoundError
    source      Pennington, Socher & Manning 2014, the files at nlp.stanford.edu/projects/glove

    With a word_index memory is taken for its words only, and of the other lines only the number of fields is looked at.
    A word that comes twice has its last vector. The matrix is what a frozen embedding starts from:

        matrix, found = load_glove("glove.6B.100d.txt", tokenizer.word_index, num_words=10_000)
        Embedding(10_000, 100, weights=matrix, trainable=False)
    """
    if dim is not None:
        dim = whole("dim", dim, least=1)
    if word_index is None:
        if num_words is not None:
            raise ValueError(
                "num_words counts the rows of a matrix, and there is one only with a word_index; pass both"
            )
        return dict(_vectors(path, None, dim, limit, verbose))
    rows = _rows(word_index, num_words)
    wanted = {word: row for word, row in word_index.items() if row < rows}
    matrix: Array = np.empty((0, 0), np.float32)
    found = set()
    for word, vector in _vectors(path, wanted, dim, limit, verbose):
        if not matrix.size:
            matrix = np.zeros((rows, len(vector)), np.float32)
        if word in wanted:
            matrix[wanted[word]] = vector
            found.add(word)
    return matrix, len(found)


def _rows(word_index: Any, num_words: int | None) -> int:
    if not isinstance(word_index, Mapping):
        raise TypeError(f"word_index is a dict word -> row, as Tokenizer.word_index; got {type(word_index).__name__}")
    for word, row in word_index.items():
        whole(f"the row of {word!r}", row, least=0)
    if num_words is not None:
        return whole("num_words", num_words, least=1)
    if not word_index:
        raise ValueError("word_index is empty: fit the tokenizer first, or pass num_words")
    return max(word_index.values()) + 1


def _vectors(
    path: Any, wanted: Mapping[str, int] | None, dim: int | None, limit: int, verbose: Any
) -> Iterator[tuple[str, Array]]:
    """Yields (word, vector) for the first line, which gives the size, and for every wanted one."""
    for number, line in watched(text_lines(path, limit), None, "GloVe", verbose):
        fields = line.rstrip(" ").split(" ") if dim is None else line.rstrip(" ").rsplit(" ", dim)
        if dim is None:
            if len(fields) == 2 and all(field.isdigit() for field in fields):
                raise broken(path, 1, f"{line!r} is the head of a word2vec file, not a word; take the line out")
            dim = len(fields) - 1
            if dim < 1:
                raise broken(path, 1, "expected a word and its numbers, with blanks between; found no blank")
        if len(fields) != dim + 1:
            raise broken(path, number, f"expected a word and {dim} numbers; found {len(fields)} fields")
        word = fields[0]
        if word.strip(" ") != word:
            raise broken(path, number, f"there is a blank too many beside the word {word.strip(' ')!r}")
        if not word:
            raise broken(path, number, "the line begins with a blank: the word is missing")
        if " " in word and _is_number(word.rsplit(" ", 1)[1]):
            raise broken(path, number, f"more than {dim} numbers follow the word")
        if number == 1 or wanted is None or word in wanted:
            yield word, _vector(path, number, fields[1:])


def _vector(path: Any, number: int, fields: list[str]) -> Array:
    try:
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused as that
            vector = np.array([float(field) for field in fields], np.float32)
    except ValueError:
        wrong = next(field for field in fields if not _is_number(field))
        raise broken(
            path, number, f"{wrong!r} is not a number; expected {len(fields)} of them after the word"
        ) from None
    if not np.isfinite(vector).all():
        wrong = fields[int(np.flatnonzero(~np.isfinite(vector))[0])]
        raise broken(path, number, f"{wrong!r} is no finite number in float32")
    return vector


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
