"""Sequences of different length: padded once, at the border, with a mask from then on."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnkit_kernels.types import Array

__all__ = ["is_ragged", "is_samples", "pad"]


def is_samples(x: Any, rank: int | None) -> bool:
    """Whether x is a list of samples, arrays or lists, and not one of batches, which have `rank` axes."""
    if not isinstance(x, (list, tuple)) or not len(x) or rank is None or not all(hasattr(s, "__len__") for s in x):
        return False
    return all(_axes(s) in (rank - 1, 0) for s in x)


def is_ragged(x: Any, rank: int | None) -> bool:
    """Whether x is a list of samples that differ in their number of steps."""
    return is_samples(x, rank) and len({len(s) for s in x}) > 1


def _axes(sample: Any) -> int:
    """How many axes a sample has; 0 for an empty list, which fits any."""
    if hasattr(sample, "ndim"):
        return int(sample.ndim)
    axes = 0
    while isinstance(sample, (list, tuple)):
        if not len(sample):
            return 0
        sample, axes = sample[0], axes + 1
    return axes + int(getattr(sample, "ndim", 0))


def pad(x: Any, y: Any = None) -> tuple[Array, Any, Array]:
    """x in one array (B, T, ...), zeros after the end of each sample; y likewise, if it has steps; lengths (B,).

    Raises ValueError where samples differ in more than their length, or targets in length from their samples.
    """
    lengths = np.array([len(s) for s in x])
    if is_ragged(y, _axes(y[0]) + 1 if isinstance(y, (list, tuple)) and len(y) else None):
        for k, (n, target) in enumerate(zip(lengths, y, strict=False)):
            if len(target) != n:
                raise ValueError(
                    f"sample {k} has {n} steps in x and {len(target)} in y; expected a target for each step"
                )
        y = _filled("y", y, int(lengths.max()))
    return _filled("x", x, int(lengths.max())), y, lengths


def _filled(name: str, samples: Any, steps: int) -> Array:
    arrays = [np.asarray(s) for s in samples]
    inner = next((a.shape[1:] for a in arrays if a.size), ())
    padded = np.zeros((len(arrays), steps, *inner), np.result_type(*(a for a in arrays if a.size)))
    for k, a in enumerate(arrays):
        if a.size and a.shape[1:] != inner:
            raise ValueError(f"{name}: sample {k} has shape {a.shape}, expected (steps, {', '.join(map(str, inner))})")
        if a.size:
            padded[k, : len(a)] = a
    return padded
