"""The generated series, against the listings that they come from and the figures recorded for them.

Of the book of the daily series the arithmetic is float32; rnnkit's is float64. The listing is repeated in float32 and
compared within its rounding: about six roundings of values below 200, 6 * 200 * 2**-24 < 1e-4.
"""

import numpy as np
import pytest

from rnnkit.data import moving_average, naive, sine_waves, trend_season_noise


def course_waves(batch_size, n_steps):
    freq1, freq2, offsets1, offsets2 = np.random.rand(4, batch_size, 1)  # noqa: NPY002
    time = np.linspace(0, 1, n_steps)
    series = 0.5 * np.sin((time - offsets1) * (freq1 * 10 + 10))
    series += 0.2 * np.sin((time - offsets2) * (freq2 * 20 + 20))
    series += 0.1 * (np.random.rand(batch_size, n_steps) - 0.5)  # noqa: NPY002
    return series[..., np.newaxis].astype(np.float32)


@pytest.mark.parametrize(("series", "steps", "seed"), [(10_000, 51, 42), (1, 60, 43), (3, 1, 0)])
def test_sine_waves_are_those_of_the_course_listing_to_the_last_bit(series, steps, seed):
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(seed)  # noqa: NPY002
    expected = course_waves(series, steps)
    np.random.set_state(state)  # noqa: NPY002
    ours = sine_waves(series, steps, seed)
    assert (ours.shape, ours.dtype) == ((series, steps, 1), np.float32)
    np.testing.assert_array_equal(ours, expected)


def test_the_last_value_forecasts_sine_waves_as_well_as_recorded():
    series = sine_waves()
    assert np.mean(np.square(series[7000:9000, 50] - series[7000:9000, 49])) == pytest.approx(0.020211367, rel=1e-5)
    series = sine_waves(steps=60)[7000:9000, :, 0]
    assert np.mean(np.square(series[:, 50:] - series[:, 49:50])) == pytest.approx(0.25697407, rel=1e-5)


def test_the_generators_leave_the_global_stream_alone():
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    sine_waves(2, 3)
    trend_season_noise(9)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def book_series(amplitude, noise_level):
    time = np.arange(4 * 365 + 1, dtype="float32")
    season_time = (time % 365) / 365
    pattern = np.where(season_time < 0.4, np.cos(season_time * 2 * np.pi), 1 / np.exp(3 * season_time))
    series = 10 + 0.09 * time + amplitude * pattern
    return series + (np.random.RandomState(42).randn(len(time)) * noise_level).astype(np.float32)


@pytest.mark.parametrize(("amplitude", "noise"), [(15, 6), (20, 5)])
def test_the_daily_series_is_that_of_the_book(amplitude, noise):
    expected = book_series(amplitude, noise)
    assert expected.dtype == np.float32
    series = trend_season_noise(amplitude=amplitude, noise=noise)
    assert (len(series), series.period, series.dates, series.unit) == (1461, 365, None, "")
    np.testing.assert_allclose(series.values, expected, rtol=0, atol=1e-4)


def baselines(x, split):
    """name -> forecast of x[split:]. The smoothed past of row t is the mean of rows t - 370 .. t - 361."""
    at = np.arange(split, len(x))
    difference = moving_average(x[365:] - x[:-365], at - 365, length=50)
    return {
        "naive": naive(x, at),
        "moving average(30)": moving_average(x, at, length=30),
        "difference": difference + x[at - 365],
        "difference + smoothed past": difference + moving_average(x, at - 360, length=10),
    }


@pytest.mark.parametrize(
    ("amplitude", "noise", "recorded"),
    [
        (15, 6, {
            "naive": (76.4749, 6.8992977), "moving average(30)": (49.04444, 5.5328355),
            "difference": (76.282074, 7.007173), "difference + smoothed past": (40.902336, 5.1360006),
        }),
        (20, 5, {
            "naive": (54.5017, 5.79973), "moving average(30)": (46.60919, 5.224395),
            "difference": (52.97366, 5.839311), "difference + smoothed past": (29.03283, 4.329321),
        }),
    ],
)  # fmt: skip
def test_the_daily_series_has_the_recorded_baselines(amplitude, noise, recorded):
    x = trend_season_noise(amplitude=amplitude, noise=noise).values
    for name, forecast in baselines(x, 1000).items():
        error = x[1000:] - forecast
        mse, mae = recorded[name]
        assert np.mean(np.square(error)) == pytest.approx(mse, rel=1e-6), name
        assert np.mean(np.abs(error)) == pytest.approx(mae, rel=2e-7), name


def test_the_noise_of_the_daily_series_is_the_recorded_floor():
    noise = trend_season_noise().values - trend_season_noise(noise=0).values
    assert np.abs(noise[1000:]).mean() == pytest.approx(4.007, abs=5e-4)


def test_without_noise_only_trend_and_season_are_left():
    x = trend_season_noise(1000, baseline=3, slope=0.5, amplitude=2, noise=0, seed=1).values
    t = np.arange(1000)
    assert x[[0, 365, 730]].tolist() == [5, 187.5, 370]
    assert x[146] == pytest.approx(3 + 73 + 2 * np.exp(-1.2), rel=1e-15)  # u = 0.4 belongs to the decay
    assert x[145] == pytest.approx(3 + 72.5 + 2 * np.cos(2 * np.pi * 145 / 365), rel=1e-15)
    np.testing.assert_allclose((x - 3 - 0.5 * t)[365:730], (x - 3 - 0.5 * t)[:365], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda: sine_waves(0), ValueError, "series is at least 1"),
        (lambda: sine_waves(2, 0), ValueError, "steps is at least 1"),
        (lambda: sine_waves(2.5), TypeError, "series is a whole number"),
        (lambda: sine_waves(2, 2, -1), ValueError, "seed is at least 0"),
        (lambda: sine_waves(2, 2, 2**32), ValueError, "seed is below 2\\*\\*32"),
        (lambda: trend_season_noise(0), ValueError, "days is at least 1"),
        (lambda: trend_season_noise(noise=-1), ValueError, "noise is a standard deviation, from 0 up; got -1"),
        (lambda: trend_season_noise(slope=np.nan), ValueError, "slope is a finite number; got nan"),
        (lambda: trend_season_noise(amplitude="A"), ValueError, "amplitude is a finite number; got 'A'"),
        (lambda: trend_season_noise(seed=2**32), ValueError, "seed is below"),
    ],
)
def test_what_no_series_can_be_made_of_is_refused(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()
