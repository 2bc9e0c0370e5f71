"""Columns of a delimited table, with their dates."""

from __future__ import annotations

import csv
import math
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from pathlib import Path

import numpy as np

from rnnkit_kernels.sentences import unknown
from rnnkit_kernels.types import Array

from . import dates
from .files import FilePath, broken, text_lines

__all__ = ["Delimited", "columns_at", "date_column_at", "name_and_unit", "number_columns_at"]

_SAMPLE = 100
_MISSING = {"", "na", "n/a", "nan", "null", "none"}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_UNIT = re.compile(r"(.+?)\s*[(\[]([^()\[\]]+)[)\]]")

Row = tuple[int, list[str]]


@dataclass(frozen=True)
class Delimited:
    """A file's columns by name, and its rows: each with its line, and with as many cells as the first one."""

    path: FilePath
    names: list[str]
    sample: list[Row]  # the first rows
    rest: Iterator[Row]  # those behind them, once
    comma: bool  # a comma inside a number is its decimal point

    @property
    def name(self) -> str:
        return Path(self.path).name

    @staticmethod
    def open(path: FilePath, limit: int) -> Delimited:
        lines = text_lines(path, limit)
        head = list(islice(lines, _SAMPLE))
        delimiter = _delimiter([line for _, line in head])
        rows = _rows(path, chain(head, lines), delimiter)
        first = list(islice(rows, 2))
        if not first:
            raise ValueError(f"{Path(path).name} has no rows")
        width = len(first[0][1])
        comma = delimiter != ","
        if _is_header(first, comma):
            names, first = [cell or f"column {i}" for i, cell in enumerate(first[0][1])], first[1:]
        else:
            names = [f"column {i}" for i in range(width)]
        rest = _of_width(path, chain(first, rows), width)
        sample = list(islice(rest, _SAMPLE))
        if not sample:
            raise ValueError(f"{Path(path).name} has a header and no rows")
        return Delimited(path, names, sample, rest, comma)

    def position(self, column: str | int) -> int:
        """Where a column stands, given its name, its name without the unit, or its position."""
        if isinstance(column, int):
            if not 0 <= column < len(self.names):
                raise ValueError(f"{self.name} has columns 0 to {len(self.names) - 1}; got {column}")
            return column
        short = [name_and_unit(name)[0] for name in self.names]
        for names in (self.names, short):
            if names.count(column) == 1:
                return names.index(column)
            if column in names:
                raise ValueError(f"{self.name} has {names.count(column)} columns {column!r}; give the position, from 0")
        raise unknown("column", column, self.names)


def _delimiter(lines: list[str]) -> str:
    """The separator that gives all lines the same number of cells, the largest such number.

    On a tie the comma comes last, because it may be a decimal comma.
    """
    best, most = ",", 1
    for delimiter in "\t;,":
        try:
            cells = {len(row) for row in csv.reader(lines, delimiter=delimiter) if row}
        except csv.Error:
            continue
        if cells and min(cells) > most and len(cells) == 1:
            best, most = delimiter, min(cells)
    if most == 1:  # no separator fits every line, a broken row may be among them: the first line decides
        best = max(",;\t", key=lambda delimiter: lines[0].count(delimiter)) if lines else ","
    return best


def _rows(path: FilePath, lines: Iterator[tuple[int, str]], delimiter: str) -> Iterator[Row]:
    blank, several = 0, False
    reader = csv.reader((line + "\n" for _, line in lines), delimiter=delimiter, strict=True, skipinitialspace=True)
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise broken(path, reader.line_num, f"the quotes or the length of a field are broken ({error})") from None
        if row is None:
            return
        if len(row) <= 1 and not "".join(row).strip():
            blank = blank or reader.line_num
            continue
        if several and blank and len(row) == 1:
            # Left out, it would move every later value one step back in time.
            raise broken(path, blank, "the line is blank; write NaN for a missing value")
        blank, several = 0, True
        yield reader.line_num, [cell.strip() for cell in row]


def _of_width(path: FilePath, rows: Iterator[Row], width: int) -> Iterator[Row]:
    for number, row in rows:
        if len(row) != width:
            raise broken(path, number, f"as many cells as in the first row, {width}, are expected; got {len(row)}")
        yield number, row


def _is_header(rows: list[Row], comma: bool) -> bool:
    """A first row is a header if it has a word where the second row has a number or a date, or if it is words only."""
    words = [_is_word(cell, comma) for cell in rows[0][1]]
    if len(rows) == 1 or all(words):
        return all(words)
    return any(
        word and cell.lower() not in _MISSING and not _is_word(below, comma) and below.lower() not in _MISSING
        for word, cell, below in zip(words, rows[0][1], rows[1][1], strict=False)
    )


def _is_word(cell: str, comma: bool) -> bool:
    return not _is_value(cell, comma) and dates.date_form(cell) is None


def _is_value(cell: str, comma: bool) -> bool:
    return _NUMBER.fullmatch(_pointed(cell, comma)) is not None


def _pointed(cell: str, comma: bool) -> str:
    return cell.replace(",", ".") if comma and cell.count(",") == 1 and "." not in cell else cell


def name_and_unit(header: str) -> tuple[str, str]:
    """The two parts of a header such as "T (degC)" or "T [degC]"; the unit is "" where there is none."""
    match = _UNIT.fullmatch(header)
    return (match[1], match[2]) if match else (header, "")


def date_column_at(table: Delimited, chosen: str | int | None, taken: Sequence[int]) -> int | None:
    """Where the column of dates stands: the chosen one, or the first of dates that is not `taken`; None if none is."""
    if chosen is not None:
        return table.position(chosen)
    return next((i for i in _dated(table) if i not in taken), None)


def number_columns_at(table: Delimited, date_at: int | None) -> list[int]:
    """Where the columns of numbers stand that are no dates; a running index only where there is nothing else."""
    columns = list(zip(*(row for _, row in table.sample), strict=True))
    dated = {date_at, *_dated(table)}
    numeric = [i for i, cells in enumerate(columns) if i not in dated and _numeric(cells, table.comma)]
    if not numeric:
        raise ValueError(f"{table.name} has no column of numbers; its columns are {', '.join(table.names[:20])}")
    return [i for i in numeric if not _running(columns[i])] or numeric


def columns_at(table: Delimited, places: Sequence[int], date_at: int | None) -> tuple[Array, Array | None]:
    """The columns at those places (N, D), NaN where a cell is missing, and the dates (N,); the table is read up."""
    texts: list[str] = []
    lines, values = array("q"), array("d")
    form = None if date_at is None else _form([row[date_at] for _, row in table.sample], years=True)
    for number, row in chain(table.sample, table.rest):
        lines.append(number)
        values.extend(_value(table, number, row[i]) for i in places)
        if date_at is not None:
            texts.append(_date(table, number, row[date_at], form))
    found = np.array(values).reshape(-1, len(places))
    for i, column in zip(places, found.T, strict=True):
        if np.isnan(column).all():
            raise ValueError(f"all {len(found)} values of column {table.names[i]!r} of {table.name} are missing")
    return found, _dates(table, texts, lines) if texts else None


def _dated(table: Delimited) -> list[int]:
    columns = zip(*(row for _, row in table.sample), strict=True)
    return [i for i, cells in enumerate(columns) if _form(cells, table.names[i].lower() == "year")]


def _form(cells: Sequence[str], years: bool) -> str | None:
    """The form in which most cells are dates: a single broken one is then named by its line, not taken for a word."""
    form, times = Counter(dates.date_form(cell, years) for cell in cells).most_common(1)[0]
    return form if 2 * times > len(cells) else None


def _numeric(cells: Sequence[str], comma: bool) -> bool:
    known = [cell for cell in cells if cell.lower() not in _MISSING]
    return sum(_is_value(cell, comma) for cell in known) * 2 > len(known)


def _running(cells: Sequence[str]) -> bool:
    """Whether the cells count up by one, as a running index does."""
    if len(cells) < 2 or not all(re.fullmatch(r"-?\d{1,18}", cell) for cell in cells):
        return False
    return all(int(b) - int(a) == 1 for a, b in pairwise(cells))


def _value(table: Delimited, number: int, cell: str) -> float:
    if cell.lower() in _MISSING:
        return math.nan
    value = float(_pointed(cell, table.comma)) if _is_value(cell, table.comma) else math.inf
    if math.isinf(value):
        raise broken(table.path, number, f"{cell[:40]!r} is not a finite number")
    return value


def _date(table: Delimited, number: int, cell: str, form: str | None) -> str:
    text = None if form is None else dates.iso(cell, form)
    if text is None:
        raise broken(table.path, number, f"{cell[:40]!r} is not a date" + (" like the others" if form else ""))
    return text


def _dates(table: Delimited, texts: list[str], lines: array[int]) -> Array:
    try:
        when = dates.parse(texts)
    except IndexError as error:
        at = int(error.args[0])
        raise broken(table.path, lines[at], f"there is no date {texts[at]}") from None
    if when[-1] < when[0]:
        raise ValueError(
            f"the dates of {table.name} run backwards, {when[0]} to {when[-1]}; sort the rows, oldest first"
        )
    return when
