"""`python -m benchmarks.child`: what a process of its own has to measure, told as one line of JSON.

first CONTENDER CELL B,T,F,H THREADS    seconds of the imports and of the first and second forward + backward
memory CONTENDER CELL B,T,F,H THREADS   MiB that three of them need at most, beside weights, x and dy
import                                  seconds that `import rnnkit` takes
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import machine

__all__ = ["LAYERS", "main"]

LAYERS = ("LSTM", "GRU", "SimpleRNN", "PeepholeLSTM", "LayerNormLSTM")


def main(arguments: Sequence[str]) -> dict[str, Any]:
    if arguments[0] == "import":
        return {"import": _timed(lambda: __import__("rnnkit"))}
    kind, contender, cell, shape, threads = arguments
    machine.hold_threads(int(threads))
    begun = time.perf_counter()
    call, origin = _call(contender, cell, tuple(map(int, shape.split(","))), int(threads))
    found = {"import": time.perf_counter() - begun, "origin": origin}
    if kind == "first":
        return {**found, "first": _timed(call), "second": _timed(call)}
    tiny, _ = _call(contender, cell, (1, 2, 1, 1), int(threads))
    tiny()  # compiled, or loaded from the cache; pools are there
    gc.collect()
    before = _reset_peak()
    for _ in range(3):
        call()
    return {**found, "memory": (_peak() - before) / 1024}


def _call(contender: str, cell: str, shape: Any, threads: int) -> tuple[Any, str]:
    from rnnkit import layers

    from .contenders import load
    from .workload import Workload

    kind = getattr(layers, cell)
    work = Workload(cell, shape, make=lambda units: kind(units, return_sequences=True))
    found, missing = load([contender], threads)
    if missing:
        raise ImportError(missing[contender])
    runner = found[contender].recurrent(work)
    return runner.run, runner.origin


def _timed(function: Any) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def _reset_peak() -> float:
    """KiB in use; from here on Linux counts the peak anew. Elsewhere the peak is that of the whole process."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return _peak()
    return _status("VmRSS")


def _peak() -> float:
    try:
        return _status("VmHWM")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "darwin" else 1)


def _status(entry: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(entry)))


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))
