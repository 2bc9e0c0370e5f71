"""Runs the benchmarks of the checkout: rnnkit beside PyTorch, Keras, JAX and
ONNX Runtime, each row validated before it is timed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from importlib.util import find_spec
from pathlib import Path

__all__ = ["EXAMPLES", "HELP", "add_arguments", "run"]

HELP = "compare speed with PyTorch and others"
EXAMPLES = "Everything behind 'bench' goes to 'python -m benchmarks'."


def add_arguments(parser: ArgumentParser) -> None:
    parser.prefix_chars = "\0"  # so that options, --help too, are handed on as they stand
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="...", help="as of 'python -m benchmarks'")


def run(options: Namespace) -> int:
    """A process of its own: the number of threads is set before NumPy is loaded, and here it is.

    Raises ImportError where the checkout's `benchmarks` is not there.
    """
    paths = [str(_root()), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    code = subprocess.run([sys.executable, "-m", "benchmarks", *options.rest], env=environment, check=False).returncode
    return code if code >= 0 else 128 - code  # ended by a signal, as a shell says it


def _root() -> Path:
    """The folder that `benchmarks` lies in: that of the package `rnnkit`, else one that Python finds it in."""
    folders = [Path(__file__).resolve().parents[2] / "benchmarks"]
    if (spec := find_spec("benchmarks")) is not None and spec.submodule_search_locations:
        folders += map(Path, spec.submodule_search_locations)
    for folder in folders:
        if (folder / "contenders" / "ours.py").is_file():
            return folder.parent
    raise ImportError(
        "the benchmarks are not installed with rnnkit: take a checkout of its repository, install it with "
        "pip install --editable '.[bench]', and run rnnkit bench there"
    )
