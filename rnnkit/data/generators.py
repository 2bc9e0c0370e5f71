"""Series that are computed, the same for everyone who asks with the same seed."""

from __future__ import annotations

import numpy as np

from rnnkit_kernels.types import Array

from .checks import count
from .series import Series

__all__ = ["hourly_temperature", "sine_waves", "trend_season_noise"]


def hourly_temperature(days: int = 200, seed: int = 7) -> Series:
    """An hourly temperature with a daily wave, a slow rise and noise.

        x(i) = trend + 5 sin(w) + N(0, 0.5),   trend from 0 to 0.005 n,   w from 0 to 2 pi days,   n = 24 days points

    days     length of the series; seed: of numpy's RandomState, whose stream never changes
    returns  24 * days values in degC, period 24, no dates
    raises   ValueError for days below 1 or a seed outside [0, 2**32); TypeError for other than whole numbers

    Both lines include their end point, as in the course text, so a day is a little shorter than 24 steps.
    """
    n = 24 * count("days", days)
    rng = _stream(seed)
    trend = np.linspace(0, 0.005 * n, n)
    wave = 5 * np.sin(np.linspace(0, days * 2 * np.pi, n))
    noise = rng.normal(0, 0.5, n)
    return Series(trend + wave + noise, None, "hourly temperature", "degC", 24)


def sine_waves(series: int = 10_000, steps: int = 51, seed: int = 42) -> Array:
    """Many short series, each the sum of two sine waves of random frequency and offset, and a little noise.

        x(t) = 0.5 sin((t - o1) (10 f1 + 10)) + 0.2 sin((t - o2) (20 f2 + 20)) + 0.1 (U - 0.5)

    series   how many, B; steps: T of each, t = 0 .. 1 with both ends, whatever T is
    seed     of numpy's RandomState. f1, f2, o1, o2 and then U are drawn from [0, 1), as by np.random.seed(seed) and
             np.random.rand
    returns  (B, T, 1) float32
    raises   ValueError for series or steps below 1 or a seed outside [0, 2**32); TypeError for other than whole numbers
    source   Géron 2019, Hands-On Machine Learning, chapter 15, to the last bit. The Spanish course text prints
             10 f1 + 10 in the second wave too, which is not what its figures were made with

    The defaults are the task of 50 steps and the one that follows; `steps=60` is that of ten steps ahead, and a series
    that a model has not seen takes another seed.
    """
    series, steps, rng = count("series", series), count("steps", steps), _stream(seed)
    f1, f2, o1, o2 = rng.rand(4, series, 1)
    t = np.linspace(0, 1, steps)
    x = 0.5 * np.sin((t - o1) * (f1 * 10 + 10))
    x += 0.2 * np.sin((t - o2) * (f2 * 20 + 20))
    x += 0.1 * (rng.rand(series, steps) - 0.5)
    return x[..., np.newaxis].astype(np.float32)


def trend_season_noise(
    days: int = 1461,
    *,
    baseline: float = 10.0,
    slope: float = 0.09,
    amplitude: float = 20.0,
    noise: float = 5.0,
    seed: int = 42,
) -> Series:
    """A daily series with a straight rise, a season of 365 days that falls, leaps and decays, and noise.

        x(t) = baseline + slope t + amplitude s(u) + noise N(0, 1),   t = 0 .. days - 1,   u = (t mod 365) / 365
        s(u) = cos(2 pi u) for u < 0.4, else exp(-3 u)

    days       length of the series; the default is four years and a day
    noise      standard deviation; 0 gives the series without
    seed       of numpy's RandomState
    returns    (days,) float64, period 365, no dates
    raises     ValueError for days below 1, a number that is not finite, negative noise or a seed outside [0, 2**32);
               TypeError for other than whole numbers in days and seed
    source     Moroney 2020, chapters 9 to 11: amplitude=15, noise=6 in chapter 9, the defaults
               after it. Its float32 differs from this by its rounding
    """
    days, rng = count("days", days), _stream(seed)
    given = {"baseline": baseline, "slope": slope, "amplitude": amplitude, "noise": noise}
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not np.isfinite(value):
            raise ValueError(f"{name} is a finite number; got {value!r}")
    if noise < 0:
        raise ValueError(f"noise is a standard deviation, from 0 up; got {noise}")
    t = np.arange(days)
    u = t % 365 / 365
    season = np.where(u < 0.4, np.cos(2 * np.pi * u), np.exp(-3 * u))
    values = baseline + slope * t + amplitude * season + noise * rng.randn(days)
    return Series(values, None, "trend, season and noise", "", 365)


def _stream(seed: int) -> np.random.RandomState:
    """numpy's old generator, whose numbers never change from version to version."""
    seed = count("seed", seed, least=0)
    if seed >= 2**32:
        raise ValueError(f"seed is below 2**32; got {seed}")
    return np.random.RandomState(seed)
