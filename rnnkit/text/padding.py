"""Sequences of different length in one array."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from rnnkit_kernels.types import Array

from ..border import whole

__all__ = ["pad_sequences"]


def pad_sequences(
    sequences: Any,
    maxlen: int | None = None,
    dtype: DTypeLike = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> Array:
    """All sequences in one array: shorter ones filled up with `value`, longer ones cut.

    sequences   a list of B sequences (lists or arrays), whose items are numbers or arrays of one shape S; some may be
                empty
    maxlen      steps T of the result; None takes the longest sequence
    dtype       of the result. An integer dtype, the default, cuts fractions off
    padding     "pre" or "post": where the fill stands. "pre" keeps the last word next to a recurrent layer's output
    truncating  "pre" or "post": the end that a long sequence loses. "pre" keeps its last T items
    value       the fill; a str needs dtype=object or a dtype of str
    returns     (B, T, *S)
    raises      ValueError for what is no list of sequences, for no sequences without a maxlen, items of different
                shapes, items or a value that the dtype cannot hold (NumPy would wrap round those of an array), other
                words for padding and truncating, a maxlen below 1

    The numbers are those of keras.utils.pad_sequences. Keras lets maxlen=0 and unknown words for padding pass where
    no sequence comes across them; here they are always refused.
    """
    for name, given in (("padding", padding), ("truncating", truncating)):
        if given not in ("pre", "post"):
            raise ValueError(f"{name} is 'pre' or 'post'; got {given!r}")
    lengths = _lengths(sequences)
    kind = np.dtype(dtype).kind
    if isinstance(value, str) and kind not in "OUS":
        raise ValueError(f"value {value!r} does not fit dtype {np.dtype(dtype)}; pass dtype=object for words")
    if maxlen is not None:
        maxlen = whole("maxlen", maxlen, least=1)
    elif not lengths:
        raise ValueError("there are no sequences to take the length from; pass maxlen")
    else:
        maxlen = max(lengths)
    inner = next((_items(k, sequences[k], dtype).shape[1:] for k, length in enumerate(lengths) if length), ())
    padded = np.full((len(lengths), maxlen, *inner), _cast("the value", value, dtype), dtype)
    for k, (sequence, length) in enumerate(zip(sequences, lengths, strict=True)):
        if not length:
            continue
        kept = _items(k, sequence[-maxlen:] if truncating == "pre" else sequence[:maxlen], dtype)
        if kept.shape[1:] != inner:
            raise ValueError(f"the items of sequence {k} have shape {kept.shape[1:]}, those before it {inner}")
        padded[k, slice(None, len(kept)) if padding == "post" else slice(-len(kept), None)] = kept
    return padded


def _lengths(sequences: Any) -> list[int]:
    if not _has_items(sequences):
        raise ValueError(f"sequences is a list of sequences; got {type(sequences).__name__}")
    for k, sequence in enumerate(sequences):
        if not _has_items(sequence):
            shown = f"{type(sequence).__name__} {sequence!r:.60}"
            raise ValueError(f"sequence {k} is a list or an array of items; got {shown}")
    return [len(sequence) for sequence in sequences]


def _has_items(given: Any) -> bool:
    """Whether it has a length and can be sliced; a str has both, and is meant as one item all the same."""
    sliced = hasattr(given, "__len__") and hasattr(given, "__getitem__") and not isinstance(given, (str, bytes, dict))
    return sliced and getattr(given, "ndim", 1) > 0


def _items(number: int, items: Any, dtype: DTypeLike) -> Array:
    return _cast(f"the items of sequence {number}", items, dtype)


def _cast(what: str, given: Any, dtype: DTypeLike) -> Array:
    kind = np.dtype(dtype)
    try:
        array = np.asarray(given, None if isinstance(given, np.ndarray | np.generic | float) else kind)
        if kind.kind in "iu" and array.dtype != kind and array.dtype.kind in "iuf" and array.size:
            low, high = np.iinfo(kind).min, np.iinfo(kind).max
            if not (array.min() >= low and array.max() < high + 1):  # NaN is neither
                raise ValueError(f"it goes from {low} to {high}, these from {array.min()} to {array.max()}")
        return array.astype(kind, copy=False)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{what} cannot be held in {kind}: {error}") from None
