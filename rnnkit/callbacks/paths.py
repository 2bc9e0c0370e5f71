"""Where callbacks write: file names with numbers in them, and folders that must be there before training begins."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Formatter

from rnnkit_kernels.sentences import unknown

__all__ = ["Pattern", "check_place"]

_TOO_WIDE = re.compile(r"[1-9]\d\d")  # looked at before anything is written so wide


def check_place(owner: str, path: Path) -> None:
    """Raises FileNotFoundError where the file's folder is missing, IsADirectoryError where the file is a folder."""
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"there is no folder {path.parent} for {owner} to write {path.name} into: make it first"
        )
    if path.is_dir():
        raise IsADirectoryError(f"{owner} writes a file, and {path} is a folder: add a file's name")


@dataclass(frozen=True)
class Pattern:
    """A path whose last part may have fields like {epoch:02d} or {val_loss:.2f}.

    A field is a name and, behind a colon, how its number is written, as in Python's format strings. There is nothing
    else: what reads attributes or items ({epoch.real}, {epoch[0]}), converts ({epoch!r}) or nests fields is refused,
    and a value is only ever looked up by the whole name.
    Raises ValueError for that, for a pattern that cannot be read, for a field of 100 characters or more,
    and for a field in the name of a folder.
    """

    text: str

    def __post_init__(self) -> None:
        folder, name = os.path.split(self.text)
        if any(field is not None for _, field, _ in self._parts(folder)):
            raise ValueError(f"only the name of a file may have fields, not that of its folder; got {self.text!r}")
        for _, field, how in self._parts(name):
            if field is None:
                continue
            if not field.isidentifier() or "{" in how:
                raise ValueError(f"a field of {self.text!r} is a name and a format, as in {{epoch:02d}}; got {field!r}")
            number = 1 if field in ("epoch", "batch") else 1.0
            if _TOO_WIDE.search(how):
                raise ValueError(f"the field {{{field}:{how}}} of {self.text!r} is wider than 99 characters")
            try:
                if not format(number, how).isprintable():
                    raise ValueError("it holds characters that no name of a file should have")
            except ValueError as error:
                raise ValueError(f"the field {{{field}:{how}}} of {self.text!r} cannot be written: {error}") from None

    def _parts(self, text: str) -> list[tuple[str, str | None, str]]:
        """(text, the name of the field behind it or None, its format) in order."""
        try:
            parts = list(Formatter().parse(text))
        except ValueError as error:
            raise ValueError(f"the path {self.text!r} cannot be read as a pattern: {error}") from None
        # A conversion is made part of the name, which then is none.
        return [(plain, field if not kind else f"{field}!{kind}", how or "") for plain, field, how, kind in parts]

    @property
    def fields(self) -> set[str]:
        return {field for _, field, _ in self._parts(self.text) if field is not None}

    def path(self, values: Mapping[str, float]) -> Path:
        """The path for these numbers. Raises ValueError for a field that they do not have."""
        for name in sorted(self.fields - values.keys()):
            if name.startswith("val_") and not any(known.startswith("val_") for known in values):
                raise ValueError(
                    f"the path {self.text!r} has a field {name}, and there is only {', '.join(values)}: "
                    "pass validation_data to fit"
                )
            raise unknown(f"field of the path {self.text!r},", name, values)
        return Path(
            "".join(
                plain + ("" if field is None else format(values[field], how))
                for plain, field, how in self._parts(self.text)
            )
        )

    @property
    def place(self) -> Path:
        """The path before its fields are filled, for `check_place`."""
        if not self.fields:
            return self.path({})
        folder, name = os.path.split(self.text)
        return Path("".join(plain for plain, _, _ in self._parts(folder)), name)
