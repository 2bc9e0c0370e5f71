"""Tells what is installed and what would run: a line each."""

from __future__ import annotations

import os
import platform
from argparse import ArgumentParser, Namespace
from importlib import metadata
from importlib.util import find_spec

import numpy as np

from rnnkit_kernels import backends

from .. import __version__
from .threads import CHOSEN_BY, blas

__all__ = ["EXAMPLES", "HELP", "add_arguments", "run"]

HELP = "tell what is installed and what would run"
EXAMPLES = "Nothing is changed, compiled or looked up on the net."


def add_arguments(parser: ArgumentParser) -> None:
    """None: there is nothing to choose."""


def run(options: Namespace) -> int:
    print(f"rnnkit       {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}")
    name, threads = blas()
    print(f"numpy        {np.__version__}, BLAS {name}")
    print(f"cores        {_cores()} usable; {_threads(threads)}")
    print(f"numpy        backend: {_ready('numpy')}")
    for package in ("numba", "cupy"):
        print(f"{package:<12} {_version(package) or 'not installed'}; backend: {_ready(package)}")
    for package, use in (("matplotlib", "plot"), ("safetensors", ""), ("tqdm", "")):
        missing = f"missing, no pictures: pip install 'rnnkit[{use}]'" if use else "missing: pip install rnnkit"
        print(f"{package:<12} {_version(package) or missing}")
    return 0


def _ready(name: str) -> str:
    if name in backends.NAMES:
        chosen = "; 'auto' takes it" if backends.backend("auto").name == name else ""
        return f"ready{chosen}"
    return "no kernels yet, this version is NumPy only"


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not every system knows which cores a process may use
        return os.cpu_count() or 1


def _threads(count: int | None) -> str:
    given = [f"{name}={value}" for name in CHOSEN_BY if (value := os.environ.get(name))]
    if given:
        return ", ".join(given)
    return f"BLAS threads {'unknown' if count is None else count}, 1 in 'rnnkit train'"


def _version(package: str) -> str | None:
    """The installed version, without importing the package."""
    if find_spec(package) is None:
        return None
    names = metadata.packages_distributions().get(package, [package])
    try:
        return metadata.version(names[0])
    except metadata.PackageNotFoundError:
        return "of unknown version"
