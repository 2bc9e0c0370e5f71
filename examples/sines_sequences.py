"""Short series of two sine waves: the next ten steps, told at every step.

    python examples/sines_sequences.py

The series are those of `sines.py` (`rnnkit.data.sine_waves`, seed 42; 7,000 train, 2,000 validate). Sequence to
sequence (secuencia a secuencia): at each of the 50 steps a network tells the ten that follow, so every step has an
error to learn from, not only the last. A Dense(10) is applied step by step (TimeDistributed). The second column, the
error of the last step (último paso), is what compares with the 0.0083 of `sines.py`. Settings of the course: 20
epochs, batches (lotes) of 32, Adam; the figures recorded are of single runs.

Notice that convolutions, strided (paso 2) before a GRU or dilated (dilatadas) in a WaveNet, do as well as recurrent
layers. The book's gated WaveNet ends in a softmax, whose ten outputs add up to one, which ten future values do not:
hence its error. Two rows are not the course's: the WaveNet with a learning rate (tasa de aprendizaje) that begins at
0.005 and falls to nothing along a cosine, and the gated one with eight blocks and a linear output.
"""

import numpy as np
from recipe import Recipe
from sines_networks import AHEAD, EPOCHS, TRAIN, falling, gated_wavenet, recurrent, simple_wavenet, strided

from rnnkit.data import sine_waves
from rnnkit.plots.figure import COLOURS, GREY, INK, new_figure, style

SERIES, VALID, WINDOW = 10_000, 2_000, 50
BROWN = "#8b5a2b"


def main():
    recipe = Recipe(__doc__, ["MSE, all steps", "MSE, last step"])
    series, train = (2_500, 1_500) if recipe.quick else (SERIES, TRAIN)
    waves = sine_waves(series, WINDOW + AHEAD)
    x = waves[:, :WINDOW]
    y = np.stack([waves[:, 1 + k : 1 + k + WINDOW, 0] for k in range(AHEAD)], axis=-1)  # y[:, t, k] is x[:, t + 1 + k]
    held = slice(train, train + VALID)
    errors = {}

    def add(name, forecast, truth):
        """Keeps the last step's error one to ten steps ahead, and returns both scores."""
        square = (forecast - truth) ** 2
        errors[name] = square[:, -1].mean(axis=0)
        return [float(square.mean()), float(square[:, -1].mean())]

    recipe.baseline("the last value", add("the last value", x[held], y[held]))

    def run(name, network, known, epochs=EPOCHS, targets=y, peer=True):
        known, epochs = (None, min(epochs, 4)) if recipe.quick else (known, epochs)
        score = lambda model, history: list(model.evaluate(x[held], targets[held]).values())  # noqa: E731
        fit = {"epochs": epochs, "score": score, "recorded": known, "peer": peer}
        model, _ = recipe.train(name, network, x[:train], targets[:train], **fit)
        add(name, model.predict(x[held]), targets[held])

    run("SimpleRNN(20) x 2", recurrent("SimpleRNN", rate=0.01), [0.0205, 0.0096])
    run("  with BatchNormalization", recurrent("SimpleRNN", None, "BatchNormalization", 0.01), [0.0288, 0.0164])
    run("LayerNormSimpleRNN(20) x 2", recurrent("LayerNormSimpleRNN"), [0.0250, 0.0121], peer=False)
    run("LSTM(20) x 2", recurrent("LSTM"), [0.023789, 0.008561])
    run("GRU(20) x 2", recurrent("GRU"), [0.023786, 0.010263])
    run("Conv1D, stride 2, GRU(20) x 2", recurrent("GRU", strided), [0.0184, 0.0080], targets=y[:, 3::2])
    run("WaveNet of plain convolutions", simple_wavenet, [0.0188, 0.0072])
    run("  its rate falling", falling, None)
    run("gated WaveNet, softmax", gated_wavenet("softmax"), [0.1217, 0.1189], epochs=2, peer=False)
    run("gated, 1..8 twice, linear", gated_wavenet(None, (1, 2, 4, 8) * 2), None, peer=False)
    recipe.finish(picture(errors))


def picture(errors):
    """How the error of the last step grows with the steps ahead."""
    figure = new_figure(11, 5.4)
    axes = figure.subplots()
    shown = [name for name in errors if "softmax" not in name]
    for name, colour in zip(shown, (GREY, *COLOURS, INK, INK, BROWN), strict=True):
        line = {"linestyle": (0, (4, 2))} if "falling" in name else {}
        axes.plot(range(1, AHEAD + 1), errors[name], color=colour, marker="o", markersize=4, label=name.strip(), **line)
    axes.set_yscale("log")
    style(axes, "Error at the last step", "steps ahead", "mean squared error, validation")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False, fontsize=9, labelcolor=INK)
    return figure


if __name__ == "__main__":
    main()
