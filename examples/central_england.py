"""Daily temperature of Central England: networks against "as yesterday".

    python examples/central_england.py --data tdaily_cet.txt.gz

The file has a day a line, `YYYYMMDD value`, 90,663 days from 1772-01-01: the Met Office's HadCET series
(metoffice.gov.uk/hadobs/hadcet), in the form in which KNMI's Climate Explorer hands it out (climexp.knmi.nl, daily
series). 80,000 days train, as in the course, and the last 10,663 are forecast; the window (ventana) is 60 days, a batch
(lote) 120 windows, in the order of time but for a shuffle buffer (búfer) of 240. Scores are in standard deviations of
the whole series, 5.35 degrees, and in degrees. The course's network does not beat the forecast (pronóstico) "as the day
before" in its ten epochs (épocas). A GRU of a third of the units does in five: Adam gives each weight steps of its own
size, and these shrink to nothing towards the end (cosine decay), where a fixed size would leave the last digit to
chance.
"""

import numpy as np
from recipe import Recipe

from rnnkit.data import read_cet, score_baselines, windowed_dataset, windows
from rnnkit.plots import forecast

DAYS, SPLIT, WINDOW, BATCH, BUFFER, LAST = 90_663, 80_000, 60, 120, 240, 100


def course(library, **seed):
    layers = library.layers
    model = library.Sequential(
        [layers.SimpleRNN(100, return_sequences=True), layers.SimpleRNN(100), layers.Dense(1)], **seed
    )
    optimizer = library.optimizers.SGD(learning_rate=1e-4, momentum=0.7)
    model.compile(loss="huber", optimizer=optimizer, metrics=["mae"])
    return model


def gru(steps):
    """steps: updates in which the learning rate falls to 0."""

    def network(library, **seed):
        rate = library.optimizers.schedules.CosineDecay(3e-3, steps)
        model = library.Sequential([library.layers.GRU(32), library.layers.Dense(1)], **seed)
        model.compile(loss="huber", optimizer=library.optimizers.Adam(learning_rate=rate), metrics=["mae"])
        return model

    return network


def main():
    recipe = Recipe(__doc__, ["MAE, std", "MAE, degC"], file="tdaily_cet.txt.gz")
    series = read_cet(recipe.file)
    days, split = (8_000, 7_000) if recipe.quick else (DAYS, SPLIT)
    values, dates = series.values[:days], series.dates[:days]
    mean, std = values.mean(), values.std()
    z = ((values - mean) / std).astype(np.float32)
    batches = windowed_dataset(z[:split], WINDOW, BATCH, BUFFER)
    past, future = windows(z[split - WINDOW :], WINDOW)

    for name, score in score_baselines(z, np.arange(split, days), length=WINDOW, train=split).items():
        known = [0.2514, 1.344] if name == "naive" and not recipe.quick else None
        recipe.baseline({"naive": "as the day before"}.get(name, name), [score["mae"], score["mae"] * std], known)

    def score(model, history):
        mae = float(np.abs(model.predict(past) - future[:, 0]).mean())
        return mae, mae * std

    epochs, few = (1, 4) if recipe.quick else (10, 5)
    recorded = None if recipe.quick else [0.2562, 1.370]
    recipe.train("SimpleRNN(100) x 2, course's", course, batches, epochs=epochs, score=score, recorded=recorded)
    best, _ = recipe.train("GRU(32), Adam", gru(few * len(batches)), batches, epochs=few, score=score)

    guess = best.predict(past[-LAST:])[:, 0] * std + mean
    before = {"as the day before": values[-LAST - 1 : -1]}
    title = f"The last {LAST} days: GRU(32) and truth"
    recipe.finish(forecast(dates[-LAST:], values[-LAST:], guess, before, unit="degC", title=title))


if __name__ == "__main__":
    main()
