"""Who computes the same: rnnkit and its peers, each in a file of its own, imported only where its package is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

__all__ = ["ALL", "REFERENCE", "Contender", "load"]

REFERENCE = "PyTorch"


@dataclass(frozen=True)
class Contender:
    """name: as in tables and on the command line. recurrent(workload) -> Runner, or None for what it cannot do."""

    name: str
    recurrent: Callable[[Any], Any]


# name: the module of this package, what it imports, and what installs that
ALL: dict[str, tuple[str, tuple[str, ...], str]] = {
    "rnnkit": ("ours", (), ""),
    "NumPy": ("ours", (), ""),
    "PyTorch": ("pytorch", ("torch",), "pip install 'rnnkit[bench]'"),
    "Keras": ("keras3", ("keras",), "pip install 'rnnkit[peers]'"),
    "JAX": ("jax_scan", ("jax",), "pip install 'rnnkit[peers]'"),
    "ONNX": ("onnx_runtime", ("onnx", "onnxruntime"), "pip install 'rnnkit[peers]'"),
}


def load(names: Iterable[str], threads: int) -> tuple[dict[str, Contender], dict[str, str]]:
    """The contenders of those names, held to that many threads; and for each that is missing a sentence saying why."""
    found: dict[str, Contender] = {}
    missing: dict[str, str] = {}
    for name in names:
        module, packages, command = ALL[name]
        absent = [package for package in packages if find_spec(package) is None]
        if absent:
            missing[name] = f"{name} is not in the table: {' and '.join(absent)} not installed ({command})"
        else:
            found[name] = import_module(f".{module}", __name__).contender(name, threads)
    return found, missing
