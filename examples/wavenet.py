"""A WaveNet that sees three thousand steps, and draws the rest of a noisy wave.

    python examples/wavenet.py

Series of two sine waves and noise (`rnnkit.data.sine_waves`), 1,024 steps each, in 64 levels, as the paper does with
sound (van den Oord et al. 2016, arXiv:1609.03499). From all that it has read the network tells how probable each level
is at the next step: blocks of causal dilated convolutions (convoluciones causales dilatadas) of 1, 2, 4, ..., 512, tanh
gated by a sigmoid, three such stacks, residual and skip connections (conexiones residuales y de salto), then two 1 x 1
convolutions, which are `Dense` layers. The receptive field (campo receptivo) is 3,071 steps. Scores are natural units
of information a step (nats), of series kept out: one who knows the waves, not the noise, needs 1.57. The longer the
past that is seen, the more of the noise (ruido) can be taken out of it. The learning rate (tasa de aprendizaje) falls
from 0.01 to nothing along a cosine.

To go on with a series a level is drawn from what the network tells, and fed back. `model.stream()` keeps what each
convolution needs of the past, so a step costs the same however many went before; without it the whole past is read
anew for each.
"""

import time

import numpy as np
from recipe import Recipe
from wavenet_levels import LEVELS, noise_alone, to_level, to_value

from rnnkit.data import sine_waves
from rnnkit.plots.figure import BLUE, INK, TRUTH, legend, new_figure, style

STEPS, DILATIONS, STACKS, FILTERS, BATCH, DRAWN = 1_024, tuple(2**k for k in range(10)), 3, 16, 8, 3


def wavenet(dilations, updates):
    def network(library, **seed):
        layers = library.layers
        read = [layers.Input((None, 1)), layers.Conv1D(FILTERS, 2, padding="causal")]
        read += [layers.WaveNet(FILTERS, dilations), layers.Dense(FILTERS, activation="relu")]
        return compiled(library, read, seed, updates)

    return network


def gru(updates):
    return lambda library, **seed: compiled(library, [library.layers.GRU(32, return_sequences=True)], seed, updates)


def compiled(library, read, seed, updates):
    """The learning rate falls along a cosine, to nothing after so many updates."""
    rate = library.optimizers.schedules.CosineDecay(0.01, decay_steps=updates)
    model = library.Sequential([*read, library.layers.Dense(LEVELS, activation="softmax")], **seed)
    model.compile(loss="sparse_categorical_crossentropy", optimizer=library.optimizers.Adam(rate))
    return model


def generate(model, past, steps, rng):
    """Levels after those of `past`, one at a time, and the seconds a step."""
    stream, levels = model.stream(), []
    for level in past:
        told = stream.step(to_value(level).reshape(1, 1))
    start = time.perf_counter()
    for _ in range(steps):
        levels.append(rng.choice(LEVELS, p=told[0].astype(np.float64) / told[0].sum(dtype=np.float64)))
        told = stream.step(to_value(levels[-1]).reshape(1, 1))
    return levels, (time.perf_counter() - start) / steps


def main():
    recipe = Recipe(__doc__, ["nats a step"])
    train, held, dilations = (64, 8, DILATIONS[:5]) if recipe.quick else (200, 50, DILATIONS)
    steps = 128 if recipe.quick else STEPS
    levels = to_level(sine_waves(train + held, steps + 1)[..., 0])
    x, y = to_value(levels[:, :-1, None]), levels[:, 1:]

    counts = np.ones((LEVELS, LEVELS))
    np.add.at(counts, (levels[:train, :-1], y[:train]), 1)
    alone, after = counts.sum(axis=0) / counts.sum(), counts / counts.sum(axis=1, keepdims=True)
    recipe.baseline("all levels alike", [np.log(LEVELS)])
    recipe.baseline("how often each level comes", [float(-np.log(alone[y[train:]]).mean())])
    recipe.baseline("how often after the last one", [float(-np.log(after[levels[train:, :-1], y[train:]]).mean())])
    recipe.baseline("the waves known", [noise_alone()])

    fit = {"epochs": 12 if recipe.quick else 20, "batch_size": BATCH}
    updates = fit["epochs"] * train // BATCH
    fit["score"] = lambda model, history: [model.evaluate(x[train:], y[train:], batch_size=BATCH)["loss"]]
    recipe.train("WaveNet that sees 17 steps", wavenet(DILATIONS[:4], updates), x[:train], y[:train], peer=False, **fit)
    recipe.train("GRU(32)", gru(updates), x[:train], y[:train], **fit)
    name = f"WaveNet, {STACKS} x {len(dilations)} blocks"
    model, _ = recipe.train(name, wavenet(dilations * STACKS, updates), x[:train], y[:train], peer=False, **fit)
    print(f"  an output of the last sees {model.receptive_field:,} steps of the input")

    rng, half = np.random.default_rng(0), steps // 2
    drawn = [generate(model, levels[train, :half], steps - half, rng) for _ in range(DRAWN)]
    start = time.perf_counter()
    for _ in range(5):
        model.predict(x[train : train + 1])
    anew, fast = (time.perf_counter() - start) / 5, min(seconds for _, seconds in drawn)
    print(f"  a step after {steps}: {fast * 1e3:.1f} ms by stream, {anew * 1e3:.1f} ms reading all anew")
    recipe.finish(picture(to_value(levels[train, :steps]), [to_value(np.array(found)) for found, _ in drawn]))


def picture(truth, drawn):
    figure = new_figure(13.3, 6.4)
    half = len(truth) - len(drawn[0])
    for k, axes in enumerate(figure.subplots(len(drawn), 1, sharex=True, sharey=True)):
        axes.plot(truth, color=TRUTH, linewidth=1, label="series")
        axes.plot(np.arange(half, len(truth)), drawn[k], color=BLUE, linewidth=1, label="drawn by the WaveNet")
        axes.axvline(half - 0.5, color=INK, linewidth=0.8, linestyle=":")
        style(axes, "" if k else "One series, three ways on", "step" if k + 1 == len(drawn) else "", "value")
        axes.margins(x=0.01)
        if k == 0:
            legend(axes)
    return figure


if __name__ == "__main__":
    main()
