"""The border: what users hand in becomes arrays of one dtype here, or is refused in a sentence."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rnnkit_kernels.types import Array

__all__ = ["axes_of", "check_lengths", "surely_finite", "to_array", "to_finite", "to_lengths", "to_mask", "whole"]

_AXES = {1: ("sample",), 2: ("sample", "feature"), 3: ("sample", "step", "feature")}


def axes_of(ndim: int) -> tuple[str, ...]:
    """What the axes of a batch are called in messages."""
    return _AXES.get(ndim, ("sample", *(f"axis {k}" for k in range(1, ndim))))


def to_array(name: str, given: Any, dtype: Any) -> Array:
    """`given` as an array of that dtype. Raises TypeError for what is not numbers, or not all of one length."""
    try:
        array = np.asarray(given)
    except ValueError:
        raise TypeError(
            f"{name} is not an array: its rows differ in length; pad them to one length and pass a mask"
        ) from None
    if array.dtype.kind not in "biuf":
        hint = ": rnnkit.text makes numbers of texts; number the classes" if array.dtype.kind in "US" else ""
        raise TypeError(f"{name} is made of {array.dtype}, expected real numbers{hint}")
    if array.ndim == 0:
        raise ValueError(f"{name} is a single number; expected an array whose first axis runs over samples")
    if np.dtype(dtype).kind == "i":
        if array.dtype.kind == "f" and len(bad := array[~(np.isfinite(array) & (np.floor(array) == array))]):
            raise ValueError(f"{name} chooses by index: expected whole numbers, got {bad[0]} ({array.dtype})")
        return array.astype(dtype, copy=False)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is named as that
        return array.astype(dtype, copy=False)


def to_mask(name: str, given: Any, x: Array) -> Array:
    """Flags (B, T) of bool for x (B, T, ...); for indices x (B, T)."""
    try:
        mask = np.asarray(given)
    except ValueError:
        raise TypeError(f"{name} is not an array: its rows differ in length; expected {x.shape[:2]}") from None
    if mask.dtype != bool:
        true = "a step is real; pass mask != 0" if name == "mask" else "a row begins anew"
        raise TypeError(f"{name} is made of {mask.dtype}, expected bool, True where {true}")
    if x.ndim < (2 if x.dtype.kind == "i" else 3):
        raise ValueError(f"a {name} goes with x (batch, time, features); got x of shape {x.shape}")
    if mask.shape != x.shape[:2]:
        raise ValueError(f"the {name} is (batch, time) = {x.shape[:2]} for x of shape {x.shape}; got {mask.shape}")
    return mask


def to_lengths(given: Any, x: Array) -> Array:
    """The mask (B, T) of rows that end after so many steps, (B,) whole numbers from 0 to T."""
    lengths = np.asarray(given)
    if x.ndim < 2 or lengths.shape != x.shape[:1] or lengths.dtype.kind not in "iu":
        raise ValueError(
            f"lengths are whole numbers, one for each row of x {x.shape}; got {lengths.shape} {lengths.dtype}"
        )
    if ((lengths < 0) | (lengths > x.shape[1])).any():
        raise ValueError(f"lengths go from 0 to the {x.shape[1]} steps of x; got {lengths.min()} to {lengths.max()}")
    return np.arange(x.shape[1]) < lengths[:, None]


def to_finite(name: str, array: Array, mask: Array | None = None) -> Array:
    """The array, if all of it is finite; the first NaN or infinity is named by its position.

    Behind a mask there may be anything. What is not finite there comes back as 0: 0 * NaN is NaN, wherever they meet.
    """
    good = np.isfinite(array)
    if good.all():
        return array
    real = True if mask is None else mask.reshape(mask.shape + (1,) * (array.ndim - mask.ndim))
    bad = np.argwhere(~good & real)
    if not len(bad):
        return np.where(real, array, 0).astype(array.dtype, copy=False)
    first = tuple(bad[0])
    where = ", ".join(f"{axis} {k}" for axis, k in zip(axes_of(array.ndim), first, strict=True))
    raise ValueError(
        f"{name} has {array[first]} at {where} ({len(bad)} of {array.size} values are not finite): "
        "fill or drop them, or mask the steps they stand in"
    )


def surely_finite(array: Array) -> bool:
    """Whether one product of the array with itself is finite, and so all of it: False says nothing, squares may
    overflow. A third of what a look at every number costs where they are few."""
    if array.size == 1:
        return math.isfinite(array.item())
    flat = array.ravel()
    return math.isfinite(flat.dot(flat))


def whole(name: str, given: Any, least: int) -> int:
    """`given` as an int. Raises ValueError for what is no whole number from `least` up."""
    if isinstance(given, bool) or not isinstance(given, (int, np.integer)) or given < least:
        raise ValueError(f"{name} is a whole number from {least} up, got {given!r}")
    return int(given)


def check_lengths(**arrays: Array | None) -> int:
    """All arrays have one first axis, and it is not empty: its length."""
    sizes = {name: len(a) for name, a in arrays.items() if a is not None}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"every array has one row a sample; got {', '.join(f'{k}: {n}' for k, n in sizes.items())}")
    (count,) = set(sizes.values())
    if count == 0:
        raise ValueError(f"the data set is empty: {', '.join(sizes)} have no samples")
    return count
