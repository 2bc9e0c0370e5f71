"""Weather in Jena: the temperature a day ahead from five days of six measurements.

    python examples/jena.py --data jena_hourly_2009_2016.csv.gz

The file has a row an hour, 70,038 of them, and six columns of the weather station of the Max Planck Institute for
Biogeochemistry (bgc-jena.mpg.de/wetter): temperature, pressure, humidity, saturation vapour pressure, wind, dew point.
The course has all fourteen columns of the same station and starts a window (ventana) every ten minutes, 210,000 an
epoch (época); here one starts every hour, 35,000 an epoch, and 16 epochs are a quarter of the steps of its 10. Six of
the missing columns follow from those here: the last row of the table has them too.

Settings are the course's: the first half trains, a quarter validates, a quarter tests; 120 hours in, the temperature 24
hours after the last of them out; measurements in standard deviations of the training half, the target in degrees;
RMSprop, mse, batches (lotes) of 256. A network's weights are those of its best epoch on the validation part, and
training ends 5 epochs after it. What to notice: it is hard to beat common sense (sentido común), "as warm as now".
"""

import numpy as np
from recipe import Recipe

from rnnkit.callbacks import EarlyStopping
from rnnkit.data import StandardScaler, linear, read_table, timeseries_dataset_from_array
from rnnkit.plots import forecast

HOURS, AHEAD, DELAY = 120, 24, 120 + 24 - 1  # from the first hour of a window to the one forecast


def listing(stack):
    """A network of the course from its layers, compiled as all of them are."""

    def network(library, **seed):
        model = library.Sequential([*stack(library.layers), library.layers.Dense(1)], **seed)
        model.compile(optimizer="rmsprop", loss="mse", metrics=["mae"])
        return model

    return network


def convolutions(of):
    first = [of.Conv1D(8, 24, activation="relu"), of.MaxPooling1D(2), of.Conv1D(8, 12, activation="relu")]
    return [*first, of.MaxPooling1D(2), of.Conv1D(8, 6, activation="relu"), of.GlobalAveragePooling1D()]


def stacked(of):
    first = of.GRU(32, recurrent_dropout=0.5, return_sequences=True)
    return [first, of.GRU(32, recurrent_dropout=0.5), of.Dropout(0.5)]


def convolutions_and_gru(of):
    first = [of.Conv1D(32, 5, activation="relu"), of.MaxPooling1D(3), of.Conv1D(32, 5, activation="relu")]
    return [*first, of.GRU(32, dropout=0.1, recurrent_dropout=0.5)]


# name: the layers, of a library's `layers`, before Dense(1); the recorded MAE of validation and test
NETWORKS = {
    "Dense(16)": (lambda of: [of.Flatten(), of.Dense(16, activation="relu")], [2.59, 2.61]),
    "Conv1D(8) x 3 and pooling": (convolutions, [3.04, 3.17]),
    "LSTM(16)": (lambda of: [of.LSTM(16)], [2.40, 2.55]),
    "LSTM(32), rec. dropout 0.25": (lambda of: [of.LSTM(32, recurrent_dropout=0.25), of.Dropout(0.5)], [2.37, 2.54]),
    "GRU(32) x 2, rec. dropout 0.5": (stacked, [None, 2.45]),
    "bidirectional LSTM(16)": (lambda of: [of.Bidirectional(of.LSTM(16))], [2.38, 2.60]),
    "Conv1D(32, 5) x 2 and GRU(32)": (convolutions_and_gru, None),
}


def derived(table):
    """The six columns that follow from those of the file: vapour pressure, its deficit, specific humidity, vapour
    concentration, potential temperature and the density of the air, (N, 6).
    """
    T, p, rh, VPmax = (table[name].values for name in ("T", "p", "rh", "VPmax"))
    e, TK = VPmax * rh / 100, T + 273.15
    humidity, density = 622 * e / (p - 0.378 * e), 1e5 * p * (1 - 0.378 * e / p) / (287.05 * TK)
    return np.stack([e, VPmax - e, humidity, 1000 * e / p, TK * (1000 / p) ** 0.286, density], axis=1)


def parts(z, degrees, batch):
    """The windows of the training half and of the two quarters behind it, cut when a batch is asked for."""
    half, quarter = len(z) // 2, len(z) // 4
    data, target = z[:-DELAY].astype(np.float32), degrees[DELAY:, None].astype(np.float32)
    cut = {"sequence_length": HOURS, "batch_size": batch}
    train = timeseries_dataset_from_array(data, target, end_index=half, shuffle=True, seed=0, **cut)
    validation = timeseries_dataset_from_array(data, target, start_index=half, end_index=half + quarter, **cut)
    return train, validation, timeseries_dataset_from_array(data, target, start_index=half + quarter, **cut)


def main():
    recipe = Recipe(__doc__, ["validation, degC", "test, degC"], file="jena_hourly_2009_2016.csv.gz")
    table = read_table(recipe.file, ["T", "p", "rh", "VPmax", "wv", "Tdew"])
    rows = 10_000 if recipe.quick else len(table)
    values, degrees, half = table.values[:rows], table.values[:rows, 0], rows // 2
    scale = StandardScaler.fit(values[:half])
    z, batch = scale.transform(values), 32 if recipe.quick else 256
    of_6 = parts(z, degrees, batch)

    # The row that each window forecasts: 24 hours after its last.
    at = [start + DELAY + np.arange(part.samples) for start, part in ((half, of_6[1]), (half + rows // 4, of_6[2]))]
    errors = [np.abs(degrees[t - AHEAD] - degrees[t]).mean() for t in at]
    recipe.baseline("common sense, as now", errors, None if recipe.quick else [2.44, 2.62])
    straight = [scale.column(0).inverse(linear(z, t, length=HOURS, train=half, lead=AHEAD - 1)[:, 0]) for t in at]
    recipe.baseline("linear", [np.abs(y - degrees[t]).mean() for y, t in zip(straight, at, strict=True)])

    def train(name, parts, of="LSTM(16)"):
        (stack, recorded), (learnt, validation, test) = NETWORKS[of], parts
        fit = {"epochs": 3 if recipe.quick else 16, "callbacks": [EarlyStopping(patience=5, restore_best_weights=True)]}
        fit |= {"validation_data": validation, "recorded": None if recipe.quick or name != of else recorded}
        fit["score"] = lambda model, history: [model.evaluate(part)["mae"] for part in (validation, test)]
        return recipe.train(name, listing(stack), learnt, **fit)[0]

    models = {name: train(name, of_6, name) for name in NETWORKS}
    every = np.hstack([values, derived(table)[:rows]])
    train("LSTM(16), 12 variables", parts(StandardScaler.fit(every[:half]).transform(every), degrees, batch))

    last = at[1][-336:]
    guess = models["LSTM(16)"].predict(of_6[2])[-336:, 0]
    title = "Temperature of Jena a day ahead: LSTM(16) and truth, the last two weeks"
    others = {"as a day before": degrees[last - AHEAD]}
    recipe.finish(forecast(table.dates[last], degrees[last], guess, others, unit="degC", title=title))


if __name__ == "__main__":
    main()
