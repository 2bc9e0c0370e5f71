"""Hourly temperature, twelve hours ahead, and the course's four pictures.

    python examples/hourly.py

The series (serie) is computed, 200 days of 24 hours: a slow rise, 5 degrees up and down every day, and noise of half a
degree. As in the course it is scaled to 0 .. 1 (escalado mín-máx) over its whole length; a window (ventana) is 24
hours, 12 hours are left out, and the hour after them is the target (objetivo); the first 80 % of the windows train
three GRU layers of 24, 50 and 24 units with swish activations and dropout (abandono) of 0.1 for 30 epochs (épocas). The
course records no figures, only its four pictures: series, learning curves (curvas de aprendizaje), forecast
(pronóstico) against truth, and a part of it enlarged.

A line plus a sine plus noise is what least squares is made for, and the course's network does not beat it: what is
tested lies above all that it saw in training. The last row does, by a little: a smaller network that forecasts how far
the temperature will be from the window's mean. Scores are in degrees; the noise alone makes 0.40 of each.
"""

import numpy as np
from recipe import Recipe

from rnnkit.data import MinMaxScaler, hourly_temperature, score_baselines, windows
from rnnkit.plots.curves import draw_curve
from rnnkit.plots.figure import BLUE, GREY, INK, legend, new_figure, style

WINDOW, LEAD, TRAIN, SWING, ZOOM = 24, 12, 0.8, 5.0, 120

NAMES = {"naive": "as 13 hours before", "seasonal naive": "as a day before"}


def course(library, **seed):
    layers = library.layers
    stack = []
    for units, deeper in ((24, True), (50, True), (24, False)):
        stack += [layers.GRU(units, activation="swish", return_sequences=deeper), layers.Dropout(0.1)]
    model = library.Sequential([*stack, layers.Dense(1)], **seed)
    model.compile(loss="mse", optimizer=library.optimizers.Adam(learning_rate=1e-3))
    return model


def small(steps):
    """steps: updates in which the learning rate falls to 0."""

    def network(library, **seed):
        rate = library.optimizers.schedules.CosineDecay(1e-2, steps)
        model = library.Sequential([library.layers.GRU(24), library.layers.Dense(1)], **seed)
        model.compile(loss="mse", optimizer=library.optimizers.Adam(learning_rate=rate))
        return model

    return network


def main():
    recipe = Recipe(__doc__, ["MAE, degC"])
    series = hourly_temperature(days=60 if recipe.quick else 200)
    scaler = MinMaxScaler.fit(series.values)
    past, future = windows(series.values, WINDOW, lead=LEAD)
    cut = int(TRAIN * len(past))
    rows = np.arange(cut, len(past)) + WINDOW + LEAD  # of the series, one for each window that tests
    truth = series.values[rows]
    options = {"length": WINDOW, "lead": LEAD, "train": cut + WINDOW + LEAD, "period": series.period}
    for name, score in score_baselines(series.values, rows, **options).items():
        recipe.baseline(NAMES.get(name, name), [score["mae"]])

    x, y = scaler.transform(past).astype(np.float32), scaler.transform(future[:, 0]).astype(np.float32)
    mean = past.mean(axis=1)
    x_level = ((past - mean[:, None]) / SWING).astype(np.float32)
    y_level = ((future[:, 0] - mean) / SWING).astype(np.float32)

    def degrees(model):
        return scaler.inverse(model.predict(x[cut:]))[:, 0]

    def degrees_level(model):
        return (model.predict(x_level[cut:]) * SWING + mean[cut:])[:, 0]

    def error_of(forecasts):
        return lambda model, history: [float(np.abs(forecasts(model) - truth).mean())]

    epochs = 8 if recipe.quick else 30
    model, history = recipe.train(
        "GRU 24-50-24, the course's", course, x[:cut], y[:cut], epochs=epochs, score=error_of(degrees),
        batch_size=32, validation_data=(x[cut:], y[cut:]),
    )  # fmt: skip
    recipe.train(
        "GRU(24), window less its mean", small(epochs * -(-cut // 32)), x_level[:cut], y_level[:cut], epochs=epochs,
        score=error_of(degrees_level), batch_size=32,
    )  # fmt: skip
    recipe.finish(pictures(series.values, history, rows, truth, degrees(model)))


def pictures(values, history, rows, truth, guess):
    """The course's four: the series, how training went, the forecast beside the truth, and its end enlarged."""
    figure = new_figure(13.3, 8.4)
    axes = figure.subplots(2, 2).ravel()
    axes[0].plot(values, color=BLUE, linewidth=0.6)
    axes[0].axvline(rows[0], color=INK, linewidth=1, linestyle="--")
    style(axes[0], "Hourly temperature; what is right of the line tests", "hour", "degC")
    draw_curve(axes[1], history, "loss", "Loss, GRU 24-50-24")
    for panel, last, title in ((axes[2], len(rows), "Forecast and truth"), (axes[3], ZOOM, f"The last {ZOOM} hours")):
        panel.plot(rows[-last:], truth[-last:], color=GREY, linewidth=1.2, label="truth")
        panel.plot(rows[-last:], guess[-last:], color=BLUE, linewidth=1.2, label="forecast")
        style(panel, title, "hour", "degC")
        legend(panel)
    return figure


if __name__ == "__main__":
    main()
