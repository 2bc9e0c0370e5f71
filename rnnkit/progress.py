"""Progress on long work: tqdm on standard error, silent where nobody watches."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

__all__ = ["level", "say", "watched"]

T = TypeVar("T")


def level(verbose: Any) -> int:
    """0, 1 or 2 for what the user gave; "auto" is 1 on a terminal and in a notebook, else 0."""
    if verbose == "auto":
        return int(sys.stderr.isatty() or "ipykernel" in sys.modules)
    if verbose not in (0, 1, 2, True, False):
        raise ValueError(f"verbose is 'auto', 0, 1 or 2; got {verbose!r}")
    return int(verbose)


def watched(items: Iterable[T], length: int | None, title: str, verbose: Any) -> Iterator[T]:
    """The items, with a bar that leaves when they end."""
    if level(verbose) == 0:
        yield from items
        return
    from tqdm import tqdm

    yield from tqdm(items, total=length, desc=title, leave=False)


def say(line: str) -> None:
    """A line on standard error that does not tear a bar apart."""
    from tqdm import tqdm

    tqdm.write(line, file=sys.stderr)
