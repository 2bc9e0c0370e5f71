"""How many threads this process may use: `available`."""

from __future__ import annotations

import math
import os
from functools import lru_cache
from pathlib import Path

__all__ = ["LIMIT", "available", "cores"]

LIMIT = 256
"""The most threads a team ever has."""


def available() -> int:
    """RNNKIT_NUM_THREADS where it is set, else `cores()`; at most `LIMIT`.

    Raises ValueError if RNNKIT_NUM_THREADS is not a whole number from 1 on.
    """
    wish = os.environ.get("RNNKIT_NUM_THREADS")
    return min(cores() if wish is None else _wish(wish), LIMIT)


def cores() -> int:
    """The cores this process may use: those it is bound to, and no more than its control group's share of time."""
    if hasattr(os, "sched_getaffinity"):
        bound = len(os.sched_getaffinity(0))
    else:
        bound = os.cpu_count() or 1
    return min(bound, quota())


@lru_cache(maxsize=8)
def _wish(text: str) -> int:
    if not text.strip().isdecimal() or int(text) < 1:
        raise ValueError(
            f"RNNKIT_NUM_THREADS is how many threads to compute with, a whole number from 1 on; got {text!r}. "
            "Unset it to use every core this process may use"
        )
    return int(text)


@lru_cache(maxsize=1)
def quota(groups: str = "/proc/self/cgroup", mounted: str = "/sys/fs/cgroup") -> int:
    """The cores' worth of time that the control groups of this process grant, rounded up; `LIMIT` without a bound.

    groups: the file that names this process' groups; mounted: where the groups' files are. A container often sees its
    own group at the root only, so every folder from the group upwards is asked.
    """
    try:
        lines = Path(groups).read_text().splitlines()
    except OSError:  # not Linux, or no /proc
        return LIMIT
    granted = [float(LIMIT)]
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            roots = [Path(mounted), Path(mounted) / "unified"]
        elif "cpu" in controllers.split(","):
            roots = [Path(mounted) / controllers, Path(mounted) / "cpu"]
        else:
            continue
        parts = Path(group).parts[1:]
        for root in roots:
            for depth in range(len(parts) + 1):
                granted.extend(_share(root.joinpath(*parts[:depth])))
    return max(1, math.ceil(min(granted)))


def _share(folder: Path) -> list[float]:
    """The share of time this folder of a control group grants, if it bounds it: quota / period."""
    for read in (_version2, _version1):
        try:
            share, period = read(folder)
        except (OSError, ValueError):  # no such file, or "max": no bound here
            continue
        if share > 0 and period > 0:
            return [share / period]
    return []


def _version2(folder: Path) -> tuple[int, int]:
    share, period = (folder / "cpu.max").read_text().split()
    return int(share), int(period)


def _version1(folder: Path) -> tuple[int, int]:
    return int((folder / "cpu.cfs_quota_us").read_text()), int((folder / "cpu.cfs_period_us").read_text())
