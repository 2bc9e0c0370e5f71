"""Kernels run on the CPU below ThreadSanitizer and AddressSanitizer: clean, and mutants of them are reported."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import sanitized
from on_cpu import NEEDS_A_COMPILER

pytestmark = [NEEDS_A_COMPILER, pytest.mark.slow]

# Options of the compiler and of the sanitizer, and how its reports begin. Leaks are Python's own; fibers change stacks
# in ways that only stacks' own checks mind; what two kernels do wrong may end in the same line, that of memcpy.
_SANITIZERS = {
    "thread": (
        ("-DSHIM_THREADS", "-fsanitize=thread"),
        "exitcode=0 report_signal_unsafe=0",
        "WARNING: ThreadSanitizer",
    ),
    "address": (
        ("-fsanitize=address", "-fsanitize-recover=address"),
        "halt_on_error=0 exitcode=0 detect_leaks=0 detect_stack_use_after_return=0 suppress_equal_pcs=0",
        "ERROR: AddressSanitizer",
    ),
}


def _library(name: str) -> Path | None:
    if (compiler := shutil.which("g++")) is None:
        return None
    short = {"thread": "tsan", "address": "asan"}[name]
    found = subprocess.run([compiler, f"-print-file-name=lib{short}.so"], capture_output=True, text=True, check=True)
    path = Path(found.stdout.strip())
    return path if path.is_absolute() else None


@cache
def _said(name: str) -> dict[str, str]:
    """What is said on stderr, by the sanitizer above all, by kernel."""
    if (library := _library(name)) is None:
        pytest.skip(f"g++ has no {name} sanitizer: races and stray accesses are looked for where it has one")
    options, settings, _ = _SANITIZERS[name]
    prefix = ["setarch", "-R"] if name == "thread" and shutil.which("setarch") else []
    command = [*prefix, sys.executable, str(Path(sanitized.__file__)), name, *options]
    variable = {"thread": "TSAN_OPTIONS", "address": "ASAN_OPTIONS"}[name]
    environment = os.environ | {"LD_PRELOAD": str(library), variable: settings, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    first, *parts = done.stderr.split(sanitized.MARK)
    assert parts, f"nothing ran: {first[-2000:]}"
    assert parts[-1].startswith("end"), f"it ended early, with {done.returncode}: {done.stderr[-4000:]}"
    return {kernel: rest for kernel, _, rest in (part.partition("\n") for part in parts[:-1])}


@pytest.mark.parametrize("name", list(_SANITIZERS))
def test_kernels_are_clean_and_their_mutants_are_not(name: str) -> None:
    said, begin = _said(name), _SANITIZERS[name][2]
    expected = dict.fromkeys(sanitized.CLEAN, False) | dict.fromkeys(sanitized.MUTANTS[name], True)
    assert list(said) == list(expected)
    wrong = {kernel: text[:2000] for kernel, text in said.items() if (begin in text) != expected[kernel]}
    assert not wrong, f"reported, or not, against what is expected: {wrong}"
