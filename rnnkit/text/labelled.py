"""Texts with their classes, from a table with tabs between its columns."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rnnkit_kernels.sentences import unknown
from rnnkit_kernels.types import Array

from ..data.files import LIMIT, FilePath, broken, text_lines

__all__ = ["read_labelled_texts"]


def read_labelled_texts(
    path: FilePath,
    text: str = "text",
    label: str = "label",
    where: Mapping[str, str] | None = None,
    *,
    limit: int = LIMIT,
) -> tuple[list[str], Array]:
    """The texts of a table and their classes.

    path     a UTF-8 file, plain or gzip, a text a line, with tabs between the columns and a header. Quotes are
             characters as others: texts are full of them
    text     the column of the texts;  label: that of the classes, whole numbers from 0
    where    column -> the one value that is wanted there, such as {"split": "train"}; None takes every line
    limit    the largest uncompressed size in bytes
    returns  B texts, and their classes (B,) int64, in the order of the file
    raises   ValueError by line for more or fewer cells than the header has and for a class that is no whole number;
             for columns that the header does not have, no line that is wanted, and files that are no text, as
             `rnnkit.data` does
    """
    lines = text_lines(path, limit)
    _, head = next(lines)
    columns = head.split("\t")
    wanted = dict(where or {})
    for name in (text, label, *wanted):
        if name not in columns:
            raise unknown("column", name, columns)
    texts, classes = [], []
    for number, line in lines:
        cells = line.split("\t")
        if len(cells) != len(columns):
            raise broken(path, number, f"{len(columns)} cells are expected, as in the header; got {len(cells)}")
        row = dict(zip(columns, cells, strict=True))
        if any(row[name] != value for name, value in wanted.items()):
            continue
        if not (row[label].isascii() and row[label].isdigit()):
            raise broken(path, number, f"a class is a whole number from 0; got {row[label][:40]!r}")
        texts.append(row[text])
        classes.append(int(row[label]))
    if not texts:
        asked = " and ".join(f"{name} = {value!r}" for name, value in wanted.items())
        raise broken(path, 1, f"no line follows{' with ' + asked if asked else ''}")
    return texts, np.array(classes, np.int64)
