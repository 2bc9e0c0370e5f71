"""Dates as tables write them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from rnnkit_kernels.types import Array

__all__ = ["date_form", "iso", "parse"]

_TIME = r"(?:[ T]+(?P<clock>\d\d?:\d\d(?::\d\d)?)(?:\.\d+)?Z?)?"
_FORMS = {
    "month": re.compile(r"(?P<y>\d{4})[-/](?P<m>\d\d?)"),
    "day": re.compile(r"(?P<y>\d{4})(?P<sep>[-/.])(?P<m>\d\d?)(?P=sep)(?P<d>\d\d?)" + _TIME),
    "digits": re.compile(r"(?P<y>[12]\d{3})(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|3[01])"),
    "dotted": re.compile(r"(?P<d>\d\d?)\.(?P<m>\d\d?)\.(?P<y>\d{4})" + _TIME),
    "year": re.compile(r"(?P<y>[12]\d{3})"),
}


def date_form(text: str, years: bool = False) -> str | None:
    """The form in which `text` is a date, or None.

    "month" YYYY-MM; "day" YYYY-MM-DD, with or without a time; "digits" YYYYMMDD; "dotted" DD.MM.YYYY, with or without a
    time; "year" YYYY only where `years` allows it, since any number may look like one. Slashes may stand for dashes.
    Orders such as 03/04/2020 that differ between countries are not dates here.
    """
    return next((form for form in _FORMS if (form != "year" or years) and _FORMS[form].fullmatch(text)), None)


def iso(text: str, form: str) -> str | None:
    """`text` of the given form in ISO 8601 as NumPy reads it, or None if it has another form."""
    match = _FORMS[form].fullmatch(text)
    if match is None:
        return None
    parts = match.groupdict()
    date = "-".join(f"{int(parts[key]):0{width}}" for key, width in (("y", 4), ("m", 2), ("d", 2)) if parts.get(key))
    clock = parts.get("clock")
    return f"{date}T{clock.rjust(8 if clock.count(':') == 2 else 5, '0')}" if clock else date


def parse(texts: Sequence[str]) -> Array:
    """ISO texts as datetime64 in the coarsest unit that holds them all.

    raises   IndexError whose argument is the position of the first text that is no date ("2009-02-30")
    """
    try:
        return np.array(texts, "datetime64")
    except ValueError:
        raise IndexError(next(i for i, text in enumerate(texts) if not _is_real(text))) from None


def _is_real(text: str) -> bool:
    try:
        np.datetime64(text)
    except ValueError:
        return False
    return True
