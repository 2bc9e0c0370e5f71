"""One column of a delimited table, with its dates."""

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
from .files import LIMIT, FilePath, broken, text_lines
from .series import Series, calendar_period

__all__ = ["read_csv"]

_SAMPLE = 100
_MISSING = {"", "na", "n/a", "nan", "null", "none"}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_UNIT = re.compile(r"(.+?)\s*[(\[]([^()\[\]]+)[)\]]")

Row = tuple[int, list[str]]


def read_csv(
    path: FilePath, column: str | int | None = None, date_column: str | int | None = None, *, limit: int = LIMIT
) -> Series:
    """One column of a CSV file, plain or gzip, as a series.

    path         separated by comma, semicolon or tab (found from the first lines), with or without a header; fields may
                 be quoted. A number may have a decimal comma where the separator is not a comma
    column       the name in the header, with or without its "(unit)", or the position from 0; None takes the first
                 column of numbers that are neither dates nor a running index
    date_column  likewise; None takes the first column of dates (YYYY-MM, YYYY-MM-DD or YYYYMMDD, DD.MM.YYYY, with or
                 without a time; YYYY under the header "year"), and if there is none the series has no dates
    limit        the largest uncompressed size in bytes
    returns      values in the order of the file, NaN for an empty cell, NA, NaN, null or none; name and unit from a
                 header such as "T (degC)"; the period that the dates suggest
    raises       ValueError naming file and line for a row with too few or too many cells, a cell that is not a number
                 or not a date, broken quotes; for a column that does not exist (with the nearest name), a file without
                 numbers or without one known value, and dates that run backwards
    """
    table = _Table.open(path, limit)
    sample = list(islice(table.rows, _SAMPLE))
    if not sample:
        raise ValueError(f"{Path(path).name} has a header and no rows")
    value_at, date_at = _choose(table, sample, column, date_column)
    texts: list[str] = []
    lines, values = array("q"), array("d")
    form = None if date_at is None else _form([row[date_at] for _, row in sample], years=True)
    for number, row in chain(sample, table.rows):
        lines.append(number)
        values.append(_value(table, number, row[value_at]))
        if date_at is not None:
            texts.append(_date(table, number, row[date_at], form))
    if all(math.isnan(value) for value in values):
        raise ValueError(f"all {len(values)} values of column {table.names[value_at]!r} of {table.name} are missing")
    when = _dates(table, texts, lines) if texts else None
    match = _UNIT.fullmatch(table.names[value_at])
    name, unit = (match[1], match[2]) if match else (table.names[value_at], "")
    return Series(np.array(values), when, name, unit, None if when is None else calendar_period(when))


@dataclass(frozen=True)
class _Table:
    path: FilePath
    names: list[str]
    rows: Iterator[Row]
    comma: bool  # a comma inside a number is its decimal point

    @property
    def name(self) -> str:
        return Path(self.path).name

    @staticmethod
    def open(path: FilePath, limit: int) -> _Table:
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
        return _Table(path, names, _of_width(path, chain(first, rows), width), comma)

    def position(self, column: str | int) -> int:
        """Where a column stands, given its name, its name without the unit, or its position."""
        if isinstance(column, int):
            if not 0 <= column < len(self.names):
                raise ValueError(f"{self.name} has columns 0 to {len(self.names) - 1}; got {column}")
            return column
        short = [match[1] if (match := _UNIT.fullmatch(name)) else name for name in self.names]
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


def _choose(
    table: _Table, sample: list[Row], column: str | int | None, date_column: str | int | None
) -> tuple[int, int | None]:
    columns = list(zip(*(row for _, row in sample), strict=True))
    taken = None if column is None else table.position(column)
    dated = [i for i, cells in enumerate(columns) if i != taken and _form(cells, table.names[i].lower() == "year")]
    date_at = table.position(date_column) if date_column is not None else next(iter(dated), None)
    if taken is not None:
        return taken, date_at
    numeric = [i for i, cells in enumerate(columns) if i not in (date_at, *dated) and _numeric(cells, table.comma)]
    if not numeric:
        raise ValueError(f"{table.name} has no column of numbers; its columns are {', '.join(table.names[:20])}")
    return next((i for i in numeric if not _running(columns[i])), numeric[0]), date_at


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


def _value(table: _Table, number: int, cell: str) -> float:
    if cell.lower() in _MISSING:
        return math.nan
    value = float(_pointed(cell, table.comma)) if _is_value(cell, table.comma) else math.inf
    if math.isinf(value):
        raise broken(table.path, number, f"{cell[:40]!r} is not a finite number")
    return value


def _date(table: _Table, number: int, cell: str, form: str | None) -> str:
    text = None if form is None else dates.iso(cell, form)
    if text is None:
        raise broken(table.path, number, f"{cell[:40]!r} is not a date" + (" like the others" if form else ""))
    return text


def _dates(table: _Table, texts: list[str], lines: array[int]) -> Array:
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
