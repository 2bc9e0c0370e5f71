"""Monthly temperature at Seattle-Tacoma: the course's network, and one that beats the calendar.

    python examples/seattle.py --data station.csv

The file is a GISS station table (data.giss.nasa.gov/gistemp/station_data_v4_globe: choose a station, download the CSV).
The first 840 months, 1950-2019, are normalised with the mean and deviation of all of them, as the course does; 792
train and the last 48 validate. The calendar is hard to beat: the same month of last year is off by 0.254 standard
deviations.
"""

import argparse

import numpy as np

from rnnkit import Sequential
from rnnkit.data import read_giss, score_baselines, windowed_dataset, windows
from rnnkit.layers import GRU, Dense, SimpleRNN
from rnnkit.optimizers import SGD, Adam

MONTHS, SPLIT, WINDOW = 840, 792, 24


def course(seed: int) -> Sequential:
    """The course's listing. At its learning rate the seed decides: 0.25 to 0.32 after 100 epochs."""
    model = Sequential([SimpleRNN(100, return_sequences=True), SimpleRNN(100), Dense(1)], seed=seed)
    model.compile(loss="huber", optimizer=SGD(learning_rate=1.5e-6, momentum=0.9), metrics=["mae"])
    return model


def faster(seed: int) -> Sequential:
    """The same network with a learning rate that moves it."""
    model = Sequential([SimpleRNN(100, return_sequences=True), SimpleRNN(100), Dense(1)], seed=seed)
    model.compile(loss="huber", optimizer=SGD(learning_rate=1e-4, momentum=0.9), metrics=["mae"])
    return model


def gru(seed: int) -> Sequential:
    """A third of the units, gated."""
    model = Sequential([GRU(32), Dense(1)], seed=seed)
    model.compile(loss="huber", optimizer=Adam(learning_rate=1e-3), metrics=["mae"])
    return model


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--data", required=True, help="GISS station table, CSV")
    arguments.add_argument("--epochs", type=int, default=100)
    arguments.add_argument("--seeds", type=int, default=3, help="how many runs; their median is printed (3)")
    options = arguments.parse_args()

    series = read_giss(options.data).values[:MONTHS]
    mean, std = series.mean(), series.std()
    z = (series - mean) / std
    past, future = windows(z[SPLIT - WINDOW :], WINDOW)  # one forecast for each of the 48 months kept out

    scores = {name: score["mae"] for name, score in baselines(z).items()}
    for name, make in (("course", course), ("course, faster", faster), ("GRU(32), Adam", gru)):
        errors = []
        for seed in range(options.seeds):
            model = make(seed)
            batches = windowed_dataset(z[:SPLIT], WINDOW, batch_size=12, shuffle_buffer=48, seed=seed)
            model.fit(batches, epochs=options.epochs, validation_data=(past, future[:, 0]))
            errors.append(model.evaluate(past, future[:, 0])["mae"])
        scores[name] = float(np.median(errors))
    print(f"mean absolute error over the last {MONTHS - SPLIT} months")
    for name, score in sorted(scores.items(), key=lambda item: item[1]):
        print(f"  {name:<24}{score:8.4f}{score * std:8.2f} degC")


def baselines(z: np.ndarray) -> dict[str, dict[str, float]]:
    months = np.arange(SPLIT, MONTHS)
    return score_baselines(z, months, length=WINDOW, train=SPLIT, period=12)


if __name__ == "__main__":
    main()
