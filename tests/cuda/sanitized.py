"""Run by itself, below a sanitizer: kernels, each announced on stderr, so that what is reported is known to be its.

python sanitized.py <sanitizer> <compiler options>      with the sanitizer's library preloaded
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    os.environ.pop("LD_PRELOAD", None)  # the compiler that this starts needs no sanitizer
    root = Path(__file__).parents[2]
    sys.path[:0] = [str(root), str(root / "kernels"), str(root / "tests" / "kernels"), str(Path(__file__).parent)]

import numpy as np
from cuda_cases import shared_tiles
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
_NOT_BUILT = 3  # exit code
_CLUSTERS, _TENSOR = Division(19, 4, 2, 2), TensorDivision(19, 8, 2)
_HOPPER = 132, 90
_SHARED = 2  # blocks of a cluster that share a tile of a level's kernel
_PARTS = "meet_cluster();  // all parts of the length are summed"
_READ = "arrive_cluster();  // this block has read"
_SUMS = "parts0_1);\n    meet_block();"
_EACH_PIECE = "    meet_block();  // the piece is there for all"
_INSIDE = "row < rows ? min(group, length - k0 - k) : 0;"
_PANEL = "k0 + k < length ? min(group, valid - j) : 0;"
_EDGE = "if (row >= rows || unit >= units) continue;"


class _Exact(OnCpu):
    """Arrays end where their memory does, so that a sanitizer sees the first number behind them. What cannot be built
    is no finding of anybody's: it raises RuntimeError."""

    xp: Any = np

    def module(self, real: str, skeleton: str, printed: str, prefix: str) -> Any:
        try:
            return super().module(real, skeleton, printed, prefix)
        except AssertionError as error:
            raise RuntimeError(f"a kernel cannot be built: {error}") from error

    def processors(self) -> tuple[int, int]:
        return _HOPPER


def _replaced(part: str, by: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert part in text, f"the text no longer has {part!r}"
        return text.replace(part, by)

    return change


def _without_last_meeting(text: str) -> str:
    return _replaced("wait_cluster();\n}", "}")(_replaced(_READ, "//")(text))


# By name of what runs: a cell, the division of a kernel that takes all steps at once, or how many blocks share a tile,
# how many calls are made at once, and what factors of products are rounded to, if anything.
CLEAN = {
    "LSTM": ("LSTM", None, 1),
    "row sums": ("LayerNormSimpleRNN", None, 1),
    "inner products": ("GRUBefore", None, 1),
    "pairs": ("GRUBefore", None, 1, "bf16"),
    "LSTM in clusters": ("LSTM", _CLUSTERS, 1),
    "row sums in clusters": ("LayerNormSimpleRNN", _CLUSTERS, 1),
    "tensor cores in clusters": ("LSTM", _TENSOR, 1, "bf16"),
    "shared tiles": ("GRUBefore", _SHARED, 1, "bf16"),
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
        "sums of blocks are read before all are there": (_SHARED, 1, _replaced(_PARTS, "meet_block();"), "tf32"),
        "a block ends while its sums are read": (_SHARED, 1, _without_last_meeting, "tf32"),
    },
    "address": {
        "rows behind the last are read": (None, 1, _replaced(_INSIDE, "min(group, length - k0 - k);")),
        "units behind the last are read": (None, 1, _replaced(_PANEL, "k0 + k < length ? group : 0;")),
        "rows behind the last are written": (None, 1, _replaced(_EDGE, "if (unit >= units) continue;")),
        "a call reads a table that there is not": (None, 2, _replaced("table[blockIdx.z];", "table[blockIdx.z + 1];")),
    },
}


def _run(
    name: str, place: OnCpu, division: Division | int | None, calls: int, back: bool, rounding: str | None = None
) -> None:
    if isinstance(division, int):
        with shared_tiles(16, 8, division):
            return _run(name, place, None, calls, back, rounding)
    case = draw_case(getattr(cells, name)(), sizes=(2, 3, 2, 19))
    if rounding is not None:
        case = case.map(lambda a: a.astype("f") if a.dtype.kind == "f" else a)
    how = {"division": division, "rounding": rounding, "together": calls}

    def there(_: int) -> Begun:
        return begun(place, case.cell, case.weights, case.x, case.state0, mask=case.mask, drop=case.drop, **how)

    for _, _, tape in _made(place, there, calls):
        if back:
            _made(place, lambda _, tape=tape: begun_back(place, tape, case.dh, case.dstate, **how), calls)
    return None


def _made(place: OnCpu, begin: Callable[[int], Begun], calls: int) -> Any:
    later = Later(place, begin, ())
    return [later()] if calls == 1 else at_once(later, later)


def _apart(run: Callable[[], None]) -> None:
    """In a child: what a mutant writes over, or dies of, is not the next one's. Raises RuntimeError where it cannot be
    built."""
    sys.stderr.flush()
    if (child := os.fork()) == 0:
        code = _NOT_BUILT
        try:
            run()
            code = 0
        except AssertionError as error:  # the shim may see it too
            print(error, file=sys.stderr)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == _NOT_BUILT:
        raise RuntimeError("a mutant cannot be built, see above")


def _run_all(sanitizer: str, options: tuple[str, ...]) -> None:
    for what, (name, division, calls, *rounding) in CLEAN.items():
        print(f"{MARK}{what}", file=sys.stderr, flush=True)
        _run(name, _Exact(options=options), division, calls, True, *rounding)
    for what, (division, calls, change, *rounding) in MUTANTS[sanitizer].items():
        print(f"{MARK}{what}", file=sys.stderr, flush=True)
        _apart(partial(_run, "SimpleRNN", _Exact(change, options=options), division, calls, False, *rounding))
    print(f"{MARK}end", file=sys.stderr, flush=True)


if __name__ == "__main__":
    _run_all(sys.argv[1], tuple(sys.argv[2:]))
