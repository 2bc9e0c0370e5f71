"""Rows of results: what is printed, drawn and kept as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from .timing import geometric_mean

__all__ = ["BUSY", "FILE", "Group", "Row", "load", "mean_ratio", "save", "told"]

FILE = Path(__file__).resolve().parent / "results" / "results.json"

BUSY = 0.2  # cores


@dataclass(frozen=True)
class Row:
    """One line of a table.

    label, shape  what was computed
    values        by contender: seconds, the median over its blocks; MiB in the group of memory
    reference     the contender that ratios refer to
    failed        by contender: why it was not timed
    origin        the kernel that ran on rnnkit's side
    share         of the measured matrix product's speed, where it was asked for
    error         of rnnkit, relative to the tolerance
    limit         what the ratio's inverse, the cost, is held to, where there is a bound
    others        cores that other processes took meanwhile
    """

    label: str
    shape: tuple[int, ...] = ()
    values: dict[str, float] = field(default_factory=dict)
    reference: str = "PyTorch"
    failed: dict[str, str] = field(default_factory=dict)
    origin: str = ""
    share: float | None = None
    error: float | None = None
    limit: float | None = None
    others: float | None = None

    @property
    def busy(self) -> bool:
        """Whether other processes took enough of the machine to bend the ratio."""
        return self.others is not None and self.others > BUSY

    def per(self, count: int) -> Row:
        """The row of one of `count` equal parts."""
        return replace(self, values={name: value / count for name, value in self.values.items()})

    def ratio(self, contender: str = "rnnkit") -> float | None:
        """How many times faster than the reference; None where one of the two has no value."""
        if contender not in self.values or self.reference not in self.values:
            return None
        return self.values[self.reference] / self.values[contender]


@dataclass(frozen=True)
class Group:
    """The rows of one group of benchmarks, with the machine they were measured on."""

    environment: dict[str, Any]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def mean_ratio(rows: Iterable[Row], contender: str = "rnnkit") -> float:
    """The geometric mean of the ratios that are there, without the rows that other processes disturbed."""
    return geometric_mean(ratio for row in rows if not row.busy and (ratio := row.ratio(contender)) is not None)


def told(ratio: float) -> str:
    """A mean ratio in a sentence; that of no rows is no number."""
    return "of no undisturbed row" if ratio != ratio else f"{ratio:.2f}"


def save(groups: dict[str, Group], path: Path = FILE, kind: type[Row] = Row) -> None:
    """Writes the groups; those in the file that were not measured again stay. kind: of the rows in the file."""
    kept = {**load(path, kind), **groups} if path.exists() else groups
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({name: asdict(group) for name, group in kept.items()}, indent=1)
    from rnnkit.files import write_atomically  # not above: it loads NumPy, before which threads are set

    write_atomically(path, (text + "\n").encode())


def load(path: Path = FILE, kind: type[Row] = Row) -> dict[str, Group]:
    """The groups of a file, of rows of that kind. Raises FileNotFoundError where there is none."""
    data = json.loads(path.read_text(encoding="utf-8"))
    return {
        name: Group(group["environment"], tuple(_row(row, kind) for row in group["rows"]), tuple(group["notes"]))
        for name, group in data.items()
    }


def _row(entry: dict[str, Any], kind: type[Row]) -> Row:
    return kind(**entry | {"shape": tuple(entry["shape"])})
