"""Run by itself, below a sanitizer: kernels, each announced on stderr, so that what is reported is known to be its.

python sanitized.py <sanitizer> <compiler options>      with the sanitizer's library preloaded
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

if __name__ == "__main__":
    os.environ.pop("LD_PRELOAD", None)  # the compiler that this starts needs no sanitizer
    root = Path(__file__).parents[2]
    sys.path[:0] = [str(root), str(root / "kernels"), str(root / "tests" / "kernels"), str(Path(__file__).parent)]

from kernel_cases import draw_case
from on_cpu import OnCpu

from rnnkit_kernels import cells
from rnnkit_kernels.cuda_gpu.backward import backward
from rnnkit_kernels.cuda_gpu.emit.division import Division
from rnnkit_kernels.cuda_gpu.recurrence import forward

__all__ = ["CLEAN", "MARK", "MUTANTS"]

MARK = "=== kernel: "
_CLUSTERS = Division(19, 4, 2, 2)
_EACH_PIECE = "    meet_block();  // the piece is there for all"
_INSIDE = "row < rows ? min(GROUP, length - k0 - k) : 0;"
_PANEL = "k0 + k < length ? min(GROUP, valid - j) : 0;"
_EDGE = "if (row >= rows || unit >= units) continue;"


def _replaced(part: str, by: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert part in text, f"the text no longer has {part!r}"
        return text.replace(part, by)

    return change


# By name of what runs: a cell, and the division of a kernel that takes all steps at once.
CLEAN = {
    "LSTM": ("LSTM", None),
    "row sums": ("LayerNormSimpleRNN", None),
    "inner products": ("GRUBefore", None),
    "LSTM in clusters": ("LSTM", _CLUSTERS),
    "row sums in clusters": ("LayerNormSimpleRNN", _CLUSTERS),
}

# By sanitizer and name: kernels that are wrong in one place.
MUTANTS: dict[str, dict[str, tuple[Division | None, Callable[[str], str]]]] = {
    "thread": {
        "pieces are read before all have brought them": (None, _replaced(_EACH_PIECE, "  //")),
        "blocks of a cluster do not wait for each other": (_CLUSTERS, _replaced("meet_cluster();", "meet_block();")),
    },
    "address": {
        "rows behind the last are read": (None, _replaced(_INSIDE, "min(GROUP, length - k0 - k);")),
        "units behind the last are read": (None, _replaced(_PANEL, "k0 + k < length ? GROUP : 0;")),
        "rows behind the last are written": (None, _replaced(_EDGE, "if (unit >= units) continue;")),
    },
}


def _run(name: str, place: OnCpu, division: Division | None, back: bool) -> None:
    case = draw_case(getattr(cells, name)(), sizes=(2, 3, 2, 19))
    options = {"mask": case.mask, "drop": case.drop, "division": division}
    tape = forward(place, case.cell, case.weights, case.x, case.state0, **options)[2]
    if back:
        backward(place, tape, case.dh, case.dstate, division)


def _run_all(sanitizer: str, options: tuple[str, ...]) -> None:
    for what, (name, division) in CLEAN.items():
        print(f"{MARK}{what}", file=sys.stderr, flush=True)
        _run(name, OnCpu(options=options), division, True)
    for what, (division, change) in MUTANTS[sanitizer].items():
        print(f"{MARK}{what}", file=sys.stderr, flush=True)
        try:
            _run("SimpleRNN", OnCpu(change, options=options), division, False)
        except AssertionError as error:
            print(error)  # the shim may see it too
    print(f"{MARK}end", file=sys.stderr, flush=True)


if __name__ == "__main__":
    _run_all(sys.argv[1], tuple(sys.argv[2:]))
