"""The command line of `python -m benchmarks`. Nothing here loads NumPy."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from . import machine
from .contenders import ALL
from .results import FILE

__all__ = ["CELL_NAMES", "GPU_GROUPS", "GROUPS", "parse"]

GROUPS = ("recurrent", "inference", "options", "convolution", "training", "streaming", "scaling", "start", "memory")
GPU_GROUPS = ("recurrent", "inference", "options", "constants", "divisions")
CELL_NAMES = ("LSTM", "GRU", "SimpleRNN")

_EXAMPLES = """\
examples:
  python -m benchmarks                                     all groups, saved and drawn
  python -m benchmarks recurrent inference --threads 1
  python -m benchmarks recurrent --cell GRU --shape 64,100,128,128 --with rnnkit,PyTorch
  python -m benchmarks recurrent --with rnnkit,NumPy,PyTorch
  python -m benchmarks --readme                            the README's section from what was saved
  python -m benchmarks --backend cuda                      on a GPU: recurrent, inference, options
  python -m benchmarks constants --backend cuda            what kernels and floors depend on
  python -m benchmarks divisions --backend cuda            persistent kernels, divided in every way

A ratio is PyTorch's time over the contender's: above 1 it is faster than PyTorch. A row that disagrees with the
textbook in float64 is FAILED and not timed, and the exit code is 1."""


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m benchmarks",
        description="rnnkit beside PyTorch, Keras, JAX and ONNX Runtime, in one process, each row validated first.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)}; all where none is named")
    parser.add_argument(
        "--backend", choices=("cpu", "cuda"), default="cpu", help=f"cuda: a GPU; its groups: {', '.join(GPU_GROUPS)}"
    )
    parser.add_argument("--seconds", type=_whole, help="on a GPU: begin no row after so many (default 540; quick 50)")
    parser.add_argument("--threads", type=_whole, help="of every contender (default: all)")
    parser.add_argument("--with", dest="contenders", type=_contenders, metavar="NAME,...", help=f"of {','.join(ALL)}")
    parser.add_argument("--cell", dest="cells", type=_cells, default=(), metavar="NAME,...", help=",".join(CELL_NAMES))
    parser.add_argument("--shape", dest="shapes", type=_shape, action="append", default=[], metavar="B,T,F,H")
    parser.add_argument("--quick", action="store_true", help="tiny shapes and short blocks: does everything run?")
    parser.add_argument("--tries", type=_whole, default=1, help="at a row that other processes disturb (default 1)")
    parser.add_argument("--blocks", type=_whole, help="blocks of each contender (default 5)")
    parser.add_argument(
        "--save", type=Path, metavar="FILE", help="where results go (of a run that nothing limits: benchmarks/results)"
    )
    parser.add_argument("--readme", action="store_true", help="remake the picture and the README's section, then end")
    options = parser.parse_args(arguments)
    known, where = (GPU_GROUPS, " on a GPU") if options.backend == "cuda" else (GROUPS, "")
    for name in options.groups:
        if name not in known:
            parser.error(f"there is no group {name!r}{where}; the groups are {', '.join(known)}")
    if options.backend == "cuda" and options.contenders is not None:
        parser.error("--with chooses among the CPU's contenders; a GPU's are PyTorch's modules in every precision")
    if options.backend == "cpu" and options.seconds is not None:
        parser.error("--seconds limits a run on a GPU: say --backend cuda too")
    if options.contenders is not None and not {"rnnkit", "NumPy"} & set(options.contenders):
        parser.error("--with names rnnkit or NumPy, or both: the others are what they are compared with")
    chosen = options.quick, options.cells, options.shapes, options.contenders, options.blocks, options.threads
    if options.save is None and not any((*chosen, options.seconds)):
        options.save = FILE.with_name("cuda.json") if options.backend == "cuda" else FILE
    options.threads = options.threads or machine.cores()
    return options


def _whole(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number from 1 up is expected; got {text!r}")
    return int(text)


def _shape(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f"sizes from 1 up with commas between are expected; got {text!r}")
    return tuple(map(int, parts))


def _names(text: str, known: Sequence[str]) -> tuple[str, ...]:
    by_name = {name.lower(): name for name in known}
    unknown = [part for part in text.split(",") if part.lower() not in by_name]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no {', '.join(unknown)} among {', '.join(known)}")
    return tuple(by_name[part.lower()] for part in text.split(","))


def _contenders(text: str) -> tuple[str, ...]:
    return _names(text, list(ALL))


def _cells(text: str) -> tuple[str, ...]:
    return _names(text, CELL_NAMES)
