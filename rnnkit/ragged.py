"""Sequences of different length: padded once, at the border, with a mask from then on."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnkit_kernels.types import Array

__all__ = ["as_list", "beside", "is_ragged", "is_samples", "pad"]


def as_list(given: Any) -> Any:
    """An array of objects, as data sets of texts are kept, as the list that it stands for; all else as it is."""
    return list(given) if isinstance(given, np.ndarray) and given.dtype == object and given.ndim == 1 else given


def is_samples(x: Any, rank: int | None) -> bool:
    """Whether x is a list of samples, arrays or lists, and not one of batches, which have `rank` axes."""
    if not isinstance(x, (list, tuple)) or not len(x) or rank is None:
        return False
    if not all(hasattr(s, "__len__") and not isinstance(s, (str, bytes)) for s in x):
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
    if is_ragged(y, max(map(_axes, y)) + 1 if isinstance(y, (list, tuple)) and len(y) else None):
        y = _of_lengths("y", y, lengths)
    return _filled("x", x, int(lengths.max())), y, lengths


def beside(name: str, given: Any, lengths: Array) -> Any:
    """What goes with samples of these lengths: one value for each of their steps, padded likewise; all else as it is.

    Raises ValueError where a sample has another number of values than steps.
    """
    given = as_list(given)
    return _of_lengths(name, given, lengths) if is_ragged(given, 2) else given


def _of_lengths(name: str, given: Any, lengths: Array) -> Array:
    if len(given) != len(lengths):
        raise ValueError(f"x has {len(lengths)} samples and {name} {len(given)}: expected one for each")
    for k, (n, values) in enumerate(zip(lengths, given, strict=True)):
        if len(values) != n:
            what = "a target" if name == "y" else "one"
            raise ValueError(
                f"sample {k} has {n} steps in x and {len(values)} in {name}; expected {what} for each step"
            )
    return _filled(name, given, int(lengths.max()))


def _filled(name: str, samples: Any, steps: int) -> Array:
    try:
        arrays = [np.asarray(s) for s in samples]
    except ValueError:
        raise TypeError(
            f"{name}: a sample is a list of steps that differ in length; expected the same numbers at each step"
        ) from None
    inner = next((a.shape[1:] for a in arrays if a.size), ())
    padded = np.zeros((len(arrays), steps, *inner), np.result_type(*(a for a in arrays if a.size)))
    for k, a in enumerate(arrays):
        if a.size and a.shape[1:] != inner:
            raise ValueError(f"{name}: sample {k} has shape {a.shape}, expected (steps, {', '.join(map(str, inner))})")
        if a.size:
            padded[k, : len(a)] = a
    return padded
