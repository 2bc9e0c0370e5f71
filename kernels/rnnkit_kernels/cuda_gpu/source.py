"""The whole text of a module: what only a GPU has, the mathematics, a skeleton, and what was printed for a cell."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

__all__ = ["assembled", "part"]

_HEAD = """\
typedef {real} real;
#define NAN_ __longlong_as_double(0x7ff8000000000000LL)
#define INFINITY_ __longlong_as_double(0x7ff0000000000000LL)
"""


# What stands in front of a skeleton that is made of several parts.
_BEFORE = {"level.cuh": ("pieces.cuh", "tensor.cuh")}


@lru_cache(maxsize=16)
def part(name: str) -> str:
    """A file of `sources`."""
    return resources.files(__package__).joinpath("sources", name).read_text(encoding="utf-8")


def assembled(real: str, skeleton: str, printed: str, device: str | None = None) -> str:
    """real: "float" or "double". device: stands for `device.cuh` where kernels run elsewhere than on a GPU."""
    begin = part("device.cuh") if device is None else device
    parts = [part(name) for name in ("maths.cuh", *_BEFORE.get(skeleton, ()), skeleton)]
    return "\n".join([_HEAD.format(real=real), begin, *parts, printed])
