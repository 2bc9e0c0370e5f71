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
    def text(row: Row) -> str:
        if contender in row.failed:
            return "FAILED"
        return f"{1e3 * row.values[contender]:.3f}"[:8].rstrip(".") if contender in row.values else "-"

    return Column(title or f"{contender}", 8, text)


def microseconds(contender: str) -> Column:
    def text(row: Row) -> str:
        if contender in row.failed:
            return "FAILED"
        return f"{1e6 * row.values[contender]:.2f}" if contender in row.values else "-"

    return Column(contender, 8, text)


def ratio(contender: str, title: str = "") -> Column:
    """How many times faster than the row's reference."""

    def text(row: Row) -> str:
        if contender in row.failed:
            return "FAILED"
        found = row.ratio(contender)
        return "-" if found is None else f"{found:.2f}" if found < 1000 else f"{found:.0f}"

    return Column(title or contender, 6, text)


def share() -> Column:
    return Column("peak", 5, lambda row: "" if row.share is None else f"{row.share:.0%}")


def mark() -> Column:
    """A star where the machine was busy with something else."""
    return Column("", 1, lambda row: "*" if row.busy else "")


def _joined(columns: Sequence[Column], texts: Sequence[str]) -> str:
    parts = [
        f"{text[: c.width]:<{c.width}}" if c.left else f"{text[: c.width]:>{c.width}}"
        for c, text in zip(columns, texts, strict=True)
    ]
    return " ".join(parts).rstrip()
