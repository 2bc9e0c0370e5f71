"""What the recipes of this folder share: their options, the table of scores beside the baselines, what they leave.

    recipe = Recipe(__doc__, columns=("MAE, degC",), file="station.csv")
    recipe.baseline("same month of last year", [1.31])
    recipe.train("GRU(100) x 2", network, x, y, batch_size=12, epochs=100, score=forecast_error, recorded=[1.48])
    recipe.finish(figure)

`network(library, **seed)` is a listing for two libraries: called with `rnnkit`, and with `keras` where --peer has both
timed on the same model. `rnnkit course` runs the recipes and collects what they leave.
"""

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

import rnnkit
from rnnkit.callbacks import LambdaCallback
from rnnkit.commands.threads import one_thread
from rnnkit.files import write_atomically
from rnnkit.plots import save_figure

TIMED = 3  # epochs that --peer trains a model for
NAME, NUMBER, RECORDED, SECONDS = 30, 9, 10, 10  # characters of the cells of a row: two columns fill 80


class Recipe:
    """One system of the course: what it is asked on the command line, and the scores it finds.

    doc      the script's docstring: its first line is the title
    columns  what is scored, with its unit, in 17 characters at most; one number a column and row
    file     the data file it needs in the folder --data; None where it makes its own
    better   "lower" or "higher"
    more     (parser) -> None adds options of its own, which are found in `options`
    """

    def __init__(self, doc, columns, file=None, better="lower", more=None):
        self.title = doc.strip().splitlines()[0]
        self.name, self.columns, self.better = Path(sys.argv[0]).stem, tuple(columns), better
        parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
        if file:
            parser.add_argument("--data", required=True, type=Path, metavar="PATH", help=f"{file}, or its folder")
        parser.add_argument(
            "--out", type=Path, default=Path("course"), help="folder of the picture and scores (course)"
        )
        parser.add_argument("--seeds", type=int, default=3, help="trainings a model; their median is the score (3)")
        parser.add_argument("--quick", action="store_true", help="seconds instead of minutes, to see that it runs")
        parser.add_argument(
            "--peer", action="store_true", help="only time epochs, here and in Keras, for the scores in --out"
        )
        if more:
            more(parser)
        self.options = options = parser.parse_args()
        self.quick, self.out, self._peer = options.quick, options.out, options.peer and not options.quick
        self.seeds = range(1 if self.quick or self._peer else options.seeds)
        if self._peer and not (self.out / f"{self.name}.json").is_file():
            parser.error(f"--peer adds times to the scores in {self.out}, which has none; run without it first")
        self.file = None
        if file:
            self.file = options.data / file if options.data.is_dir() else options.data
            if not self.file.is_file():
                parser.error(f"there is no {self.file}; see {sys.argv[0]} --help for where a user gets it")
        self.rows = []
        self._head()

    def baseline(self, name, values, recorded=None):
        """A row of a forecast without a network. values, recorded: one number a column, None where there is none."""
        self._row({"name": name, "kind": "baseline", "values": list(values), "recorded": recorded})

    def train(self, name, network, x, y=None, *, epochs, score, recorded=None, peer=True, callbacks=(), **fit):
        """Trains a listing once a seed, adds its row, and returns the model and History of the median seed.

        x, y    what `fit` takes: arrays, or batches that can be gone through again
        epochs  as recorded; score: (model, history) -> one number a column
        peer    whether Keras has these layers, and --peer may time them; or the (x, y) on which it does the same work
        """
        epochs, runs = (TIMED if peer else 2) if self._peer else epochs, []
        for seed in self.seeds:
            clock = _Clock()
            with one_thread():
                model = network(rnnkit, seed=seed)
                fit["callbacks"] = [*callbacks, LambdaCallback(**clock.ours)]
                history = model.fit(x, y, epochs=epochs, **fit)
                runs.append((list(score(model, history)), clock.usual(), model, history))
        runs.sort(key=lambda run: run[0][-1])
        median = runs[len(runs) // 2]
        row = {"name": name, "kind": "model", "values": median[0], "recorded": recorded, "epochs": epochs}
        row["range"] = [[f(run[0][k] for run in runs) for f in (min, max)] for k in range(len(self.columns))]
        row["seconds"] = statistics.median(run[1] for run in runs)
        if self._peer and peer:
            row["peer"] = keras_seconds(network, *((x, y) if peer is True else peer), fit)
        self._row(row)
        return median[2], median[3]

    def scored(self, name, values, recorded=None, **more):
        """A row of a model trained outside `train`. more: `epochs`, `seconds` of one, `range` (low, high) a column."""
        self._row({"name": name, "kind": "model", "values": list(values), "recorded": recorded, **more})

    def finish(self, figure=None):
        """Saves picture and scores in the folder --out, as NAME.png and NAME.json; with --peer, times alone."""
        path = self.out / f"{self.name}.json"
        self.out.mkdir(parents=True, exist_ok=True)
        if self._peer:
            told = json.loads(path.read_text())
            timed = {row["name"]: row for row in self.rows}
            for row in told["rows"]:
                times = timed.get(row["name"], {})
                row |= {name: times[name] for name in ("seconds", "peer") if name in times and row["kind"] == "model"}
        else:
            told = {"name": self.name, "title": self.title, "columns": self.columns, "better": self.better}
            told |= {"quick": self.quick, "seeds": len(self.seeds), "picture": figure is not None, "rows": self.rows}
            if figure is not None:
                save_figure(figure, self.out / f"{self.name}.png")
                print(f"  picture: {self.out / f'{self.name}.png'}")
        write_atomically(path, json.dumps(told, indent=1).encode())

    def _head(self):
        print(self.title)
        heads = [f"{column:>{NUMBER + RECORDED}}" for column in self.columns]
        print(f"  {'':<{NAME}}{''.join(heads)}{'s/epoch':>{SECONDS}}")

    def _row(self, row):
        self.rows.append(row)
        cells = ""
        for value, known in zip(row["values"], row["recorded"] or [None] * len(self.columns), strict=True):
            cells += f"{'' if value is None else f'{value:.4g}':>{NUMBER}}"
            cells += f"{'' if known is None else f'({known:.4g})':>{RECORDED}}"
        took = f"{row['seconds']:{SECONDS}.2f}" if "seconds" in row else ""
        took += f", Keras {row['peer']['seconds']:.2f}" if row.get("peer") else ""
        print(f"  {row['name']:<{NAME}}{cells}{took}", flush=True)


def keras_seconds(network, x, y, fit):
    """Seconds of an epoch of the same listing in Keras, the first one, which compiles, left out."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras

    keras.utils.set_random_seed(0)
    model = network(keras)
    fit = {name: value for name, value in fit.items() if name in ("batch_size", "shuffle")}
    clock = _Clock()
    callback = keras.callbacks.LambdaCallback(on_epoch_begin=clock.begin, on_epoch_end=clock.end)
    if y is None:

        def batches():
            while True:
                yield from x

        model.fit(batches(), steps_per_epoch=len(x), epochs=TIMED, verbose=0, callbacks=[callback])
    else:
        model.fit(x, y, epochs=TIMED, verbose=0, callbacks=[callback], **fit)
    return {"name": f"Keras {keras.__version__} on {keras.backend.backend()}", "seconds": clock.usual()}


class _Clock:
    """Seconds of each epoch's training; what follows its last batch, validation, is left out."""

    def __init__(self):
        self.seconds = []
        self.ours = {"on_epoch_begin": self.begin, "on_train_batch_end": self.batch, "on_epoch_end": self.last}

    def usual(self):
        """The median; of a few, the first of which compiles, the least."""
        return statistics.median(self.seconds) if len(self.seconds) > TIMED else min(self.seconds)

    def begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def batch(self, number, logs=None):
        self.now = time.perf_counter()

    def last(self, epoch, logs=None):
        self.seconds.append(self.now - self.start)

    def end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self.start)
