"""Tells what is installed and what would run: a line each."""

from __future__ import annotations

import os
import platform
import textwrap
from argparse import ArgumentParser, Namespace
from importlib import metadata
from importlib.util import find_spec

import numpy as np

from rnnkit_kernels import backends
from rnnkit_kernels.cuda_gpu.missing import facts

from .. import __version__
from .threads import CHOSEN_BY, blas

__all__ = ["EXAMPLES", "HELP", "add_arguments", "run"]

HELP = "tell what is installed and what would run"
EXAMPLES = "Nothing is changed, compiled or looked up on the net."

_WIDTH, _LEFT = 80, " " * 13


def add_arguments(parser: ArgumentParser) -> None:
    """None: there is nothing to choose."""


def run(options: Namespace) -> int:
    print(f"rnnkit       {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}")
    name, threads = blas()
    print(f"numpy        {np.__version__}, BLAS {name}")
    print(f"cores        {_cores()} usable; {_threads(threads)}")
    print(f"numpy        backend: {_ready('numpy')}")
    if (numba := _version("numba")) is None:
        print("numba        not installed, no compiled kernels: pip install 'rnnkit[numba]'")
    else:
        print(f"numba        {numba}; backend: {_ready('numba')}", *_compiled(), sep="\n")
    print(*_gpu(), sep="\n")
    for package, use in (("matplotlib", "plot"), ("safetensors", ""), ("tqdm", "")):
        missing = f"missing, no pictures: pip install 'rnnkit[{use}]'" if use else "missing: pip install rnnkit"
        print(f"{package:<12} {_version(package) or missing}")
    return 0


def _ready(name: str) -> str:
    chosen = "; 'auto' takes it" if backends.backend("auto").name == name else ""
    return f"ready{chosen}"


def _gpu() -> list[str]:
    """What the GPU backend has, a line each, and what it lacks."""
    found = facts()
    lines = [f"{name:<12} {text}" for name, text in found.items()]
    lines.append(f"cuda         backend: {'ready' if found.missing is None else found.missing}")
    return [part for line in lines for part in textwrap.wrap(line, _WIDTH, subsequent_indent=_LEFT)]


def _compiled() -> list[str]:
    """What the compiled kernels have, a line each."""
    try:
        from rnnkit_kernels.numba_cpu.account import facts
    except ImportError as error:
        return textwrap.wrap(f"lost         {error}", _WIDTH, subsequent_indent=_LEFT)
    known = facts()
    vectors, _, caches = known["lanes"].rpartition("; ")
    kept = known["cache"]
    room = _WIDTH - len(_LEFT)
    lines = [
        f"vectors      {vectors}",
        f"caches       {caches}",
        f"threads      {known['threads']}",
        f"compiled     kept in {kept if len(kept) <= room - 8 else '...' + kept[11 - room :]}",
    ]
    if "lost" in known:
        lines += textwrap.wrap(f"lost         {known['lost']}", _WIDTH, subsequent_indent=_LEFT)
    return lines


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
