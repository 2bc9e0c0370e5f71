"""CSV files: one column as a series, several as a table."""

from __future__ import annotations

from collections.abc import Sequence

from .delimited import Delimited, columns_at, date_column_at, name_and_unit, number_columns_at
from .files import LIMIT, FilePath
from .series import Series, calendar_period
from .table import Table

__all__ = ["read_csv", "read_table"]


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
    table = Delimited.open(path, limit)
    taken = [] if column is None else [table.position(column)]
    date_at = date_column_at(table, date_column, taken)
    at = (taken or number_columns_at(table, date_at))[0]
    values, when = columns_at(table, [at], date_at)
    name, unit = name_and_unit(table.names[at])
    return Series(values[:, 0], when, name, unit, None if when is None else calendar_period(when))


def read_table(
    path: FilePath,
    columns: Sequence[str | int] | None = None,
    date_column: str | int | None = None,
    *,
    limit: int = LIMIT,
) -> Table:
    """Several columns of a CSV file, plain or gzip, in one pass.

    path         as for `read_csv`
    columns      names in the header, with or without their "(unit)", or positions from 0, in the order wanted; None
                 takes every column of numbers that are neither dates nor a running index, in the order of the file
    date_column  likewise; None takes the first column of dates, and if there is none the table has no dates
    limit        the largest uncompressed size in bytes
    returns      rows in the order of the file; names and units from headers such as "T (degC)"; the period that the
                 dates suggest
    raises       ValueError naming file and line as `read_csv` does; for no columns, and for one asked for twice
    """
    if isinstance(columns, str):
        raise TypeError(f"columns is a list of names or positions; got {columns!r}: write [{columns!r}]")
    table = Delimited.open(path, limit)
    taken = None if columns is None else [table.position(column) for column in columns]
    date_at = date_column_at(table, date_column, taken or [])
    places = number_columns_at(table, date_at) if taken is None else taken
    if not places:
        raise ValueError("columns is empty; name at least one, or leave it out for every column of numbers")
    if len(set(places)) < len(places):
        raise ValueError(f"columns {list(columns or ())} name one column twice")
    values, when = columns_at(table, places, date_at)
    parts = [name_and_unit(table.names[i]) for i in places]
    if len({name for name, _ in parts}) < len(parts):  # "wv (m/s)" and "wv (km/h)": whole headers differ
        parts = [(table.names[i], unit) for i, (_, unit) in zip(places, parts, strict=True)]
    names, units = zip(*parts, strict=True)
    return Table(values, when, names, units, None if when is None else calendar_period(when))
