"""Series that are computed, the same for everyone who asks with the same seed."""

from __future__ import annotations

import numpy as np

from .checks import count
from .series import Series

__all__ = ["hourly_temperature"]


def hourly_temperature(days: int = 200, seed: int = 7) -> Series:
    """An hourly temperature with a daily wave, a slow rise and noise.

        x(i) = trend + 5 sin(w) + N(0, 0.5),   trend from 0 to 0.005 n,   w from 0 to 2 pi days,   n = 24 days points

    days     length of the series; seed: of numpy's RandomState, whose stream never changes
    returns  24 * days values in degC, period 24, no dates
    raises   ValueError for days below 1 or a seed outside [0, 2**32); TypeError for other than whole numbers

    Both lines include their end point, as in the course text, so a day is a little shorter than 24 steps.
    """
    n = 24 * count("days", days)
    seed = count("seed", seed, least=0)
    if seed >= 2**32:
        raise ValueError(f"seed is below 2**32; got {seed}")
    trend = np.linspace(0, 0.005 * n, n)
    wave = 5 * np.sin(np.linspace(0, days * 2 * np.pi, n))
    noise = np.random.RandomState(seed).normal(0, 0.5, n)
    return Series(trend + wave + noise, None, "hourly temperature", "degC", 24)
