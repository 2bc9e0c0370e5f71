"""What the processor gives to the kernels: vector lanes, registers, caches."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from llvmlite import binding
from numba.core import config

__all__ = ["cache_bytes", "lanes", "registers", "summary", "tile_rows"]


@lru_cache(maxsize=1)
def _features() -> frozenset[str]:
    """What the compiler may use, by LLVM's names: the host's, or what NUMBA_CPU_FEATURES and NUMBA_ENABLE_AVX say."""
    settings: Any = config
    if settings.CPU_FEATURES is not None:
        return frozenset(word[1:] for word in settings.CPU_FEATURES.split(",") if word.startswith("+"))
    try:
        found = {name for name, there in binding.get_host_cpu_features().items() if there}
    except RuntimeError:  # LLVM does not know this host's
        found = set()
    return frozenset(name for name in found if settings.ENABLE_AVX or not name.startswith("avx"))


def _arm() -> bool:
    return platform.machine().lower() in ("aarch64", "arm64")


def _wide() -> bool:
    return {"avx512f", "avx512dq", "avx512vl", "avx512bw"} <= _features()


def lanes(dtype: Any) -> int:
    """How many numbers of `dtype`, float32 or float64, the widest vector register holds.

    float32: 16 with AVX-512, 8 with AVX2 and FMA, 4 with NEON and SSE; float64: half of that. RNNKIT_LANES sets
    float32's for trials and tests. Raises ValueError for RNNKIT_LANES that is not 1, 2, 4, 8 or 16, and for another
    dtype.
    """
    dtype = np.dtype(dtype)
    if dtype not in (np.float32, np.float64):
        raise ValueError(f"compiled kernels compute in float32 or float64; got {dtype}")
    wish = os.environ.get("RNNKIT_LANES")
    if wish is not None:
        single = _wish(wish)
    elif _wide():
        single = 16
    elif {"avx2", "fma"} <= _features():
        single = 8
    else:
        single = 4
    return single if dtype == np.float32 else max(1, single // 2)


def _wish(text: str) -> int:
    if text.strip() not in ("1", "2", "4", "8", "16"):
        raise ValueError(
            f"RNNKIT_LANES is how many float32 a vector holds, a power of two from 1 to 16; got {text!r}. "
            "Unset it to take what the processor has"
        )
    return int(text)


def registers() -> int:
    """How many vector registers there are: 32 with AVX-512 and on 64-bit ARM, else 16."""
    return 32 if _wide() or _arm() else 16


def tile_rows() -> tuple[int, ...]:
    """The heights of register tiles of four columns, highest first: a tile of r rows keeps 4 r sums.

    With 32 registers six rows leave room for the 4 weights and the number they are multiplied with: 24 + 4 + 1 of 32.
    With 16 three rows fill 12 + 1, and three are left for the weights, the fourth of which is read where it is used:
    two rows would fit with all their weights, but two loads out of three multiplications then wait for memory.
    """
    return (6, 5, 4, 3, 2, 1) if registers() == 32 else (3, 2, 1)


@lru_cache(maxsize=4)
def cache_bytes(level: int) -> int:
    """The size in bytes of a core's data cache of that level, 1 or 2; 32 KiB and 1 MiB where the system does not tell.

    Raises ValueError for another level.
    """
    if level not in (1, 2):
        raise ValueError(f"the caches of a core have level 1 and 2; got {level!r}")
    found = _sysctl(level) if sys.platform == "darwin" else _sysfs(level)
    return found or (32 << 10, 1 << 20)[level - 1]


def _sysfs(level: int, folder: str = "/sys/devices/system/cpu/cpu0/cache") -> int:
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    for cache in sorted(Path(folder).glob("index*")):
        try:
            kind, depth, size = ((cache / name).read_text().strip() for name in ("type", "level", "size"))
        except OSError:  # a system that shows caches in part
            continue
        if kind in ("Data", "Unified") and depth == str(level) and size[:-1].isdecimal():
            return int(size[:-1]) * units.get(size[-1], 0)
    return 0


def _sysctl(level: int) -> int:
    name = {1: "hw.l1dcachesize", 2: "hw.l2cachesize"}[level]
    try:
        answer = subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, timeout=5, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return int(answer) if answer.strip().isdecimal() else 0


def summary() -> str:
    """What there is and what is missing, as a sentence."""
    if _wide():
        what = "AVX-512: vectors of 16 float32"
    elif {"avx2", "fma"} <= _features():
        what = "AVX2 only: vectors of 8 float32, half of AVX-512's"
    elif _arm():
        what = "NEON: vectors of 4 float32"
    else:
        what = "neither AVX-512 nor AVX2: vectors of 4 float32, a quarter of AVX-512's"
    wish = os.environ.get("RNNKIT_LANES")
    asked = "" if wish is None else f"; RNNKIT_LANES asks for {_wish(wish)}"
    return (
        f"{what}{asked}; {registers()} vector registers; "
        f"{cache_bytes(1) >> 10} KiB and {cache_bytes(2) >> 10} KiB of cache a core"
    )
