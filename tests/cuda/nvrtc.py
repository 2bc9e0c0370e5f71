"""CUDA's run-time compiler through ctypes: a text becomes a cubin and what the assembler says of it. Needs no driver.

    cubin, usage = nvrtc.compiled(text, "sm_90")
    usage["forward_level0"].registers

The library is that of the wheel nvidia-cuda-nvrtc, or the system's.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import re
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from rnnkit_kernels.cuda_gpu.place import Launch

__all__ = ["NEEDS_NVRTC", "Usage", "assert_in_registers", "compiled"]

# CuPy's own options, and the assembler's report; flushing of small numbers is CuPy's choice too.
OPTIONS = ("-std=c++17", "-default-device", "-ftz=true", "--ptxas-options=-v")

_WHEELS = ("nvidia-cuda-nvrtc", "nvidia-cuda-nvrtc-cu12")
_LIBRARY = re.compile(r"libnvrtc\.so\.\d+$|nvrtc64_\w+\.dll$")


@dataclass(frozen=True)
class Usage:
    """What a thread of a kernel takes: registers; bytes of stack, of what is spilled to memory and read back.

    shared: bytes of shared memory of a block that are reserved when it is compiled.
    """

    registers: int
    stack: int
    spill_stores: int
    spill_loads: int
    shared: int


def _candidates() -> list[str]:
    found = []
    for wheel in _WHEELS:
        try:
            files = metadata.files(wheel) or []
        except metadata.PackageNotFoundError:
            continue
        found += [str(Path(f.locate())) for f in files if _LIBRARY.search(f.name)]
    return [*found, *filter(None, [ctypes.util.find_library("nvrtc")]), "libnvrtc.so"]


@cache
def _library() -> Any:
    for name in _candidates():
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None


NEEDS_NVRTC = pytest.mark.skipif(
    _library() is None, reason="NVRTC is not installed (pip install nvidia-cuda-nvrtc): nothing compiles for a GPU"
)


def _text_of(program: ctypes.c_void_p, what: str) -> bytes:
    size = ctypes.c_size_t()
    _ask(getattr(_library(), f"nvrtcGet{what}Size"), program, ctypes.byref(size))
    held = ctypes.create_string_buffer(size.value)
    _ask(getattr(_library(), f"nvrtcGet{what}"), program, held)
    return held.raw


def _ask(function: Any, *args: Any) -> None:
    error = function(*args)
    assert error == 0, f"{function.__name__} fails with error {error}"


@cache
def compiled(text: str, architecture: str) -> tuple[bytes, dict[str, Usage]]:
    """The cubin, and what each kernel takes. Raises AssertionError with the compiler's words where it refuses."""
    program = ctypes.c_void_p()
    create = _library().nvrtcCreateProgram
    _ask(create, ctypes.byref(program), text.encode(), b"kernels.cu", 0, None, None)
    try:
        options = [f"-arch={architecture}".encode(), *(option.encode() for option in OPTIONS)]
        error = _library().nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
        log = _text_of(program, "ProgramLog").rstrip(b"\0").decode()
        assert error == 0, f"{architecture}: {log[:4000]}"
        return _text_of(program, "CUBIN"), usage_of(log)
    finally:
        _library().nvrtcDestroyProgram(ctypes.byref(program))


def assert_in_registers(text: str, launch: Launch, architecture: str) -> None:
    """The text's only kernel is that of the launch; a block keeps everything in registers, and there are enough."""
    _, usage = compiled(text, architecture)
    assert list(usage) == [launch.kernel]
    used = usage[launch.kernel]
    assert (used.stack, used.spill_stores, used.spill_loads, used.shared) == (0, 0, 0, 0), f"{launch}: {used}"
    assert used.registers <= 255
    assert used.registers * launch.threads <= 1 << 16, f"{launch} asks for more registers than there are: {used}"


def usage_of(log: str) -> dict[str, Usage]:
    """What the assembler's report says, by kernel."""
    found = {}
    for part in re.split(r"Compiling entry function '", log)[1:]:
        name = part.partition("'")[0]

        def number(form: str, part: str = part) -> int:
            match = re.search(form, part)
            return int(match[1]) if match else 0

        assert "Used " in part, f"the assembler says nothing of {name}: {part}"
        found[name] = Usage(
            registers=number(r"Used (\d+) registers"),
            stack=number(r"(\d+) bytes stack frame"),
            spill_stores=number(r"(\d+) bytes spill stores"),
            spill_loads=number(r"(\d+) bytes spill loads"),
            shared=number(r"(\d+) bytes smem"),
        )
    return found
