"""Ten thousand short series of two sine waves: the next step, and the next ten.

    python examples/sines.py

The series are made here, the same for everybody (`rnnkit.data.sine_waves`, seed 42): 7,000 train, 2,000 validate, and
the scores are mean squared errors (error cuadrático medio) of those. A window (ventana) is 50 steps. Settings of the
course: 20 epochs, batches (lotes) of 32, Adam. The course text prints the first wave's frequency, 10 f1 + 10, in the
second wave too; the recorded figures are those of 20 f2 + 20, which is used here. The noise alone is 0.000833.

Two layers of 20 units beat the linear forecast (pronóstico lineal) one step ahead. Ten steps ahead, feeding forecasts
back one by one (uno a uno) piles up their errors, and a network that tells all ten at once does three times better.
The one by one forecast is also asked for slower waves than it has learnt: t runs from 0 to 1 whatever the steps are.
"""

import numpy as np
from recipe import Recipe

from rnnkit.data import sine_waves
from rnnkit.plots.figure import BLUE, COLOURS, INK, TRUTH, legend, new_figure, style

SERIES, TRAIN, VALID, WINDOW, AHEAD, SHOWN = 10_000, 7_000, 2_000, 50, 10, 3


def linear(outputs):
    return lambda library, **seed: compiled(library, [library.layers.Flatten(), library.layers.Dense(outputs)], seed)


def one_unit(library, **seed):
    return compiled(library, [library.layers.SimpleRNN(1)], seed, rate=0.005)


def deep(library, **seed):
    return compiled(library, [*two_layers(library, last=True), library.layers.SimpleRNN(1)], seed)


def deep_dense(outputs):
    return lambda library, **seed: compiled(library, [*two_layers(library), library.layers.Dense(outputs)], seed)


def two_layers(library, last=False):
    SimpleRNN = library.layers.SimpleRNN
    return [SimpleRNN(20, return_sequences=True), SimpleRNN(20, return_sequences=last)]


def compiled(library, layers, seed, rate=1e-3):
    model = library.Sequential(layers, **seed)
    model.compile(loss="mse", optimizer=library.optimizers.Adam(learning_rate=rate))
    return model


def least_squares(x, y, asked):
    """The linear forecast that Adam only approaches: exact least squares over the training part."""
    inputs, asked = (np.column_stack([part[..., 0], np.ones(len(part))]) for part in (x, asked))
    return asked @ np.linalg.lstsq(inputs, y.astype(np.float64), rcond=None)[0]


def one_by_one(model, x):
    """Ten forecasts, each fed back as if it had been measured."""
    stream = model.stream(len(x))
    for step in range(WINDOW):
        told = [stream.step(x[:, step])]
    while len(told) < AHEAD:
        told.append(stream.step(told[-1]))
    return np.hstack(told)


def main():
    recipe = Recipe(__doc__, ["MSE, validation"])
    series, train = (3_000, 1_500) if recipe.quick else (SERIES, TRAIN)
    near, far = sine_waves(series, WINDOW + 1), sine_waves(series, WINDOW + AHEAD)
    held = slice(train, train + VALID)
    epochs = 4 if recipe.quick else 20

    def run(name, network, x, y, known):
        def score(model, history):
            return [mse(model.predict(x[held]), y[held])]

        known = None if recipe.quick else [known]
        return recipe.train(name, network, x[:train], y[:train], epochs=epochs, score=score, recorded=known)[0]

    def without(name, forecast, y, known=None):
        recipe.baseline(name, [mse(forecast, y[held])], None if recipe.quick or known is None else [known])

    x, y = near[:, :WINDOW], near[:, WINDOW]
    without("1 step: the last value", x[held, -1], y, 0.020211)
    without("1 step: least squares", least_squares(x[:train], y[:train], x[held]), y)
    run("1 step: linear", linear(1), x, y, 0.004168)
    run("1 step: SimpleRNN(1)", one_unit, x, y, 0.010882)
    run("1 step: 20-20-SimpleRNN(1)", deep, x, y, 0.002911)
    nearest = run("1 step: 20-20-Dense(1)", deep_dense(1), x, y, 0.002624)

    x, y = far[:, :WINDOW], far[:, WINDOW:, 0]
    without("10 steps: the last value", np.repeat(x[held, -1], AHEAD, axis=1), y, 0.256974)
    without("10 steps: least squares", least_squares(x[:train], y[:train], x[held]), y)
    told = {"one by one": one_by_one(nearest, x[held])}
    recipe.scored("10 steps: one by one", [mse(told["one by one"], y[held])], None if recipe.quick else [0.027511])
    run("10 steps: linear", linear(AHEAD), x, y, 0.0187)
    told["all ten at once"] = run("10 steps: 20-20-Dense(10)", deep_dense(AHEAD), x, y, 0.0085).predict(x[held])
    recipe.finish(picture(far[held], told))


def mse(forecast, truth):
    return float(((forecast - truth) ** 2).mean())


def picture(series, told):
    figure = new_figure(13.3, 4.4)
    for k, axes in enumerate(figure.subplots(1, SHOWN, sharey=True)):
        axes.plot(series[k, :, 0], color=TRUTH, marker=".", linewidth=1, label="series")
        for (name, forecast), colour in zip(told.items(), (COLOURS[1], BLUE), strict=True):
            axes.plot(np.arange(AHEAD) + WINDOW, forecast[k], color=colour, marker="o", markersize=4, label=name)
        axes.axvline(WINDOW - 0.5, color=INK, linewidth=0.8, linestyle=":")
        style(axes, "" if k else "Ten steps ahead", "step", "" if k else "value")
        if k == SHOWN - 1:
            legend(axes)
    return figure


if __name__ == "__main__":
    main()
