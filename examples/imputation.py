"""Two months missing: daily temperatures filled in from what stands on both sides of the gap.

    python examples/imputation.py --data tdaily_cet.txt.gz

The file has a day a line, `YYYYMMDD value`, 90,663 days from 1772-01-01: the Met Office's HadCET series
(metoffice.gov.uk/hadobs/hadcet), in the form in which KNMI's Climate Explorer hands it out. The first 80,000 days
train; the gaps (huecos) that are scored begin every ten days in the thirty years behind them. A gap has 60 days, and 60
known days stand on each side. Networks see departures from the mean of the day of the year, 0 within the gap, and a
flag (indicador) that says which days are known.

What to notice (imputación, rellenar huecos): weather is forgotten within two weeks. In the middle of a long gap hardly
anything does better than the mean of the day of the year; what was known counts at the ends, where a straight line
holds on to it too long, and a network lets it fade. A bidirectional layer has both sides in view on every day.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from recipe import Recipe

from rnnkit.data import read_cet
from rnnkit.plots import forecast

SPLIT, GAP, SIDE, ENDS = 80_000, 60, 60, 5
BEFORE, WITHIN, AFTER = slice(0, SIDE), slice(SIDE, SIDE + GAP), slice(SIDE + GAP, None)


def both_ways(library, **seed):
    layers = library.layers
    model = library.Sequential([layers.Bidirectional(layers.GRU(32, return_sequences=True)), layers.Dense(1)], **seed)
    model.compile(optimizer=library.optimizers.Adam(learning_rate=2e-3), loss="mae")
    return model


def one_way(library, **seed):
    model = library.Sequential([library.layers.GRU(32), library.layers.Dense(GAP)], **seed)
    model.compile(optimizer=library.optimizers.Adam(learning_rate=2e-3), loss="mae")
    return model


def normal(series, split):
    """The mean of each day's place in the year over the training days, smoothed over 15 days, for every day (N,)."""
    day = (series.dates - series.dates.astype("datetime64[Y]")).astype(int)  # 0 to 365
    train = day[:split]
    means = np.bincount(train, series.values[:split], 366) / np.bincount(train, minlength=366)
    return np.convolve(np.concatenate([means[-7:], means, means[:7]]), np.full(15, 1 / 15), "valid")[day]


def flagged(a):
    """Departures (K, days), 0 within the gap, beside the flag of known days: (K, days, 2)."""
    known = np.ones_like(a)
    known[:, WITHIN] = 0
    return np.stack([a * known, known], axis=2)


def main():
    recipe = Recipe(__doc__, ["MAE, degC", f"{ENDS} days each end"], file="tdaily_cet.txt.gz")
    series = read_cet(recipe.file)
    usual = normal(series, SPLIT)
    unit = (series.values - usual)[:SPLIT].std()
    a = ((series.values - usual) / unit).astype(np.float32)
    span = GAP + 2 * SIDE
    train = sliding_window_view(a[:SPLIT], span)[:: 40 if recipe.quick else 5]
    days = np.arange(SPLIT, len(a) - span + 1, 10)[:, None] + np.arange(span)
    held, truth = a[days], series.values[days][:, WITHIN]

    def degrees(departures):
        return departures * unit + usual[days][:, WITHIN]

    def errors(filled):
        wrong = np.abs(filled - truth)
        return wrong.mean(), np.hstack([wrong[:, :ENDS], wrong[:, -ENDS:]]).mean()

    left, right = ([SIDE - 1], [SIDE + GAP])  # the days beside the gap
    k = np.arange(1, GAP + 1)
    share = 1 - k / (GAP + 1)
    line = series.values[days][:, left] * share + series.values[days][:, right] * (1 - share)
    kept = float(np.corrcoef(a[: SPLIT - 1], a[1:SPLIT])[0, 1])  # what a day leaves of the departure of the day before
    fading = held[:, left] * kept**k + held[:, right] * kept ** (GAP + 1 - k)
    recipe.baseline("the last known value", errors(series.values[days][:, left]))
    recipe.baseline("a straight line", errors(line))
    recipe.baseline("the mean of the day", errors(degrees(0)))
    recipe.baseline("the mean, departures fading", errors(degrees(fading)))

    fit = {"epochs": 2 if recipe.quick else 8, "batch_size": 32 if recipe.quick else 128}

    def filled(name, network, x, y, fill, **more):
        """Trains, and returns what the network fills in, in degrees."""
        return fill(recipe.train(name, network, x, y, score=lambda model, _: errors(fill(model)), **fit, **more)[0])

    forward = filled(
        "GRU(32), forward", one_way, train[:, BEFORE, None], train[:, WITHIN],
        lambda model: degrees(model.predict(held[:, BEFORE, None])),
    )  # fmt: skip
    backward = filled(
        "GRU(32), backward", one_way, train[:, AFTER, None][:, ::-1], train[:, WITHIN][:, ::-1],
        lambda model: degrees(model.predict(held[:, AFTER, None][:, ::-1])[:, ::-1]),
    )  # fmt: skip
    recipe.scored("forward and backward, joined", errors(forward * share + backward * (1 - share)))
    within = np.zeros(train.shape, np.float32)
    within[:, WITHIN] = 1  # the loss is that of the gap's days
    both = filled(
        "bidirectional GRU(32)", both_ways, flagged(train), train[..., None],
        lambda model: degrees(model.predict(flagged(held))[:, WITHIN, 0]), sample_weight=within,
    )  # fmt: skip

    one = np.argsort(np.abs(both - truth).mean(axis=1))[len(days) // 2]  # neither the best nor the worst
    lines = {name: np.full(span, np.nan) for name in ("bidirectional", "a straight line", "the mean of the day")}
    for name, values in zip(lines, (both, line, degrees(0)), strict=True):
        lines[name][WITHIN] = values[one]
    title = f"A gap of {GAP} days of median error, filled by a bidirectional GRU(32)"
    steps = days[one]
    recipe.finish(
        forecast(series.dates[steps], series.values[steps], lines.pop("bidirectional"), lines, "degC", title=title)
    )


if __name__ == "__main__":
    main()
