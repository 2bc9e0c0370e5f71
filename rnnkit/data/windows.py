"""A series cut into windows: as views, or as shuffled batches for training."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

from rnnkit_kernels.types import Array

from .batches import Batches, in_time, permuted, through_buffer
from .checks import count, finite, numbers

__all__ = ["timeseries_dataset_from_array", "windowed_dataset", "windows"]


def windows(series: ArrayLike, length: int, horizon: int = 1, lead: int = 0, stride: int = 1) -> tuple[Array, Array]:
    """Cuts a series into (past, future) pairs for supervised training.

    series   (N, D) or (N,), real; rows are equally spaced in time, oldest first
    length   steps of past per pair; horizon: steps of future
    lead     steps left out between past and future; stride: steps between pairs
    returns  past (K, length, D), future (K, horizon, D), D = 1 for a series (N,); read-only views of `series`;
             K = (N - length - lead - horizon) // stride + 1. Pair k begins at row i = k * stride, its future at row
             i + length + lead
    raises   ValueError if the series is too short ("40 steps are too few for a window of 36 + 12"), for sizes below 1
             (lead: 0), a wrong rank, NaN or infinity; TypeError for what is not numbers

    No pair sees a future row in its past.
    """
    array = numbers("series", series)
    length, horizon = count("length", length), count("horizon", horizon)
    lead, stride = count("lead", lead, least=0), count("stride", stride)
    span = length + lead + horizon
    if len(array) < span:
        parts = f"{length} + {horizon}" if lead == 0 else f"{length} + {lead} left out + {horizon}"
        raise ValueError(f"{len(array)} steps are too few for a window of {parts}")
    finite("series", array)
    table = array[:, None] if array.ndim == 1 else array
    pairs = np.moveaxis(sliding_window_view(table, span, axis=0), -1, 1)[::stride]
    return pairs[:, :length], pairs[:, length + lead :]


def windowed_dataset(
    series: ArrayLike, window_size: int, batch_size: int, shuffle_buffer: int | None, seed: int | None = 0
) -> Batches:
    """Windows of `window_size` steps with the step after them as label, shifted by one step, shuffled and batched.

    series          (N,) or (N, D), real, oldest first
    shuffle_buffer  slots of the shuffle buffer, as in tf.data; 0 or None keeps the order of time, for validation
    seed            every pass has a new order, and the same seed gives the same passes; None draws a seed
    returns         batches x (B, window_size, D), y (B, D), with D = 1 for a series (N,); the last one may be smaller
    raises          ValueError if the series has no window_size + 1 steps, for sizes below 1 (shuffle_buffer: 0), a
                    wrong rank, NaN or infinity; TypeError for what is not numbers

    Source: Moroney, AI and Machine Learning for Coders (2020), chapters 10 and 11.
    """
    array = numbers("series", series)
    window_size, batch_size = count("window_size", window_size), count("batch_size", batch_size)
    buffer = 0 if shuffle_buffer is None else count("shuffle_buffer", shuffle_buffer, least=0)
    if len(array) <= window_size:
        raise ValueError(f"{len(array)} steps are too few for a window of {window_size} + 1")
    finite("series", array)
    table = array[:, None] if array.ndim == 1 else array
    return Batches(
        table,
        np.arange(len(table) - window_size),
        np.arange(window_size),
        targets=table[window_size:],
        batch_size=batch_size,
        order=through_buffer(buffer) if buffer else in_time,
        seed=_seed(seed),
    )


def timeseries_dataset_from_array(
    data: ArrayLike,
    targets: ArrayLike | None,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
) -> Batches:
    """Windows over `data` with the arguments, and exactly the windows, of Keras 3's function of this name.

    data             (N, ...), real, time along the first axis; its rank is kept: (N,) gives x (B, L), (N, D) (B, L, D)
    targets          (M, ...): targets[i] belongs to the window that begins at data[i]; None yields x alone. Targets
                     shorter than the windows end the windows early (at most M of them before striding), as in Keras
    sequence_length  L, steps of a window; sequence_stride: rows between windows; sampling_rate: rows between steps
    batch_size       windows per batch, the last may be smaller; None yields single windows x (L, ...), y (...)
    shuffle          a new order in every pass, over all windows (Keras: within a buffer); `seed` makes it reproducible
    start_index      rows before it are not used; end_index: nor rows from it on; both lie inside `data`
    raises           ValueError for every argument that Keras refuses, and where Keras yields nothing or fails later: no
                     window fits, targets end too early, NaN or infinity in a row that is used; TypeError for what
                     is not numbers

    Source: keras.utils.timeseries_dataset_from_array, Keras 3.
    """
    array = numbers("data", data, ranks=())
    length, rate = count("sequence_length", sequence_length), count("sampling_rate", sampling_rate)
    stride = count("sequence_stride", sequence_stride)
    size = None if batch_size is None else count("batch_size", batch_size)
    n = len(array)
    for name, step in (("sampling_rate", rate), ("sequence_stride", stride)):
        if step >= n:
            raise ValueError(f"{name} is smaller than the number of rows, {n}; got {step}")
    start, end = _rows(n, start_index, end_index)

    span = (length - 1) * rate + 1
    fitting = end - start - span + 1
    if fitting < 1:
        every = "" if rate == 1 else f" taken every {rate} rows ({span} rows)"
        raise ValueError(f"{end - start} rows are too few for a window of {length} steps{every}")
    wanted: Array | None = None
    if targets is not None:
        wanted = numbers("targets", targets, ranks=())
        fitting = min(fitting, len(wanted))
    starts = np.arange(0, fitting, stride)
    last = int(starts[-1])
    finite("data", array[start : start + last + span], first=start)
    if wanted is not None:
        if start + last >= len(wanted):
            raise ValueError(
                f"the windows begin at rows {start} to {start + last} of data and need {start + last + 1} targets; "
                f"got {len(wanted)}"
            )
        wanted = wanted[start:]
        finite("targets", wanted[starts[0] : last + 1 : stride], first=start, step=stride)
    return Batches(
        array[start:end],
        starts,
        np.arange(length) * rate,
        targets=wanted,
        batch_size=size,
        order=permuted if shuffle else in_time,
        seed=_seed(seed),
    )


def _rows(n: int, start_index: int | None, end_index: int | None) -> tuple[int, int]:
    """The first row used and the row after the last, of n."""
    start = 0 if start_index is None else count("start_index", start_index, least=0)
    if start >= n:
        raise ValueError(f"start_index lies inside the data, 0 to {n - 1}; got {start}")
    if end_index is None:
        return start, n
    end = count("end_index", end_index)
    if end >= n:
        raise ValueError(
            f"end_index lies inside the data, 1 to {n - 1}; got {end}. To use every row, leave it out (None)"
        )
    if end <= start:
        raise ValueError(f"end_index is larger than start_index; got {end} and {start}")
    return start, end


def _seed(seed: int | None) -> int | None:
    return None if seed is None else count("seed", seed, least=0)
