"""Windows against a slow loop, against Keras, and what they refuse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnkit.data import timeseries_dataset_from_array, windowed_dataset, windows

SIZES = st.integers(1, 6)


def ramp(n, columns=None):
    """Values that name their own row: row i is i, or 100 i + column."""
    rows = np.arange(n, dtype=np.float64)
    return rows if columns is None else 100 * rows[:, None] + np.arange(columns)


def slow_windows(series, length, horizon, lead, stride):
    pasts, futures = [], []
    i = 0
    while i + length + lead + horizon <= len(series):
        pasts.append([series[i + k] for k in range(length)])
        futures.append([series[i + length + lead + k] for k in range(horizon)])
        i += stride
    return np.array(pasts), np.array(futures)


@given(st.integers(0, 30), SIZES, SIZES, st.integers(0, 5), SIZES, st.sampled_from([1, 3]))
def test_windows_are_those_of_a_slow_loop(extra, length, horizon, lead, stride, columns):
    series = ramp(length + lead + horizon + extra, columns)
    past, future = windows(series, length, horizon, lead, stride)
    slow_past, slow_future = slow_windows(series, length, horizon, lead, stride)
    assert np.array_equal(past, slow_past)
    assert np.array_equal(future, slow_future)
    assert len(past) == (len(series) - length - lead - horizon) // stride + 1


@given(st.integers(0, 30), SIZES, SIZES, st.integers(0, 5), SIZES)
def test_no_window_sees_its_own_future(extra, length, horizon, lead, stride):
    past, future = windows(ramp(length + lead + horizon + extra), length, horizon, lead, stride)
    assert (past.max(axis=(1, 2)) + lead + 1 == future.min(axis=(1, 2))).all()


def test_windows_are_read_only_views_of_the_series():
    series = ramp(20)
    past, future = windows(series, 5)
    assert np.shares_memory(past, series)
    assert np.shares_memory(future, series)
    with pytest.raises(ValueError, match="read-only"):
        past[0, 0, 0] = 1.0


def test_a_series_without_columns_gets_one():
    past, future = windows(ramp(20), 5, 2)
    assert past.shape == (14, 5, 1)
    assert future.shape == (14, 2, 1)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: windows(ramp(40), 36, 12), r"40 steps are too few for a window of 36 \+ 12"),
        (lambda: windows(ramp(40), 24, 12, 12), r"40 steps are too few for a window of 24 \+ 12 left out \+ 12"),
        (lambda: windows([], 1), r"series is empty: shape \(0,\)"),
        (lambda: windows(np.zeros((4, 0)), 1), r"series has no columns: shape \(4, 0\)"),
        (
            lambda: windows(np.zeros((4, 2, 2)), 1),
            r"series is one series \(N,\) or a table \(N, D\); got shape \(4, 2, 2\)",
        ),
        (lambda: windows(3.0, 1), r"series is one series .* got shape \(\)"),
        (lambda: windows(ramp(9), 0), "length is at least 1; got 0"),
        (lambda: windows(ramp(9), 1, 0), "horizon is at least 1; got 0"),
        (lambda: windows(ramp(9), 1, 1, -1), "lead is at least 0; got -1"),
        (lambda: windows(ramp(9), 1, stride=0), "stride is at least 1; got 0"),
        (lambda: windows([0.0, np.nan, 1.0], 1), "series has NaN at row 1; fill it"),
        (lambda: windows([[0.0, 1.0], [2.0, -np.inf]], 1), "series has infinity at row 1, column 1"),
        (lambda: windowed_dataset(ramp(20), 20, 4, 0), r"20 steps are too few for a window of 20 \+ 1"),
        (lambda: windowed_dataset(ramp(20), 0, 4, 0), "window_size is at least 1; got 0"),
        (lambda: windowed_dataset(ramp(20), 3, 0, 0), "batch_size is at least 1; got 0"),
        (lambda: windowed_dataset(ramp(20), 3, 4, -1), "shuffle_buffer is at least 0; got -1"),
        (lambda: windowed_dataset(ramp(20), 3, 4, 9, seed=-1), "seed is at least 0; got -1"),
        (lambda: windowed_dataset([0.0, 1.0, np.inf], 1, 4, 0), "series has infinity at row 2"),
    ],
)
def test_what_gives_no_windows_is_refused_in_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: windows(["a", "b"], 1), "series is an array of real numbers; got dtype <U1"),
        (lambda: windows([1j, 2j], 1), "series is an array of real numbers; got dtype complex128"),
        (lambda: windows([[1.0], [1.0, 2.0]], 1), "series is not an array of numbers"),
        (lambda: windows(ramp(9), 2.0), "length is a whole number; got 2.0"),
        (lambda: windows(ramp(9), True), "length is a whole number; got True"),
    ],
)
def test_what_is_not_a_number_is_a_type_error(call, sentence):
    with pytest.raises(TypeError, match=sentence):
        call()


def slow_timeseries(data, targets, length, stride, rate, start, end):
    """Keras 3's windows, one row at a time."""
    start, end = start or 0, len(data) if end is None else end
    fitting = end - start - (length - 1) * rate
    if targets is not None:
        fitting = min(fitting, len(targets))
    x = [[data[start + i + k * rate] for k in range(length)] for i in range(0, fitting, stride)]
    y = None if targets is None else [targets[start + i] for i in range(0, fitting, stride)]
    return x, y


@st.composite
def timeseries_cases(draw):
    n = draw(st.integers(8, 40))
    start = draw(st.none() | st.integers(0, n // 3))
    end = draw(st.none() | st.integers(2 * n // 3 + 1, n - 1))
    rate, stride = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    room = (n if end is None else end) - (start or 0)
    length = draw(st.integers(1, (room - 1) // rate + 1))
    targets = draw(st.none() | st.integers(n, n + 5))
    return (
        n,
        targets,
        length,
        stride,
        rate,
        start,
        end,
        draw(st.none() | st.integers(1, 7)),
        draw(st.sampled_from([None, 2])),
    )


@given(timeseries_cases())
def test_timeseries_windows_are_those_of_a_slow_loop(case):
    n, many, length, stride, rate, start, end, batch, columns = case
    data, targets = ramp(n, columns), None if many is None else -ramp(many)
    dataset = timeseries_dataset_from_array(
        data, targets, length, stride, rate, batch, start_index=start, end_index=end
    )
    x, y = slow_timeseries(data, targets, length, stride, rate, start, end)
    parts = list(dataset)
    assert len(parts) == len(dataset)
    join = np.stack if batch is None else np.concatenate
    if targets is None:
        assert np.array_equal(join(parts), x)
    else:
        assert np.array_equal(join([part[0] for part in parts]), x)
        assert np.array_equal(join([part[1] for part in parts]), y)


@pytest.mark.parametrize(
    ("rows", "targets", "arguments", "windows_in_keras", "first", "last"),
    [
        # Recorded from Keras 3's own arithmetic: data 0, 1, 2, ...; targets 0, 10, 20, ...; first and last (x, y).
        (99, None, (10, 3, 2), 27, (list(range(0, 19, 2)), None), (list(range(78, 97, 2)), None)),
        (30, 30, (5, 1, 1), 26, ([0, 1, 2, 3, 4], 0), ([25, 26, 27, 28, 29], 250)),
        (30, 12, (5, 1, 1), 12, ([0, 1, 2, 3, 4], 0), ([11, 12, 13, 14, 15], 110)),
        (30, 30, (5, 2, 3, 7, 21), 1, ([7, 10, 13, 16, 19], 70), ([7, 10, 13, 16, 19], 70)),
        (30, 40, (4, 1, 7, None, 29), 8, ([0, 7, 14, 21], 0), ([7, 14, 21, 28], 70)),
        (30, 30, (30, 1, 1), 1, (list(range(30)), 0), (list(range(30)), 0)),
        (30, 30, (1, 7, 1, 29), 1, ([29], 290), ([29], 290)),
    ],
)  # fmt: skip
def test_timeseries_windows_are_those_of_keras(rows, targets, arguments, windows_in_keras, first, last):
    length, stride, rate, start, end = (*arguments, *(None,) * (5 - len(arguments)))
    many = None if targets is None else 10 * np.arange(targets)
    parts = list(
        timeseries_dataset_from_array(
            np.arange(rows), many, length, stride, rate, None, start_index=start, end_index=end
        )
    )
    parts = [(part, None) if targets is None else part for part in parts]
    assert len(parts) == windows_in_keras
    for (x, y), (keras_x, keras_y) in ((parts[0], first), (parts[-1], last)):
        assert x.tolist() == keras_x
        assert y is keras_y or int(y) == keras_y


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"sequence_length": 31}, "30 rows are too few for a window of 31 steps"),
        (
            {"sequence_length": 11, "sampling_rate": 3},
            r"30 rows are too few .* 11 steps taken every 3 rows \(31 rows\)",
        ),
        ({"sequence_length": 5, "start_index": 27}, "3 rows are too few for a window of 5 steps"),
        ({"sequence_length": 0}, "sequence_length is at least 1; got 0"),
        ({"sequence_stride": 0}, "sequence_stride is at least 1; got 0"),
        ({"sequence_stride": 30}, "sequence_stride is smaller than the number of rows, 30; got 30"),
        ({"sampling_rate": 0}, "sampling_rate is at least 1; got 0"),
        ({"sampling_rate": 31}, "sampling_rate is smaller than the number of rows, 30; got 31"),
        ({"batch_size": 0}, "batch_size is at least 1; got 0"),
        ({"start_index": -1}, "start_index is at least 0; got -1"),
        ({"start_index": 30}, "start_index lies inside the data, 0 to 29; got 30"),
        ({"end_index": 0}, "end_index is at least 1; got 0"),
        ({"end_index": 30}, r"end_index lies inside the data, 1 to 29; got 30. To use every row, leave it out"),
        ({"start_index": 9, "end_index": 9}, "end_index is larger than start_index; got 9 and 9"),
        ({"targets": np.zeros(12), "start_index": 7}, "begin at rows 7 to 18 of data and need 19 targets; got 12"),
        ({"targets": []}, "targets is empty"),
        ({"targets": [0.0, np.nan, 0.0]}, "targets has NaN at row 1"),
        ({"data": []}, "data is empty"),
        ({"data": 1.0}, r"data is an array with time along its first axis; got shape \(\)"),
        ({"data": [0.0] * 9 + [np.nan]}, "data has NaN at row 9"),
        ({"data": np.full((9, 2, 2), np.inf)}, r"data has infinity at row 0, position \(0, 0\)"),
    ],
)
def test_timeseries_refuses_in_a_sentence_what_keras_refuses_or_gets_nothing_from(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        timeseries_dataset_from_array(**{"data": ramp(30), "targets": None, "sequence_length": 4} | arguments)


def test_rows_that_no_window_uses_may_be_missing():
    data = ramp(30)
    data[[0, 1, 29]] = np.nan
    targets = np.where(np.arange(30) % 3 == 2, ramp(30), np.nan)
    dataset = timeseries_dataset_from_array(data, targets, 4, 3, start_index=2, end_index=29)
    (_, y), *_ = dataset
    assert y.tolist() == [2, 5, 8, 11, 14, 17, 20, 23]


def test_batches_keep_the_rank_and_dtype_of_their_source():
    flat = next(iter(timeseries_dataset_from_array(np.arange(20, dtype=np.float32), np.arange(20), 4, batch_size=5)))
    assert [(a.shape, a.dtype) for a in flat] == [((5, 4), np.float32), ((5,), np.int64)]
    table = next(iter(timeseries_dataset_from_array(np.zeros((20, 3)), np.zeros((20, 2)), 4, batch_size=5)))
    assert [a.shape for a in table] == [(5, 4, 3), (5, 2)]


@given(st.integers(1, 30), st.integers(1, 8), st.integers(1, 9), st.integers(0, 40), st.sampled_from([None, 2]))
def test_windowed_dataset_labels_a_window_with_the_step_after_it(extra, window, batch, buffer, columns):
    series = ramp(window + extra, columns)
    table = series.reshape(len(series), -1)
    seen = []
    for x, y in windowed_dataset(series, window, batch, buffer):
        assert x.shape[1:] == (window, table.shape[1])
        assert y.shape == (len(x), table.shape[1])
        for past, label in zip(x, y, strict=True):
            row = int(past[0, 0] // (1 if columns is None else 100))
            assert np.array_equal(past, table[row : row + window])
            assert np.array_equal(label, table[row + window])
            seen.append(row)
    assert sorted(seen) == list(range(extra))
