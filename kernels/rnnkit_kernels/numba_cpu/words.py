"""The table of a call, made ready once for calls of one shape.

Every word is a number known beforehand plus a base that is not: the address of an array, or one of its strides. At a
call all words are made by one addition.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from ..types import Array

__all__ = ["Room", "Words", "address"]

_LINE, _PAGE = 64, 4096
_STAGGER = 27  # lines, of 64 a page: all come in turn
_addressof, _first_byte = ctypes.addressof, ctypes.c_byte.from_buffer


def address(a: Array) -> int:
    """Where an array begins in memory."""
    if a.flags.carray and a.size:
        return _addressof(_first_byte(cast(Any, a)))  # four times as fast as the way that every array allows
    return int(a.__array_interface__["data"][0])


class Room:
    """Places in a block of memory that is not there yet, each at a multiple of 64 bytes; `size` bytes in all.

    After an array of a page or more the next begins at another line of a page: arrays that are walked through together
    would else meet in the same few sets of the cache.
    """

    def __init__(self) -> None:
        self.size = 0

    def take(self, bytes_: int) -> int:
        at, lines = self.size, -(-bytes_ // _LINE)
        if bytes_ >= _PAGE:
            lines += (_STAGGER - lines) % (_PAGE // _LINE)
        self.size += lines * _LINE
        return at


class Words:
    """Words and what they wait for. bases: the names of what is known at a call only, in their order."""

    def __init__(self, bases: Sequence[str]) -> None:
        self._bases = {name: k for k, name in enumerate(("", *bases))}
        self._numbers: list[int] = []
        self._which: list[int] = []
        self._held: list[Array] = []

    def __len__(self) -> int:
        return len(self._numbers)

    def grow(self, count: int) -> None:
        """Words up to `count`, zeros."""
        self._numbers += [0] * (count - len(self))
        self._which += [0] * (count - len(self._which))

    def set(self, at: int, number: int, base: str = "") -> None:
        self._numbers[at], self._which[at] = int(number), self._bases[base]

    def add(self, number: int, base: str = "") -> None:
        self._numbers.append(int(number))
        self._which.append(self._bases[base])

    def of(self, a: Array) -> int:
        """The address of an array that the words keep alive."""
        self._held.append(a)
        return address(a)

    def ready(self) -> None:
        """No word is added from here on."""
        self._template = np.array(self._numbers, np.int64)
        self._index = np.array(self._which, np.intp)

    def made(self, values: Sequence[int]) -> np.ndarray[Any, Any]:
        """All words, for the values of the bases in their order."""
        words: np.ndarray[Any, Any] = np.array((0, *values), np.int64).take(self._index)
        words += self._template
        return words
