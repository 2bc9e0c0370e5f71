"""A table of plain text, at most 100 columns wide, a row as soon as it is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .results import Row

__all__ = [
    "WIDTH",
    "Column",
    "case",
    "failures",
    "head",
    "line",
    "mark",
    "microseconds",
    "milliseconds",
    "number",
    "origin",
    "ratio",
    "share",
]

WIDTH = 100


@dataclass(frozen=True)
class Column:
    """title, width, text(row); left: set flush left."""

    title: str
    width: int
    text: Callable[[Row], str]
    left: bool = False


def head(columns: Sequence[Column]) -> str:
    return _joined(columns, [column.title for column in columns])


def line(columns: Sequence[Column], row: Row) -> str:
    return _joined(columns, [column.text(row) for column in columns])


def failures(row: Row) -> list[str]:
    """A line for each contender that was not timed."""
    return [f"    {name} FAILED: {' '.join(why.split())}"[:WIDTH] for name, why in row.failed.items()]


def case(title: str = "cell", label: int = 9, shape: int = 14, sizes: str = "B,T,F,H") -> tuple[Column, Column]:
    return (
        Column(title, label, lambda row: row.label, left=True),
        Column(sizes, shape, lambda row: ",".join(map(str, row.shape)), left=True),
    )


def origin(width: int = 13) -> Column:
    return Column("kernel", width, lambda row: row.origin, left=True)


def milliseconds(contender: str, title: str = "") -> Column:
    return number(contender, title, 8, lambda row: 1e3 * row.values[contender] if contender in row.values else None, 3)


def microseconds(contender: str) -> Column:
    return number(contender, "", 8, lambda row: 1e6 * row.values[contender] if contender in row.values else None, 2)


def seconds(contender: str) -> Column:
    return number(contender, "", 8, lambda row: row.values.get(contender), 2)


def mebibytes(contender: str) -> Column:
    return number(contender, "", 8, lambda row: row.values.get(contender), 1)


def ratio(contender: str, title: str = "") -> Column:
    """How many times faster than the row's reference."""
    return number(contender, title, 6, lambda row: row.ratio(contender), 2)


def cost(contender: str, title: str) -> Column:
    """The time over that of the row's reference."""
    return number(contender, title, 6, lambda row: 1 / found if (found := row.ratio(contender)) else None, 3)


def number(contender: str, title: str, width: int, value: Callable[[Row], float | None], digits: int) -> Column:
    """Of a row, with `digits` behind the point where there is room; FAILED where the contender did."""

    def text(row: Row) -> str:
        found = value(row)
        return "FAILED" if contender in row.failed else "-" if found is None else _fitted(found, width, digits)

    return Column(title or contender, width, text)


def _fitted(value: float, width: int, digits: int) -> str:
    """With so many digits behind the point as there is room for, and never cut off."""
    texts = [f"{value:.{n}f}" for n in range(digits, -1, -1)]
    return next((text for text in texts if len(text) <= width), f"{value:.0e}")


def share() -> Column:
    return Column("peak", 5, lambda row: "" if row.share is None else f"{min(row.share, 9.99):.0%}")


def mark() -> Column:
    """A star where the machine was busy with something else."""
    return Column("", 1, lambda row: "*" if row.busy else "")


def _joined(columns: Sequence[Column], texts: Sequence[str]) -> str:
    parts = [
        f"{text[: c.width]:<{c.width}}" if c.left else f"{text[: c.width]:>{c.width}}"
        for c, text in zip(columns, texts, strict=True)
    ]
    return " ".join(parts).rstrip()
