"""Search for the best convolution: settings tried by several processes.

    python examples/search.py [--workers N] [--trials N]

The hyperparameters (hiperparámetros) are those that the course lets a tuner look for on the made-up series of
synthetic.py: 128, 192 or 256 filters (filtros), a kernel (núcleo) of 3 to 9 days, a stride (paso) of 1 to 3. Each trial
(prueba) trains the network --seeds times for 100 epochs; as in the course the training loss decides, here the median of
the trainings, because a single one may start with a dead network. Optuna (pip install 'rnnkit[search]') chooses what to
try next: its TPE sampler learns from the trials so far which settings are promising.

All trials are kept in search.db in the folder --out, an SQLite file that the processes share. Break the search off,
start it again, and it goes on; give more --trials, and it continues. The bars show how much each hyperparameter
decides about being among the best quarter (PED-ANOVA, Watanabe et al. 2023).
"""

import os
import statistics
from functools import partial

import numpy as np
from recipe import Recipe
from studies import completed, searched
from synthetic import WINDOW, convolution, data, last_step

import rnnkit
from rnnkit.plots.figure import BLUE, COLOURS, legend, new_figure, style

NAMES = ("filters", "kernel", "stride")
COURSE, START = (128, 9, 1), (128, 3, 1)  # what the course's tuner found, and what it began with
RECORDED = {COURSE: (59.97, 4.46), START: (61.63, 4.63), (256, 6, 1): (60.07, None), (256, 9, 1): (60.13, None)}


def add_options(parser):
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes (one a core)")
    parser.add_argument("--trials", type=int, default=36, help="settings tried, those of earlier runs included (36)")


def objective(trial, runs, epochs):
    """The training loss of a setting that Optuna asks for; one that was tried before is not trained again."""
    setting = {
        "filters": trial.suggest_int("filters", 128, 256, step=64),
        "kernel": trial.suggest_int("kernel", 3, 9),
        "stride": trial.suggest_int("stride", 1, 3),
    }
    known = [other.user_attrs for other in completed(trial.study) if other.params == setting]
    found = known[0] if known else trained(**setting, runs=runs, epochs=epochs)
    for name, value in found.items():
        trial.set_user_attr(name, value)
    return found["loss"]


def trained(filters, kernel, stride, runs, epochs):
    """Medians over the runs: training loss of the last epoch, and error of the forecasts."""
    (x, y), (x_test, y_test) = data(-(-WINDOW // stride))
    losses, errors = [], []
    for seed in range(runs):
        model = convolution(kernel, filters, stride)(rnnkit, seed=seed)
        losses.append(model.fit(x, y, batch_size=32, epochs=epochs, verbose=0).history["loss"][-1])
        errors.append(float(np.abs(last_step(model, x_test) - y_test[:, -1, 0]).mean()))
    return {"loss": statistics.median(losses), "mae": statistics.median(errors)}


def main():
    recipe = Recipe(__doc__, ["training loss", "MAE"], more=add_options)
    runs, epochs, trials = len(recipe.seeds), 5 if recipe.quick else 100, recipe.options.trials
    study = searched(
        recipe.out / "search.db", f"{runs} x {epochs} epochs", partial(objective, runs=runs, epochs=epochs),
        min(trials, 6) if recipe.quick else trials, workers=recipe.options.workers,
        first=[dict(zip(NAMES, known, strict=True)) for known in (START, COURSE)],
    )  # fmt: skip
    tried = {tuple(trial.params[name] for name in NAMES): trial.user_attrs for trial in completed(study)}
    ranks = sorted(tried, key=lambda setting: tried[setting]["loss"])
    for setting in dict.fromkeys([*ranks[:6], *(known for known in ranks if known in (COURSE, START)), ranks[-1]]):
        known = None if recipe.quick else RECORDED.get(setting)
        label = "{} filters of {}, stride {}".format(*setting)
        recipe.scored(label, [tried[setting]["loss"], tried[setting]["mae"]], known, epochs=epochs)
    print(f"  the best of {len(tried)} settings, the course's two, and the worst; all: {recipe.out / 'search.db'}")
    recipe.finish(pictures(study, tried))


def pictures(study, tried):
    """What each hyperparameter decides, and the loss of every setting."""
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    shares = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator(target_quantile=0.25))
    figure = new_figure(13.3, 4.6)
    left, right = figure.subplots(1, 2)
    left.barh(list(shares)[::-1], list(shares.values())[::-1], color=BLUE, height=0.55)
    style(left, "What decides about the best quarter", "importance, together 1")
    left.grid(False, axis="y")
    for stride, colour in zip((1, 2, 3), COLOURS, strict=False):
        if dots := [(kernel, told["loss"]) for (_, kernel, step), told in tried.items() if step == stride]:
            right.plot(*np.transpose(dots), "o", color=colour, label=f"stride {stride}")
    style(right, "Every setting tried", "kernel, days", "training loss")
    legend(right)
    return figure


if __name__ == "__main__":
    main()
