"""Trains a recurrent network to forecast a series, and compares it with four
simple forecasts on data that it never saw.
"""

from __future__ import annotations

import sys
import tempfile
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rnnkit_kernels import backends

from .. import data
from ..callbacks import EarlyStopping
from ..data import MinMaxScaler, Series, StandardScaler
from ..layers import Dense, Dropout, Input
from ..model import Sequential
from ..optimizers import Adam
from . import report
from .arguments import name_of, positive, rate, units, whole
from .cells import CELLS, layer_of
from .task import Shuffled, Task, cut, read, usual_window
from .threads import one_thread

__all__ = ["EXAMPLES", "HELP", "add_arguments", "run"]

HELP = "train a network on a series and compare it with simple forecasts"
EXAMPLES = """\
examples:
  rnnkit train                                 the course's job, about a minute
  rnnkit train --data station.csv              a file of your own
  rnnkit train --data sales.csv --horizon 12   twelve steps at once
  rnnkit train --data jena.csv.gz --column "T (degC)" --window 120 --lead 23
  rnnkit train --cell lstm --units 32 --layers 2 --epochs 10

The first 80 % of the series train; their last tenth is held out, to choose
the epoch whose weights are kept. The last 20 % test. Ctrl-C ends training
early: scores, model and picture are made of what there is."""

# For a file: from .. to epochs and windows an update, so that there are about so many updates; most windows an epoch.
EPOCHS, BATCH, UPDATES, WINDOWS = (20, 200), (8, 32), 2500, 4096
_NOISE = 0.5  # of the built-in series


def add_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("--data", metavar="FILE", help="CSV, GISS station or Central England table, plain or gzip (built-in series)")
    add("--column", metavar="NAME", help="column of a CSV file, by name or position from 0 (the first of numbers)")
    add("--cell", type=name_of("cell", CELLS), default="gru", metavar="NAME", help=f"{', '.join(CELLS)} (gru)")
    add("--units", type=units, metavar="N,N,...", help="units of each layer (24,50,24; for a file 32)")
    add("--layers", type=whole(1), metavar="N", help="how many layers, where --units is one number (1)")
    add("--activation", metavar="NAME", help="of the cell (swish; for a file tanh)")
    add("--window", type=whole(1), metavar="N", help="steps the network sees (24; for a file, from its period)")
    add(
        "--lead",
        type=whole(0),
        metavar="N",
        help="steps left out before the forecast (12; for a file 0: the next step)",
    )
    add("--horizon", type=whole(1), default=1, metavar="N", help="steps to forecast at once (1)")
    add(
        "--epochs",
        type=whole(1),
        metavar="N",
        help="passes over the training part (30; for a file 20 to 200, by its size)",
    )
    add("--batch", type=whole(1), metavar="N", help="windows an update (32; fewer for a short file)")
    add("--learning-rate", type=positive, metavar="X", help="of Adam (0.001; for a file 0.003)")
    add("--dropout", type=rate, metavar="X", help="share dropped after every layer (0.1; for a file 0)")
    add(
        "--keep",
        choices=("best", "last"),
        default="best",
        help="the weights of which epoch: best in validation, or last",
    )
    add("--seed", type=whole(0), default=7, metavar="N", help="of weights, order and dropout (7)")
    add(
        "--backend",
        type=name_of("backend", backends.NAMES),
        default="auto",
        metavar="NAME",
        help="auto or numpy (auto)",
    )
    add("--out", default="rnnkit-out", metavar="FOLDER", help="for model.safetensors and report.png (rnnkit-out)")
    add("--verbose", choices=("auto", "0", "1", "2"), default="auto",
        help="0 silent, 1 a bar, 2 a line each epoch; auto: a bar on a terminal, else lines")  # fmt: skip


def run(options: Namespace) -> int:
    with one_thread():
        return _run(options)


def _run(options: Namespace) -> int:
    task, notes, defaults = _task(options)
    model, name = _model(options, defaults, task)
    out = _writable(Path(options.out))
    fit = task.fitted
    batch = options.batch or int(np.clip(len(fit[0]) // 25, *BATCH))
    batches = Shuffled(*fit, batch, WINDOWS if options.data else len(fit[0]), options.seed)
    if batches.samples < len(fit[0]):
        notes.append(f"{batches.samples:,} of {len(fit[0]):,} windows an epoch, drawn anew each time")
    epochs = options.epochs or defaults.epochs or int(np.clip(-(-UPDATES // len(batches)), *EPOCHS))
    report.describe(task, model, name, notes)
    if options.data is None:
        report.say("  (the course scales by the whole series, test part included)", "   ")
    keeper = EarlyStopping(patience=epochs, restore_best_weights=options.keep == "best")
    verbose: Any = int(options.verbose) if options.verbose != "auto" else (1 if sys.stderr.isatty() else 2)
    history = model.fit(
        batches, validation_data=[task.validation], epochs=epochs, shuffle=False, callbacks=[keeper], verbose=verbose
    )
    kept = None if keeper.best_params is None else keeper.best_epoch + 1
    if history.interrupted:
        report.say(f"Ctrl-C after {len(history.epoch)} of {epochs} epochs: going on with what there is")
    forecast = task.forecast(model)
    scores = task.scores(name, forecast)
    if kept is not None:
        report.say(f"weights kept: epoch {kept} of {len(history.epoch)}, the lowest validation loss")
    print(f"\n{report.table(scores, task.series.unit)}\n")
    report.say(report.verdict(scores, _NOISE * np.sqrt(2 / np.pi) if options.data is None else None), "")
    model.save(out / "model.safetensors")
    report.say(f"model: {out / 'model.safetensors'}")
    report.say(report.picture(out / "report.png", task, history, forecast, scores, kept))
    return 0


@dataclass(frozen=True)
class _Defaults:
    units: tuple[int, ...]
    activation: str
    dropout: float
    learning_rate: float
    epochs: int | None


_COURSE = _Defaults((24, 50, 24), "swish", 0.1, 1e-3, 30)
_FILE = _Defaults((32,), "tanh", 0.0, 3e-3, None)


def _task(options: Namespace) -> tuple[Task, list[str], _Defaults]:
    if options.data is None:
        if options.column is not None:
            raise ValueError("--column chooses from a file; give --data FILE")
        series: Series = data.hourly_temperature()
        unknown, defaults = np.zeros(len(series), bool), _COURSE
        notes: list[str] = []
        scaler: Any = MinMaxScaler
        window, lead = options.window or 24, 12 if options.lead is None else options.lead
    else:
        series, unknown, notes = read(options.data, options.column)
        defaults, scaler = _FILE, StandardScaler
        window, lead = options.window or usual_window(series), options.lead or 0
    return (
        Task(series, unknown, scaler.fit(series.values[: cut(series.values)]), window, lead, options.horizon),
        notes,
        defaults,
    )


def _model(options: Namespace, defaults: _Defaults, task: Task) -> tuple[Sequential, str]:
    """The network, built and compiled, and what to call it."""
    sizes = options.units or defaults.units
    if options.layers is not None:
        if options.units is not None and len(sizes) > 1:
            raise ValueError(f"--layers repeats a single --units; got --units {','.join(map(str, sizes))}, choose one")
        sizes = (options.units or _FILE.units) * options.layers
    activation = options.activation or defaults.activation
    share = defaults.dropout if options.dropout is None else options.dropout
    model = Sequential([Input((task.window, 1))], backend=options.backend, seed=options.seed)
    for k, size in enumerate(sizes):
        model.add(layer_of(options.cell, size, activation, return_sequences=k + 1 < len(sizes)))
        if share:
            model.add(Dropout(share))
    model.add(Dense(task.horizon))
    model.compile(Adam(learning_rate=options.learning_rate or defaults.learning_rate), "mse")
    return model, f"{options.cell} {'-'.join(map(str, sizes))}"


def _writable(folder: Path) -> Path:
    """The folder, made where it is missing, before an hour of training finds that nothing can be written there."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        return folder
