"""Forecasting (pronóstico) as one object: a year of monthly temperatures ahead, beside forecasts without a network.

    python examples/forecast.py --data station.csv
    python examples/forecast.py                      # without the file: a computed hourly temperature

The file is a GISS station table (data.giss.nasa.gov/gistemp/station_data_v4_globe: choose a station, download the CSV).
The series (serie temporal) is split in order of time into training, validation and test part (entrenamiento, validación
y prueba); a window (ventana) of two years or days is read, a lead (antelación) may be left out, and a horizon
(horizonte) of one is forecast. The scale is learnt on the training part alone, no window crosses a split, and every
score is in original units, beside the baselines (modelos de referencia). Three ways from window to horizon:

direct     all steps at once (directo)
iterated   one step, fed back (paso a paso)
seq2seq    all steps after every step of the window (secuencia a secuencia)
"""

import argparse
import textwrap

from rnnkit import Sequential
from rnnkit.callbacks import EarlyStopping
from rnnkit.data import hourly_temperature, read_giss
from rnnkit.forecast import Forecaster
from rnnkit.layers import GRU, Dense
from rnnkit.optimizers import Adam


def network(method: str, horizon: int, seed: int) -> Sequential:
    """One recurrent layer, and as many answers as the method asks for."""
    answers = 1 if method == "iterated" else horizon
    model = Sequential([GRU(32, return_sequences=method == "seq2seq"), Dense(answers)], seed=seed)
    model.compile(Adam(3e-3), "mse", ["mae"])
    return model


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--data", help="GISS station table, CSV")
    arguments.add_argument("--epochs", type=int, default=60)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--out", default="forecast.png", help="picture of the forecasts; beside it, of the windows")
    arguments.add_argument("--quick", action="store_true", help="few epochs, one method")
    options = arguments.parse_args()

    series = read_giss(options.data) if options.data else hourly_temperature(days=60)
    horizon = series.period
    methods = ("direct",) if options.quick else ("direct", "iterated", "seq2seq")
    epochs = min(options.epochs, 12) if options.quick else options.epochs

    fitted = {}
    for method in methods:
        model = network(method, horizon, options.seed)
        forecaster = Forecaster(model, window=2 * horizon, horizon=horizon, method=method)
        patience = EarlyStopping("val_loss", patience=10, restore_best_weights=True)
        print(forecaster.fit(series, epochs=epochs, callbacks=[patience], seed=options.seed, verbose=0), end="\n\n")
        fitted[method] = forecaster

    # Chosen on the validation part: the test part is looked at afterwards.
    best = min(fitted, key=lambda method: fitted[method].report.validation.score()["mae"])
    chosen = fitted[best]
    print(f"Chosen on the validation part: {best}.")
    after = ", ".join(f"{x:.1f}" for x in chosen.predict(series)[:, 0])
    print(textwrap.fill(f"The {horizon} steps after the series: {after}", 79))
    chosen.report.plot(options.out)
    chosen.picture(series, options.out.removesuffix(".png") + "-windows.png")


if __name__ == "__main__":
    main()
