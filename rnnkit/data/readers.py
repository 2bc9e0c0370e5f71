"""A file of measurements, whatever its format."""

from __future__ import annotations

from itertools import islice

from .climate import is_cet_by_day, is_cet_by_month, is_giss_header, read_cet, read_giss
from .csv_files import read_csv
from .files import LIMIT, FilePath, text_lines
from .series import Series

__all__ = ["read_series"]

_LINES = 20


def read_series(path: FilePath, column: str | int | None = None, *, limit: int = LIMIT) -> Series:
    """A series from a GISS station table, a Central England table or a CSV file, known by what the first lines hold.

    path     plain or gzip; nothing depends on the name
    column   of a CSV file, see read_csv; the other two hold one series only
    limit    the largest uncompressed size in bytes
    returns  what read_giss, read_cet or read_csv returns
    raises   ValueError as they do, and for a `column` where there is nothing to choose
    """
    head = [line for _, line in islice(text_lines(path, limit), _LINES) if line.strip()]
    known = None
    if any(is_giss_header(line) for line in head):
        known = read_giss
    elif any(is_cet_by_day(line) or is_cet_by_month(line) for line in head):
        known = read_cet
    if known is None:
        return read_csv(path, column, limit=limit)
    if column is not None:
        raise ValueError(f"a station or Central England table holds one series; leave column out (got {column!r})")
    return known(path, limit=limit)
