"""The levels of wavenet.py: a noisy wave as whole numbers, and how much of it nobody can know."""

import numpy as np

LEVELS, LOW, HIGH, NOISE = 64, -0.75, 0.75, 0.1


def to_level(values):
    return np.clip((values - LOW) / (HIGH - LOW) * LEVELS, 0, LEVELS - 1).astype(np.int64)


def to_value(levels):
    """The middle of a level."""
    return np.float32(LOW + (levels + 0.5) * (HIGH - LOW) / LEVELS)


def noise_alone():
    """Nats a step of one who knows the waves: the noise, uniform, falls on some levels, wherever the wave runs."""
    edges = np.arange(-1, 8) * (HIGH - LOW) / LEVELS
    starts = np.linspace(0, edges[1] - edges[0], 1_000)[:, None] - (edges[1] - edges[0])
    share = np.diff(np.clip(edges - starts, 0, NOISE)) / NOISE
    return float(-(share * np.log(np.where(share > 0, share, 1))).sum(axis=1).mean())
