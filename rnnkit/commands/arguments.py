"""What stands behind an option: whole numbers, shares and names, refused in a sentence that argparse prints."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable, Iterable

from rnnkit_kernels.sentences import unknown

__all__ = ["name_of", "positive", "rate", "units", "whole"]


def whole(least: int) -> Callable[[str], int]:
    """Takes whole numbers from `least` up."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise ArgumentTypeError(f"a whole number from {least} up is expected; got {text!r}")
        return number

    return parse


def positive(text: str) -> float:
    """Takes numbers above 0."""
    number = _number(text)
    if not 0 < number < float("inf"):
        raise ArgumentTypeError(f"a number above 0 is expected; got {text!r}")
    return number


def rate(text: str) -> float:
    """Takes the share dropped, in [0, 1)."""
    number = _number(text)
    if not 0 <= number < 1:
        raise ArgumentTypeError(f"the share dropped is in [0, 1); got {text!r}")
    return number


def units(text: str) -> tuple[int, ...]:
    """Takes "32", or "24,50,24" for several layers."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise ArgumentTypeError(f"units are whole numbers from 1 up, such as 32 or 24,50,24; got {text!r}")
    return tuple(map(int, parts))


def name_of(kind: str, known: Iterable[str]) -> Callable[[str], str]:
    """Takes one of the names, in any case."""
    names = {name.lower(): name for name in known}

    def parse(text: str) -> str:
        if text.lower() not in names:
            raise ArgumentTypeError(str(unknown(kind, text, names.values())))
        return names[text.lower()]

    return parse


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
