"""`python -m benchmarks.gpu_session --out FOLDER`: a whole first session on a GPU, in one call, within ten minutes.

What is installed, the tests that need a GPU, the constants, the divisions, the benchmarks, each a process of its own
with its share of the time. What fails, or takes longer, is written down and the next one begins. The folder then has

    session.txt   everything that was said        session.json   how each step ended, and its seconds
    cuda.json     all rows                        cuda.md, cuda.png   tables and picture
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TextIO

from . import machine

__all__ = ["STEPS", "Ended", "Step", "main", "session"]

_TOTAL = 570.0  # seconds
_ROW = 35.0  # seconds that the last row may take that is begun in time
_LAST_WORDS = 5.0  # seconds in which a step that was interrupted may say what it has found

# Every test compiles kernels for seconds: where pytest-xdist is installed, several do so at once.
_AT_ONCE = ("-n", "8") if find_spec("xdist") else ()
_GPU_TESTS = "tests/cuda", "tests/kernels/test_kernel_devices.py"
_TESTS = ("pytest", "-m", "gpu and not slow", "-q", "-p", "no:cacheprovider", *_AT_ONCE, *_GPU_TESTS)


@dataclass(frozen=True)
class Step:
    """command: behind `python -m`; share: seconds that are kept for it, and what earlier steps left over is the last
    one's; timed: whether it is told by --seconds when to begin nothing more, and by --save where to write."""

    name: str
    command: tuple[str, ...]
    share: float
    timed: bool = False


STEPS = (
    Step("doctor", ("rnnkit", "doctor"), 30),
    Step("tests", _TESTS, 150),
    Step("constants", ("benchmarks", "constants", "--backend", "cuda"), 60, timed=True),
    Step("divisions", ("benchmarks", "divisions", "--backend", "cuda"), 120, timed=True),
    Step("benchmarks", ("benchmarks", "recurrent", "inference", "options", "--backend", "cuda"), 210, timed=True),
)


@dataclass(frozen=True)
class Ended:
    """code: None where the time was up."""

    name: str
    code: int | None
    seconds: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0; 1 where a step did not end well."""
    told, plain = (__doc__ or "").split(": ", 1)[1], argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m benchmarks.gpu_session", description=told, formatter_class=plain)
    parser.add_argument("--out", type=Path, default=Path("gpu-session"), help="the folder (gpu-session)")
    parser.add_argument("--seconds", type=float, default=_TOTAL, help=f"of all of it (default {_TOTAL:.0f})")
    options = parser.parse_args(arguments)
    ended = session(options.out, options.seconds)
    return int(any(step.code != 0 for step in ended))


def session(
    out: Path, seconds: float = _TOTAL, steps: Sequence[Step] = STEPS, clock: Callable[[], float] = time.monotonic
) -> list[Ended]:
    """Runs the steps, in so many seconds altogether. What stands in the folder is right at every moment."""
    out.mkdir(parents=True, exist_ok=True)
    begun, scale = clock(), seconds / sum(step.share for step in steps)
    ended: list[Ended] = []
    with (out / "session.txt").open("a", encoding="utf-8") as log:
        for number, step in enumerate(steps):
            later = sum(other.share for other in steps[number + 1 :]) * scale
            left = seconds - (clock() - begun) - later
            limit = min(step.share * scale, left) if later else left
            ended.append(_ran(step, max(1.0, limit), out, log))
            (out / "session.json").write_text(json.dumps([asdict(step) for step in ended], indent=1) + "\n")
            last = ended[-1]
            how = "the time was up" if last.code is None else f"exit code {last.code}"
            print(f"{last.name:<12} {last.seconds:6.1f} s  {how}", flush=True)
    return ended


def _ran(step: Step, limit: float, out: Path, log: TextIO) -> Ended:
    command = [sys.executable, "-m", *step.command]
    if step.timed:
        command += ["--seconds", str(max(1, int(limit - min(_ROW, limit / 2)))), "--save", str(out / "cuda.json")]
    log.write(f"\n==== {step.name}: {' '.join(command[1:])}\n")
    log.flush()
    begun = time.monotonic()
    # A session of its own: where the time is up, its children end too.
    process = subprocess.Popen(
        command, cwd=machine.ROOT, env=machine.child_environment(PYTHONUNBUFFERED="1"), stdout=log,
        stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    code: int | None
    try:
        code = process.wait(timeout=limit)
    except subprocess.TimeoutExpired:
        _end(process)
        code = None
    return Ended(step.name, code, round(time.monotonic() - begun, 1))


def _end(process: subprocess.Popen[bytes]) -> None:
    """Interrupted first, upon which pytest tells the failures that it has seen; then all its children too."""
    if hasattr(os, "killpg"):
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_LAST_WORDS)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


if __name__ == "__main__":
    sys.exit(main())
