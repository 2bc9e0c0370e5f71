"""The history of a run as a table on disk, while it runs."""

from __future__ import annotations

import csv
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ..ranges import flag
from .base import Callback, Logs
from .paths import check_place

__all__ = ["CSVLogger"]


class CSVLogger(Callback):
    """Writes a row for each epoch: its number, counted from 0, and the logs, by name; flushed epoch by epoch.

    filename   the file; it is begun anew with each `fit`
    separator  one character between the columns
    append     whether rows are added to what the file has, under its header

    The columns are "epoch" and the names of the first epoch's logs in alphabetical order; without validation each also
    with "val_" in front. A number is written with all its digits, a missing one as NA, a list as "[a, b]".
    Raises ValueError for another separator, and where rows would be added under a header of other columns (Keras adds
    them); FileNotFoundError at the beginning of training for a folder that is not there.
    Source: Keras 3, `keras/src/callbacks/csv_logger.py`; its files are the same, byte for byte.
    """

    def __init__(self, filename: str | PathLike[str], separator: str = ",", append: bool = False) -> None:
        if not isinstance(separator, str) or len(separator) != 1 or separator in '"\r\n':
            raise ValueError(f"separator is one character, and neither a quote nor a line's end; got {separator!r}")
        self.filename = Path(filename)
        self.separator, self.append = separator, flag("append", append)
        self._columns: list[str] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        check_place("CSVLogger", self.filename)
        self.filename = self.filename.absolute()
        self._columns = None
        with open(self.filename, "a" if self.append else "w", encoding="utf-8"):
            pass  # what cannot be written to is told before the first epoch

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        header = self._columns is None and self._begin(logs)
        row: list[Any] = [epoch, *(_cell(logs.get(name, "NA")) for name in self._columns or ())]
        # Opened for each row: a run that breaks off leaves no open file and loses no row.
        with open(self.filename, "a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter=self.separator)
            writer.writerows([["epoch", *(self._columns or ())], row] if header else [row])

    def _begin(self, logs: Logs) -> bool:
        """Settles the columns; whether they are still to be written."""
        names = sorted(logs)
        if not any(name.startswith("val_") for name in names):
            names += [f"val_{name}" for name in names]
        self._columns = names
        if not self.append:
            return True
        with open(self.filename, encoding="utf-8", newline="") as file:
            there = next(csv.reader(file, delimiter=self.separator), None)
        if there is not None and there != ["epoch", *names]:
            raise ValueError(
                f"{self.filename} has the columns {', '.join(there)}, and this training has epoch, {', '.join(names)}: "
                "give another file, or append=False"
            )
        return there is None


def _cell(value: Any) -> Any:
    return f'"[{", ".join(map(str, value))}]"' if np.ndim(value) else value
