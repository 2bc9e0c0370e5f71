"""Run by itself, below a sanitizer: kernels, each announced on stderr, so that what is reported is known to be its.

python sanitized.py <sanitizer> <compiler options>      with the sanitizer's library preloaded
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    os.environ.pop("LD_PRELOAD", None)  # the compiler that this starts needs no sanitizer
    root = Path(__file__).parents[2]
    sys.path[:0] = [str(root), str(root / "kernels"), str(root / "tests" / "kernels"), str(Path(__file__).parent)]

from kernel_cases import draw_case
from on_cpu import OnCpu

from rnnkit_kernels import cells
from rnnkit_kernels.cuda_gpu.backward import begun_back
from rnnkit_kernels.cuda_gpu.emit.division import Division
from rnnkit_kernels.cuda_gpu.emit.tensor_division import TensorDivision
from rnnkit_kernels.cuda_gpu.recurrence import begun
from rnnkit_kernels.cuda_gpu.together import Begun, Later, at_once

__all__ = ["CLEAN", "MARK", "MUTANTS"]

MARK = "=== kernel: "
_CLUSTERS, _TENSOR = Division(19, 4, 2, 2), TensorDivision(19, 8, 2)
_SUMS = "parts0_1);\n    meet_block();"
_EACH_PIECE = "    meet_block();  // the piece is there for all"
_INSIDE = "row < rows ? min(group, length - k0 - k) : 0;"
_PANEL = "k0 + k < length ? min(group, valid - j) : 0;"
_EDGE = "if (row >= rows || unit >= units) continue;"


def _replaced(part: str, by: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert part in text, f"the text no longer has {part!r}"
        return text.replace(part, by)

    return change


# By name of what runs: a cell, the division of a kernel that takes all steps at once, how many calls are made at once,
# and what factors of products are rounded to, if anything.
CLEAN = {
    "LSTM": ("LSTM", None, 1),
    "row sums": ("LayerNormSimpleRNN", None, 1),
    "inner products": ("GRUBefore", None, 1),
    "pairs": ("GRUBefore", None, 1, "bf16"),
    "LSTM in clusters": ("LSTM", _CLUSTERS, 1),
    "row sums in clusters": ("LayerNormSimpleRNN", _CLUSTERS, 1),
    "tensor cores in clusters": ("LSTM", _TENSOR, 1, "bf16"),
    "two calls": ("LayerNormSimpleRNN", None, 2),
    "two calls in clusters": ("LSTM", _CLUSTERS, 2),
}

# By sanitizer and name: kernels that are wrong in one place.
MUTANTS: dict[str, dict[str, tuple[Any, ...]]] = {
    "thread": {
        "pieces are read before all have brought them": (None, 1, _replaced(_EACH_PIECE, "  //")),
        "blocks of a cluster do not wait for each other": (_CLUSTERS, 1, _replaced("meet_cluster();", "meet_block();")),
        "sums of warps are read before all are there": (_TENSOR, 1, _replaced(_SUMS, "parts0_1);"), "tf32"),
        "two calls write into the arrays of one": (None, 2, _replaced("table[blockIdx.z];", "*table;")),
        "a step's pairs are written where they are read": (None, 1, _replaced("(t + 1 & 1)", "(t & 1)"), "bf16"),
    },
    "address": {
        "rows behind the last are read": (None, 1, _replaced(_INSIDE, "min(group, length - k0 - k);")),
        "units behind the last are read": (None, 1, _replaced(_PANEL, "k0 + k < length ? group : 0;")),
        "rows behind the last are written": (None, 1, _replaced(_EDGE, "if (unit >= units) continue;")),
        "a call reads a table that there is not": (None, 2, _replaced("table[blockIdx.z];", "table[blockIdx.z + 1];")),
    },
}


def _run(
    name: str, place: OnCpu, division: Division | None, calls: int, back: bool, rounding: str | None = None
) -> None:
    case = draw_case(getattr(cells, name)(), sizes=(2, 3, 2, 19))
    if rounding is not None:
        case = case.map(lambda a: a.astype("f") if a.dtype.kind == "f" else a)
    how = {"division": division, "rounding": rounding, "together": calls}

    def there(_: int) -> Begun:
        return begun(place, case.cell, case.weights, case.x, case.state0, mask=case.mask, drop=case.drop, **how)

    for _, _, tape in _made(place, there, calls):
        if back:
            _made(place, lambda _, tape=tape: begun_back(place, tape, case.dh, case.dstate, **how), calls)


def _made(place: OnCpu, begin: Callable[[int], Begun], calls: int) -> Any:
    later = Later(place, begin, ())
    return [later()] if calls == 1 else at_once(later, later)


def _run_all(sanitizer: str, options: tuple[str, ...]) -> None:
    for what, (name, division, calls, *rounding) in CLEAN.items():
        print(f"{MARK}{what}", file=sys.stderr, flush=True)
        _run(name, OnCpu(options=options), division, calls, True, *rounding)
    for what, (division, calls, change, *rounding) in MUTANTS[sanitizer].items():
        print(f"{MARK}{what}", file=sys.stderr, flush=True)
        try:
            _run("SimpleRNN", OnCpu(change, options=options), division, calls, False, *rounding)
        except AssertionError as error:
            print(error)  # the shim may see it too
    print(f"{MARK}end", file=sys.stderr, flush=True)


if __name__ == "__main__":
    _run_all(sys.argv[1], tuple(sys.argv[2:]))
