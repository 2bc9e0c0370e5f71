"""Daily temperature of Central England: two simple recurrent layers, and what beats "as yesterday".

    python examples/central_england.py --data tdaily_cet.txt.gz

The file has a day a line, `YYYYMMDD value`, 90,663 days from 1772-01-01: the Met Office's HadCET series
(metoffice.gov.uk/hadobs/hadcet), in the form in which KNMI's Climate Explorer hands it out (climexp.knmi.nl, daily
series). 80,000 days train, as in the course; the window (ventana) is 60 days, a batch (lote) 120 windows. Scores are in
standard deviations of the whole series, 5.35 degrees, and in degrees. The course's network does not beat the forecast
(pronóstico) "as the day before": a GRU with Adam does.
"""

import numpy as np
from recipe import Recipe

from rnnkit.data import read_cet, score_baselines, windows
from rnnkit.plots import forecast

DAYS, SPLIT, WINDOW, BATCH, LAST = 90_663, 80_000, 60, 120, 100


def course(library, **seed):
    layers = library.layers
    model = library.Sequential(
        [layers.SimpleRNN(100, return_sequences=True), layers.SimpleRNN(100), layers.Dense(1)], **seed
    )
    optimizer = library.optimizers.SGD(learning_rate=1e-4, momentum=0.7)
    model.compile(loss="huber", optimizer=optimizer, metrics=["mae"])
    return model


def gru(library, **seed):
    model = library.Sequential([library.layers.GRU(32), library.layers.Dense(1)], **seed)
    model.compile(loss="huber", optimizer=library.optimizers.Adam(learning_rate=1e-3), metrics=["mae"])
    return model


def main():
    recipe = Recipe(__doc__, ["MAE, std", "MAE, degC"], file="tdaily_cet.txt.gz")
    series = read_cet(recipe.file)
    days, split = (8_000, 7_000) if recipe.quick else (DAYS, SPLIT)
    mean, std = series.values[:days].mean(), series.values[:days].std()
    z = ((series.values[:days] - mean) / std).astype(np.float32)
    x, y = (part[..., 0] if part.shape[1] == 1 else part for part in windows(z, WINDOW))
    train, held = slice(0, split - WINDOW), slice(split - WINDOW, None)

    for name, score in score_baselines(z, np.arange(split, days), length=WINDOW, train=split).items():
        known = [0.2514, 1.344] if name == "naive" and not recipe.quick else None
        recipe.baseline({"naive": "as the day before"}.get(name, name), [score["mae"], score["mae"] * std], known)

    def score(model, history):
        mae = float(np.abs(model.predict(x[held]) - y[held]).mean())
        return mae, mae * std

    epochs = 2 if recipe.quick else 10
    fit = {"epochs": epochs, "batch_size": BATCH, "score": score}
    recorded = None if recipe.quick else [0.2562, 1.370]
    recipe.train("SimpleRNN(100) x 2, the course's", course, x[train], y[train], recorded=recorded, **fit)
    best, _ = recipe.train("GRU(32), Adam", gru, x[train], y[train], **fit)

    last = slice(days - LAST, None)
    guess = best.predict(x[-LAST:])[:, 0] * std + mean
    title = f"The last {LAST} days: GRU(32) and truth"
    recipe.finish(forecast(series.dates[:days][last], series.values[:days][last], guess, unit="degC", title=title))


if __name__ == "__main__":
    main()
