"""A made-up series of trend, season and noise: what forecasts it best.

    python examples/synthetic.py

The series (serie sintética) is computed: 1,461 days of a rising line, a yearly season and noise. Its first 1,000 days
train, the last 461 are forecast (pronóstico) one day ahead. The course tries forecasts without a network first, on a
noisier series (amplitude 15, noise 6): the value of the day before (pronóstico ingenuo), a moving average (media móvil)
of 30 days, and the difference (diferenciación) to the day a year ago, averaged over 50 days and added to that day, the
second time after smoothing (suavizado) that day with its neighbours. The networks see the last 20 days of a series with
amplitude 20 and noise 5; the floor is what its noise alone makes of the error, which nobody can forecast.

A Conv1D has an output at each of the 20 days, and the course trains all of them to give the day that follows the
window (ventana); the last one is the forecast. Some seeds start with a dead network (relu gives 0 for every window);
the median passes over them. The last row is a GRU that is given each window less its own mean: a line that rises leads
a network out of the values it has seen, differences do not.
"""

import numpy as np
from recipe import Recipe

from rnnkit.data import moving_average, naive, scores, seasonal_naive, trend_season_noise, windows
from rnnkit.plots import forecast

SPLIT, WINDOW, YEAR, SCALE = 1000, 20, 365, 8.0
NOISY, QUIET = {"amplitude": 15.0, "noise": 6.0}, {"amplitude": 20.0, "noise": 5.0}


def dense(library, *before, **seed):
    layers = library.layers
    stack = [*before, layers.Dense(28, "relu"), layers.Dense(10, "relu"), layers.Dense(1)]
    model = library.Sequential(stack, **seed)
    model.compile(loss="mse", optimizer=library.optimizers.SGD(learning_rate=1e-5, momentum=0.5))
    return model


def convolution(kernel, filters=128, stride=1):
    def network(library, **seed):
        first = library.layers.Conv1D(filters, kernel, strides=stride, padding="causal", activation="relu")
        return dense(library, first, **seed)

    return network


def gru(library, **seed):
    model = library.Sequential([library.layers.GRU(16), library.layers.Dense(1)], **seed)
    model.compile(loss="huber", optimizer=library.optimizers.Adam(learning_rate=1e-3))
    return model


def baselines(series):
    """Forecasts of rows SPLIT to the end that need no network, by name."""
    at = np.arange(SPLIT, len(series))
    change = moving_average(series[YEAR:] - series[:-YEAR], at - YEAR, length=50)
    return {
        "as the day before": naive(series, at),
        "mean of 30 days": moving_average(series, at, length=30),
        "last year + change": seasonal_naive(series, at, period=YEAR) + change,
        "the same, smoothed": moving_average(series, at - YEAR + 5, length=10) + change,
    }


def data(outputs=None):
    """(x, y) of training and of the forecasts; outputs: repeat y for so many steps of a network's output."""
    series = trend_season_noise(**QUIET).values.astype(np.float32)
    x, y = windows(series, WINDOW)
    y = y[:, 0] if outputs is None else np.broadcast_to(y, (len(y), outputs, 1))
    x = x[..., 0] if outputs is None else x
    return (x[: SPLIT - WINDOW], y[: SPLIT - WINDOW]), (x[SPLIT - WINDOW :], y[SPLIT - WINDOW :])


def level(x):
    """Windows (K, WINDOW) less their means, as (K, WINDOW, 1)."""
    return ((x - x.mean(axis=1, keepdims=True)) / SCALE)[..., None]


def last_step(model, x):
    """(B,): the output of a dense network, or that of a convolution's last step."""
    return model.predict(x).reshape(len(x), -1)[:, -1]


def main():
    recipe = Recipe(__doc__, ["MAE"])

    def error(guess):
        return [scores(series[SPLIT:], guess)["mae"]]

    for setting, recorded in ((NOISY, [6.8993, 5.5328, 7.0072, 5.1360]), (QUIET, [None] * 4)):
        series = trend_season_noise(**setting).values
        for (name, guess), known in zip(baselines(series).items(), recorded, strict=True):
            recipe.baseline(f"noise {setting['noise']:.0f}: {name}", error(guess), known and [known])
    clean = trend_season_noise(amplitude=QUIET["amplitude"], noise=0).values
    recipe.baseline("noise 5: the noise alone", error(clean[SPLIT:]), [4.007])

    for name, network, outputs, known in (
        ("Dense 28-10-1", dense, None, 4.47),
        ("Conv1D(128, 3), dense 28-10-1", convolution(3), WINDOW, 4.63),
        ("Conv1D(128, 9), dense 28-10-1", convolution(9), WINDOW, 4.46),
    ):
        (x, y), (past, _) = data(outputs)
        recipe.train(
            name, network, x, y, batch_size=32, epochs=10 if recipe.quick else 100,
            score=lambda model, _, past=past: error(last_step(model, past)), recorded=None if recipe.quick else [known],
        )  # fmt: skip

    (x, y), (past, _) = data()

    def forecasts(model):
        return last_step(model, level(past)) * SCALE + past.mean(axis=1)

    model, _ = recipe.train(
        "GRU(16), window less its mean", gru, level(x), (y - x.mean(axis=1, keepdims=True)) / SCALE,
        epochs=20, score=lambda model, _: error(forecasts(model)),
    )  # fmt: skip
    others = {"last year, smoothed": list(baselines(series).values())[-1]}
    days, title = np.arange(SPLIT, len(series)), "A made-up series: GRU(16) and truth"
    recipe.finish(forecast(days, series[SPLIT:], forecasts(model), others, title=title))


if __name__ == "__main__":
    main()
