"""Where a benchmark runs: its threads, held to one number for everybody, and what is written beside the results."""

from __future__ import annotations

import datetime
import os
import platform
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = ["ROOT", "Others", "child_environment", "cores", "cpu_name", "describe", "hold_threads"]

ROOT = Path(__file__).resolve().parent.parent

_VARIABLES = (
    "RNNKIT_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
_PACKAGES = ("rnnkit", "numpy", "numba", "llvmlite", "torch", "keras", "jax", "onnxruntime")


def cores() -> int:
    """How many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not every system knows which cores a process may use
        return os.cpu_count() or 1


def hold_threads(count: int) -> None:
    """Gives every contender `count` threads: by environment, and by cores where the system can hold a process to some.

    The cores matter to those that read no variable (XLA's pool). Raises RuntimeError once NumPy is loaded: a BLAS reads
    its variable when it is loaded, and never again.
    """
    if "numpy" in sys.modules:
        raise RuntimeError(
            "threads are set before NumPy is loaded: run the benchmarks as a process, python -m benchmarks"
        )
    os.environ.update(dict.fromkeys(_VARIABLES, str(count)))
    if hasattr(os, "sched_setaffinity") and count < cores():
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def child_environment(**further: str) -> dict[str, str]:
    """The environment of a child process that finds this checkout's packages."""
    paths = [str(ROOT), str(ROOT / "kernels"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **further}


class Others:
    """How many cores other processes took since this was made: a row of a busy machine says little.

    Linux tells the time that all cores were busy; what this process used is subtracted.
    """

    def __init__(self) -> None:
        self._begun, self._busy, self._own = time.perf_counter(), _busy_seconds(), _own_seconds()

    def cores(self) -> float | None:
        """The mean since then; None where the system does not tell."""
        busy, passed = _busy_seconds(), time.perf_counter() - self._begun
        if busy is None or self._busy is None or passed <= 0:
            return None
        return max(0.0, (busy - self._busy - (_own_seconds() - self._own)) / passed)


def _own_seconds() -> float:
    return sum(os.times()[:4])


def _busy_seconds() -> float | None:
    try:
        user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    except (OSError, ValueError):
        return None
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def cpu_name() -> str:
    """The processor's name as the system tells it, with its vector width."""
    try:
        facts = dict(
            (part.strip() for part in line.split(":", 1))
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if ":" in line
        )
    except OSError:
        return platform.processor() or platform.machine()
    name, flags = facts.get("model name", platform.machine()), facts.get("flags", "").split()
    vectors = next((text for flag, text in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if flag in flags), "")
    return f"{name}, {vectors}" if vectors else name


def describe(threads: int) -> dict[str, Any]:
    """What has to be known about a run to read its numbers: processor, threads, versions, date."""
    return {
        "cpu": cpu_name(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": cores(),
        "threads": threads,
        "python": platform.python_version(),
        "versions": {name: version for name in _PACKAGES if (version := _version(name))},
        "date": datetime.date.today().isoformat(),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
