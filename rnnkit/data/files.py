"""Text files line by line, plain or gzip, with a limit on their size that holds before memory is taken."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TypeAlias

__all__ = ["LIMIT", "FilePath", "broken", "text_lines"]

FilePath: TypeAlias = str | os.PathLike[str]

LIMIT = 1 << 30
"""Bytes of uncompressed text that a reader takes unless told otherwise."""

_LONGEST_LINE = 1 << 20
_CHUNK = 1 << 20


def broken(path: FilePath, line: int, what: str) -> ValueError:
    """The error for one line of a file; lines count from 1."""
    return ValueError(f"{Path(path).name}, line {line}: {what}")


def text_lines(path: FilePath, limit: int = LIMIT) -> Iterator[tuple[int, str]]:
    """Yields (line number from 1, line without its end) of a UTF-8 file, plain or gzip (known by content, not by name).

    limit    the largest uncompressed size in bytes
    raises   FileNotFoundError and PermissionError of the system; ValueError for a directory or other special file, an
             empty file, more than `limit` bytes, a gzip file that is truncated or damaged, a binary file, text in
             another encoding, a line of more than 1 MiB
    """
    name = Path(path).name
    if not os.path.isfile(path):
        os.stat(path)  # a missing file raises the system's own error
        kind = "a directory" if os.path.isdir(path) else "not a regular file"
        raise ValueError(f"{name} is {kind}; a file of text is expected")
    with open(path, "rb") as raw:
        start = raw.read(2)
        raw.seek(0)
        if start == b"\x1f\x8b":
            _check_size(name, _unpacked(name, raw, limit), limit)
            raw.seek(0)
            with gzip.GzipFile(fileobj=raw) as unpacked:
                yield from _decoded(path, unpacked)  # type: ignore[arg-type]
            return
        _check_size(name, os.fstat(raw.fileno()).st_size, limit)
        yield from _decoded(path, raw)


def _unpacked(name: str, raw: IO[bytes], limit: int) -> int:
    """The uncompressed size, found by unpacking chunk by chunk without keeping anything; stops above `limit`."""
    size = 0
    try:
        with gzip.GzipFile(fileobj=raw) as unpacked:
            while size <= limit and (chunk := unpacked.read(_CHUNK)):
                size += len(chunk)
    except EOFError:
        raise ValueError(f"{name} is a truncated gzip file: it ends after {size} bytes of content") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{name} is a damaged gzip file: {error}") from None
    return size


def _check_size(name: str, size: int, limit: int) -> None:
    if size > limit:
        raise ValueError(f"{name} holds more than {limit} bytes of text; raise the limit (limit=) if it is right")
    if size == 0:
        raise ValueError(f"{name} is empty")


def _decoded(path: FilePath, stream: IO[bytes]) -> Iterator[tuple[int, str]]:
    number = 0
    while line := stream.readline(_LONGEST_LINE + 1):
        number += 1
        if number == 1 and line.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise broken(path, 1, "the text is UTF-16; save the file as UTF-8")
        if b"\0" in line:
            raise broken(path, number, "this is a binary file, not text")
        if len(line) > _LONGEST_LINE:
            raise broken(path, number, "the line is longer than 1 MiB; this is not a table of numbers")
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise broken(path, number, "the text is not UTF-8; save the file as UTF-8") from None
        yield number, text.rstrip("\r\n")
