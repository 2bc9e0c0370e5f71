"""Kernels for a GPU, run on the CPU: built by g++ behind `shim/device.hpp`, on NumPy arrays."""

from __future__ import annotations

import ctypes
import hashlib
import math
import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Sequence
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from rnnkit_kernels.cuda_gpu.place import Launch
from rnnkit_kernels.cuda_gpu.source import assembled

__all__ = ["NEEDS_A_COMPILER", "SHIM", "ModuleOnCpu", "OnCpu", "built"]

SHIM = '#include "device.hpp"\n'  # in front of a text, behind its `real`
NEEDS_A_COMPILER = pytest.mark.skipif(
    shutil.which("g++") is None, reason="g++ is not installed: kernels run on nothing"
)
_SHARED = 227 << 10  # bytes that a block may have on sm_90
_FOLDER = Path(__file__).parent / "shim"
_OPTIONS = ("-std=c++20", f"-I{_FOLDER}", "-O1", "-fPIC", "-ffp-contract=off", "-Wno-unknown-pragmas", "-pthread")


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="rnnkit-shim-")


def _compile(command: Sequence[str | Path], out: Path, source: Path) -> None:
    done = subprocess.run([*command, "-o", out, source], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:4000]


@cache
def _headers(*options: str) -> Path:
    """What of the shim does not depend on `real`, compiled once for all texts: most of the time that one takes."""
    name = "headers" + hashlib.sha256("\n".join(options).encode()).hexdigest()[:8]
    header = Path(_folder().name) / f"{name}.hpp"
    header.write_text('#include "launch.hpp"\n#include "warps.hpp"\n', encoding="utf-8")
    _compile(["g++", *_OPTIONS, *options, "-x", "c++-header"], header.with_suffix(".hpp.gch"), header)
    return header


@cache
def built(text: str, *options: str) -> Path:
    """A shared library of the text. Raises AssertionError with what the compiler says."""
    name = hashlib.sha256("\n".join([text, *options]).encode()).hexdigest()[:16]
    source = Path(_folder().name) / f"{name}.cpp"
    source.write_text(text, encoding="utf-8")
    library = source.with_suffix(".so")
    _compile(["g++", *_OPTIONS, *options, "-shared", "-include", _headers(*options)], library, source)
    return library


class Guarded:
    """NumPy, whose fresh arrays are full of NaN and stand between NaNs of which none may change: what a kernel does not
    write shows, and what it writes outside."""

    _BYTES = 256
    _alive: ClassVar[list[tuple[weakref.ref[Any], tuple[int, ...]]]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    @classmethod
    def _poison(cls, size: int) -> Any:
        """Every four bytes, and every eight, are a NaN, each another one."""
        return np.uint32(0xFFF80000) + np.arange(-(-size // 4), dtype=np.uint32) % 0xFFFF

    @classmethod
    def empty(cls, shape: Any, dtype: Any) -> Any:
        shape = (shape,) if isinstance(shape, int) else tuple(int(n) for n in shape)
        size = math.prod(shape) * np.dtype(dtype).itemsize
        owner = cls._poison(size + 2 * cls._BYTES)  # the only array that lives as long as any view of it
        cls._alive.append((weakref.ref(owner), shape))
        return owner.view(np.uint8)[cls._BYTES : cls._BYTES + size].view(dtype).reshape(shape)

    @classmethod
    def empty_like(cls, array: Any) -> Any:
        return cls.empty(array.shape, array.dtype)

    @classmethod
    def check(cls) -> None:
        """Raises AssertionError if the surroundings of any array have changed."""
        cls._alive[:] = [(held, shape) for held, shape in cls._alive if held() is not None]
        edge = cls._BYTES // 4 - 1  # words; the last of an array may be a part of one
        for held, shape in cls._alive:
            if (owner := held()) is None:
                continue
            first = np.arange(edge, dtype=np.uint32)
            for side, found, at in (("before", owner[:edge], 0), ("behind", owner[-edge:], len(owner) - edge)):
                expected = np.uint32(0xFFF80000) + (first + np.uint32(at)) % 0xFFFF
                assert np.array_equal(found, expected), f"a kernel writes {side} an array of shape {shape}"


class ModuleOnCpu:
    """A library's kernels, each called as on a GPU. backwards: whether blocks and threads run in the opposite order."""

    def __init__(self, library: Path, backwards: bool = False) -> None:
        self._library, self.backwards = ctypes.CDLL(str(library)), backwards
        self._library.shim_launch.restype = ctypes.c_char_p

    def launch(self, launch: Launch, table: Any, place: int) -> None:
        """Raises AssertionError for what no GPU launches, threads that wait for ever, writes behind shared memory."""
        (x, y), name = launch.blocks, launch.kernel
        assert 0 < x < 1 << 31, f"{name} cannot have {x} blocks beside each other"
        assert 0 < y < 1 << 16, f"{name} cannot have {y} blocks below each other"
        assert x % launch.cluster == 0, f"{name}: {x} blocks do not make clusters of {launch.cluster}"
        assert launch.threads <= 1024, f"{name} cannot have {launch.threads} threads in a block"
        assert launch.shared <= _SHARED, f"{name} asks for {launch.shared} bytes of shared memory, there are {_SHARED}"
        kernel = ctypes.cast(getattr(self._library, launch.kernel), ctypes.c_void_p)
        ctypes.c_int.in_dll(self._library, "shim_backwards").value = self.backwards
        fault = self._library.shim_launch(
            kernel, ctypes.c_void_p(table.ctypes.data), place, *launch.grid, launch.threads, launch.shared,
            launch.cluster,
        )  # fmt: skip
        assert fault is None, f"{name}: {fault.decode()}"

    def repeat(self, launches: Sequence[Launch], table: Any, steps: int) -> None:
        for place in range(steps):
            for launch in launches:
                self.launch(launch, table, place)
        Guarded.check()


class OnCpu:
    """A `Place`: the machine's own memory. change: what becomes of a text before it is built. gpu: the multiprocessors
    and the capability that it claims to have, `large` the clusters of 16 blocks that run at once."""

    xp = Guarded()
    large = 0

    def __init__(
        self, change: Any = None, backwards: bool = False, options: tuple[str, ...] = (), gpu: tuple[int, int] = (0, 0)
    ) -> None:
        self._processors = gpu
        self._change, self._backwards, self._options = change or (lambda text: text), backwards, options

    def processors(self) -> tuple[int, int]:
        return self._processors

    def room(self) -> int:
        return _SHARED

    def large_clusters(self) -> int:
        return self.large

    def module(self, real: str, skeleton: str, printed: str, prefix: str) -> ModuleOnCpu:
        text = self._change(assembled(real, skeleton, printed, SHIM))
        return ModuleOnCpu(built(text, *self._options), self._backwards)

    def products(self, rounding: Any) -> Any:
        return nullcontext()

    def beside(self) -> Any:
        return nullcontext(nullcontext())

    def address(self, array: Any) -> int:
        assert array.flags.c_contiguous
        return int(array.ctypes.data)

    def table(self, words: Sequence[int]) -> Any:
        return np.array(words, np.int64)
