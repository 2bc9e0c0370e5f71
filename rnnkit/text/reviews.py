"""Texts that are numbers already, with their classes, in one file: the form in which the IMDB reviews are handed on."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.lib import format as npy

from rnnkit_kernels.types import Array

from ..border import whole
from ..data.files import FilePath
from ..files import write_atomically
from .encoding import to_indices

__all__ = ["CodedTexts", "read_coded_reviews", "write_coded_reviews"]

CodedTexts: TypeAlias = tuple[list[Array], Array]
"""Texts as a list of arrays (words,) int32, and their classes (B,) int64."""

_LIMIT = 1 << 30  # bytes; 50,000 reviews as uint16 are 24 MB
_PARTS = "train", "test"
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_coded_reviews(
    path: FilePath, num_words: int | None = None, oov_char: int = 2, *, limit: int = _LIMIT
) -> tuple[CodedTexts, CodedTexts]:
    """Word numbers and classes of texts to learn from and to test on: `(x_train, y_train), (x_test, y_test)`.

    path       an .npz file with, for PART in `train` and `test`: PART_tokens, all texts end to end; PART_offsets, B + 1
               numbers, text k is tokens[offsets[k] : offsets[k + 1]]; PART_labels, B classes; all of them whole
               numbers. `write_coded_reviews` makes one. Arrays of other names are not read
    num_words  numbers from there up become `oov_char`; None keeps all
    oov_char   the number of unknown words; in the IMDB reviews 0 is padding, 1 the start, 2 unknown
    limit      the largest size in bytes of what is read, looked at before it is unpacked
    returns    x: B arrays (words,) int32, views of one array; y: (B,) int64
    raises     FileNotFoundError; ValueError for what is no such file: another format, missing arrays, Python objects
               (they would be unpickled, which can run any code; Keras' own imdb.npz is made so), fractions, negative
               numbers, offsets that do not fit their tokens or classes, more than `limit` bytes

    What `keras.datasets.imdb.load_data` returns, from a file that cannot run code.
    """
    if num_words is not None:
        num_words = whole("num_words", num_words, least=1)
    oov_char = whole("oov_char", oov_char, least=0)
    name = Path(path).name
    arrays = _arrays(path, [f"{part}_{what}" for part in _PARTS for what in ("tokens", "offsets", "labels")], limit)
    train, test = (_texts(name, part, arrays, num_words, oov_char) for part in _PARTS)
    return train, test


def write_coded_reviews(path: FilePath, train: Any, test: Any) -> None:
    """Writes the file that `read_coded_reviews` reads, whole or not at all.

    train, test  (x, y): texts as lists or arrays of whole numbers from 0, and one class for each
    raises       ValueError and TypeError for other contents, by part and text

    With Keras at hand, which downloads the reviews and numbers their words:

        write_coded_reviews("imdb.npz", *keras.datasets.imdb.load_data(num_words=20_000))
    """
    arrays = {}
    for part, (texts, labels) in zip(_PARTS, (train, test), strict=True):
        rows = [to_indices(f"text {k} of {part}", text) for k, text in enumerate(texts)]
        for k, row in enumerate(rows):
            if row.ndim != 1:
                raise ValueError(f"text {k} of {part} is a list of whole numbers; got shape {row.shape}")
        classes = to_indices(f"the classes of {part}", labels)
        if classes.shape != (len(rows),):
            raise ValueError(f"{part} has {len(rows)} texts and classes of shape {classes.shape}; one each is expected")
        tokens = np.concatenate([np.empty(0, np.int64), *rows])
        if tokens.max(initial=0) > np.iinfo(np.int32).max:
            raise ValueError(f"{part} has the number {tokens.max()}; at most {np.iinfo(np.int32).max} is expected")
        arrays[f"{part}_tokens"] = tokens.astype(np.uint16 if tokens.max(initial=0) < 1 << 16 else np.int32)
        arrays[f"{part}_offsets"] = np.cumsum([0, *map(len, rows)], dtype=np.int64)
        arrays[f"{part}_labels"] = classes
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]  # its stub takes the names for allow_pickle
    write_atomically(Path(path), content.getvalue())


def _texts(name: str, part: str, arrays: dict[str, Array], num_words: int | None, oov_char: int) -> CodedTexts:
    tokens, offsets, labels = (arrays[f"{part}_{what}"] for what in ("tokens", "offsets", "labels"))
    for what, array in ((f"{part}_tokens", tokens), (f"{part}_labels", labels)):
        if array.size and array.min() < 0:
            raise ValueError(f"{name}: {what} has {array.min()}; numbers from 0 up are expected")
    if tokens.size and tokens.max() > np.iinfo(np.int32).max:
        raise ValueError(f"{name}: {part}_tokens has {tokens.max()}, which is no number of a word")
    if not len(offsets) or offsets[0] != 0 or offsets[-1] != len(tokens) or (offsets[1:] < offsets[:-1]).any():
        raise ValueError(f"{name}: {part}_offsets do not cut its {len(tokens)} tokens; 0 ... {len(tokens)} is expected")
    if len(labels) != len(offsets) - 1:
        raise ValueError(f"{name}: {part} has {len(offsets) - 1} texts and {len(labels)} classes; one each is expected")
    words = tokens.astype(np.int32)
    if num_words is not None:
        words[words >= num_words] = oov_char
    return np.split(words, offsets[1:-1].astype(np.int64)) if len(labels) else [], labels.astype(np.int64)


def _arrays(path: FilePath, wanted: Sequence[str], limit: int) -> dict[str, Array]:
    name = Path(path).name
    if not os.path.isfile(path):
        os.stat(path)  # a missing file raises the system's own error
        raise ValueError(f"{name} is not a regular file; an .npz file is expected")
    try:
        with zipfile.ZipFile(path) as archive:
            members = {member.filename: member for member in archive.infolist()}
            missing = [array for array in wanted if f"{array}.npy" not in members]
            if missing:
                keras = (
                    " Keras' own imdb.npz is another file; see write_coded_reviews." if "x_train.npy" in members else ""
                )
                raise ValueError(f"{name} has no {', '.join(missing)}.{keras}")
            size = sum(members[f"{array}.npy"].file_size for array in wanted)
            if size > limit:
                raise ValueError(
                    f"{name} holds {size} bytes, more than {limit}; raise the limit (limit=) if it is right"
                )
            found = {}
            for array in wanted:
                with archive.open(members[f"{array}.npy"]) as file:
                    found[array] = _array(f"{name}: {array}", file, members[f"{array}.npy"].file_size)
            return found
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"{name} is no .npz file, or a damaged one: {error}") from None


def _array(what: str, file: IO[bytes], size: int) -> Array:
    """A vector of whole numbers. Its header is compared with the size first: memory is taken for what is there."""
    try:
        shape, _, dtype = _HEADERS[npy.read_magic(file)](file)
    except (ValueError, KeyError) as error:
        raise ValueError(f"{what} is no array in NumPy's format: {error}") from None
    if dtype.hasobject:
        raise ValueError(
            f"{what} holds Python objects, which can run code when they are read; whole numbers are expected"
        )
    if dtype.kind not in "iu" or len(shape) != 1:
        raise ValueError(f"{what} is a vector of whole numbers; got {dtype} of shape {shape}")
    if shape[0] * dtype.itemsize != size - file.tell():
        raise ValueError(f"{what} should have {shape[0]} numbers, and has {(size - file.tell()) // dtype.itemsize}")
    return np.frombuffer(file.read(), dtype)
