"""Temperature tables: GISS stations (monthly) and Central England (daily)."""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from rnnkit_kernels.types import Array

from .files import LIMIT, FilePath, broken, text_lines
from .series import Series

__all__ = ["is_cet_by_day", "is_cet_by_month", "is_giss_header", "read_cet", "read_giss"]

_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_DAY = re.compile(r" *(\d{4})-?(\d\d)-?(\d\d) +(-?\d+\.?\d*) *")
_TITLE_LINES = 20


def read_giss(path: FilePath, *, limit: int = LIMIT) -> Series:
    """A GISTEMP station table: a year per row, its months in columns, 999.9 or asterisks where a month is missing.

    path     comma-separated, or separated by blanks as in the older files; lines above the header are titles
    limit    the largest uncompressed size in bytes
    returns  monthly means in degC from the first known month to the last, dates datetime64[M], period 12; a month in
             between that is missing, or whose whole year is, is NaN
    raises   ValueError naming file and line for a row that is not a year and its months or whose year is not later than
             the one above; ValueError for a file without such a table or whose every month is missing

    Source: data.giss.nasa.gov/gistemp/station_data.
    """
    name = Path(path).name
    at: list[int] = []
    years, values = array("q"), array("d")
    for number, line in text_lines(path, limit):
        if is_giss_header(line):
            header = [cell.upper() for cell in _cells(line)]
            at = [header.index(month) for month in _MONTHS]
        elif at and line.strip():
            cells = _cells(line)
            year = _year(path, number, cells[0])
            if years and year <= years[-1]:
                raise broken(path, number, f"the year {year} does not follow {years[-1]}")
            if len(cells) <= at[-1]:
                raise broken(path, number, f"a year and 12 months are expected; got {len(cells)} cells")
            years.append(year)
            values.extend(_celsius(path, number, cells[i]) for i in at)
        elif number >= _TITLE_LINES and not at:
            break
    if not years:
        raise ValueError(f"{name} is not a GISS table: a header YEAR, JAN, ..., DEC and rows below it are expected")
    by_year = np.full((years[-1] - years[0] + 1, 12), np.nan)
    by_year[np.array(years) - years[0]] = np.array(values).reshape(-1, 12)
    start = np.datetime64(str(years[0]), "M")
    return _series(name, by_year.ravel(), start, 12)


def read_cet(path: FilePath, *, limit: int = LIMIT) -> Series:
    """Daily mean temperatures of Central England, in either of their two forms.

    path     a day per line, `YYYYMMDD value` in degC (dashes in the date are allowed; lines that begin with # or a
             letter are skipped); or the Met Office's table: year, day of the month and 12 columns, one per month, in
             tenths of a degree. -999 (tenths) and -999 or -999.9 or -99.9 (degC) are missing
    limit    the largest uncompressed size in bytes
    returns  degC from the first known day to the last, dates datetime64[D], period 365; a day in between that is
             missing or has no line is NaN
    raises   ValueError naming file and line for any other row, a date that does not exist, a day given twice or, in the
             first form, out of order

    Source: Parker, Legg & Folland 1992, Int. J. Climatology 12; www.metoffice.gov.uk/hadobs/hadcet.
    """
    name = Path(path).name
    lines = ((number, line) for number, line in text_lines(path, limit) if not _is_remark(line))
    first = next(lines, None)
    if first is None:
        raise ValueError(f"{name} has no lines of temperatures")
    together = (line for part in ([first], lines) for line in part)
    if is_cet_by_day(first[1]):
        days, values = _by_day(path, together)
    elif is_cet_by_month(first[1]):
        days, values = _by_month(path, together)
    else:
        raise broken(path, first[0], "'YYYYMMDD value', or year, day and 12 months in tenths, is expected")
    start = days.min()
    every = np.full(int((days.max() - start).astype(int)) + 1, np.nan)
    every[(days - start).astype(int)] = values
    return _series(name, every, start, 365)


def is_giss_header(line: str) -> bool:
    cells = [cell.upper() for cell in _cells(line)]
    return cells[:1] == ["YEAR"] and all(month in cells for month in _MONTHS)


def is_cet_by_day(line: str) -> bool:
    return _DAY.fullmatch(line) is not None


def is_cet_by_month(line: str) -> bool:
    cells = line.split()
    return len(cells) == 14 and "\t" not in line and all(re.fullmatch(r"-?\d+", cell) for cell in cells)


def _by_day(path: FilePath, lines: Iterable[tuple[int, str]]) -> tuple[Array, Array]:
    days, values = array("q"), array("d")
    for number, line in lines:
        match = _DAY.fullmatch(line)
        if match is None:
            raise broken(path, number, f"'YYYYMMDD value' is expected; got {line.strip()[:40]!r}")
        _year(path, number, match[1])
        try:
            day = int(np.datetime64(f"{match[1]}-{match[2]}-{match[3]}", "D").astype(int))
        except ValueError:
            raise broken(path, number, f"there is no day {match[1]}-{match[2]}-{match[3]}") from None
        if days and day <= days[-1]:
            raise broken(path, number, f"the day {np.datetime64(day, 'D')} does not follow the one above")
        days.append(day)
        values.append(_celsius(path, number, match[4]))
    return np.array(days).astype("datetime64[D]"), np.array(values)


def _by_month(path: FilePath, lines: Iterable[tuple[int, str]]) -> tuple[Array, Array]:
    days, values = array("q"), array("d")
    seen: set[tuple[int, int]] = set()
    for number, line in lines:
        if not is_cet_by_month(line):
            raise broken(path, number, f"year, day and 12 whole numbers are expected; got {line.strip()[:40]!r}")
        cells = [int(cell) for cell in line.split()]
        year, day = _year(path, number, str(cells[0])), cells[1]
        if not 1 <= day <= 31:
            raise broken(path, number, f"a day of the month is 1 to 31; got {day}")
        if (year, day) in seen:
            raise broken(path, number, f"day {day} of {year} was given before")
        seen.add((year, day))
        for month, tenths in enumerate(cells[2:]):
            begin = np.datetime64(f"{year}-{month + 1:02}", "M")
            date = begin.astype("datetime64[D]") + (day - 1)
            if date.astype("datetime64[M]") == begin:
                days.append(int(date.astype(int)))
                values.append(math.nan if tenths == -999 else tenths / 10)
            elif tenths != -999:
                raise broken(path, number, f"there is no day {begin}-{day:02}, yet it has the value {tenths}")
    return np.array(days).astype("datetime64[D]"), np.array(values)


def _series(name: str, values: Array, start: np.datetime64, period: int) -> Series:
    known = np.flatnonzero(~np.isnan(values))
    if not len(known):
        raise ValueError(f"all {len(values)} values of {name} are missing")
    first, last = int(known[0]), int(known[-1]) + 1
    return Series(values[first:last], start + np.arange(first, last), name.split(".")[0], "degC", period)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split(",")] if "," in line else line.split()


def _is_remark(line: str) -> bool:
    text = line.strip()
    return not text or text[0] == "#" or text[0].isalpha()


def _year(path: FilePath, number: int, cell: str) -> int:
    # Four digits only: a year from a broken row would otherwise ask for a table of any size.
    if not re.fullmatch(r"[12]\d{3}", cell):
        raise broken(path, number, f"a year, 1000 to 2999, is expected first; got {cell!r}")
    return int(cell)


def _celsius(path: FilePath, number: int, cell: str) -> float:
    if cell and not cell.strip("*"):
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        raise broken(path, number, f"{cell!r} is not a temperature") from None
    if value in (999.9, -999.0, -999.9, -99.9):
        return math.nan
    if not -150 < value < 150:
        raise broken(path, number, f"{value:g} degC is not a temperature on earth")
    return value
