"""What `rnnkit train` tells: the task before, the scores after, and the page of pictures."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from rnnkit_kernels.types import Array

from ..data import MinMaxScaler
from ..history import History
from ..model import Sequential
from .tables import aligned
from .task import TRAIN, Task

__all__ = ["describe", "picture", "say", "table", "verdict"]

Scores = dict[str, dict[str, float]]


def say(text: str, indent: str = "  ") -> None:
    """A line on standard output, folded where the terminal ends; never wider than 78 columns."""
    width = max(40, min(78, shutil.get_terminal_size((78, 24)).columns))
    print(
        textwrap.fill(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False),
        flush=True,
    )


def describe(task: Task, model: Sequential, name: str, notes: list[str]) -> None:
    """Series, windows, scale and network, before training begins."""
    series, fitted = task.series, len(task.fitted[0])
    say(f"series: {_title(task)}, {len(series):,} values" + (f", period {series.period}" if series.period else ""))
    for note in notes:
        say(f"  {note}", "    ")
    left_out = f", {task.lead} left out" if task.lead else ""
    say(f"windows: {task.window} steps in{left_out}, {task.horizon} forecast")
    say(
        f"parts: {fitted:,} windows train, {task.held_out:,} validate, {len(task.test):,} test, "
        f"the last {1 - TRAIN:.0%} of the series"
    )
    if isinstance(task.scaler, MinMaxScaler):
        low, high = float(task.scaler.low), float(task.scaler.high)
        say(f"scale: {low:.6g} .. {high:.6g} to 0 .. 1, from the training part")
    else:
        mean, std = float(task.scaler.mean), float(task.scaler.std)
        say(f"scale: (x - {mean:.6g}) / {std:.6g}, from the training part")
    size = sum(w.size for w in model.get_weights())
    say(f"network: {name}, {size:,} parameters, {model.backend.name}, seed {model.seed}")


def table(scores: Scores, unit: str) -> str:
    """The errors on the test part, the best first; the network, which comes first in `scores`, is marked."""
    own = next(iter(scores))
    rows = [("", f"error on the test part{f', {unit}' if unit else ''}", "MAE", "RMSE")]
    size = scores[own]["mae"]
    digits = int(np.clip(3 - np.floor(np.log10(size)), 0, 6)) if size > 0 else 4
    for name in sorted(scores, key=lambda name: scores[name]["mae"]):
        mae, rmse = (f"{scores[name][kind]:.{digits}f}" for kind in ("mae", "rmse"))
        rows.append(("*" if name == own else "", _LONG.get(name, name), mae, rmse))
    return aligned(rows, left=2)


_LONG = {"linear": "linear least squares"}


def verdict(scores: Scores, noise: float | None = None) -> str:
    """Which forecast is best, and how far the network is from the best of the others, in a sentence."""
    own, *others = scores
    errors = {name: score["mae"] for name, score in scores.items()}
    rival = min(others, key=errors.__getitem__)
    label = _LONG.get(rival, rival)
    if errors[own] < errors[rival]:
        gain = 1 - errors[own] / errors[rival]
        text = f"Best: the network, {'only ' if gain < 0.02 else ''}{gain:.1%} below {label}."
    else:
        ratio = errors[own] / max(errors[rival], 1e-30)
        behind = f"{ratio - 1:.1%} above it" if ratio < 2 else f"{ratio:.1f} times that" if ratio < 1000 else "far off"
        text = f"Best: {label}. The network's MAE is {behind}."
    if noise is not None:
        text += f" The noise in this series alone makes an MAE of {noise:.2f}."
    return text


def picture(path: Path, task: Task, history: History, forecast: Array, scores: Scores, kept: int | None) -> str:
    """Draws the page where matplotlib is there, and returns a line on it."""
    try:
        from .. import plots

        steps: Any = task.rows()[task.test]
        if task.series.dates is not None:
            steps = task.series.dates[steps]
        own = next(iter(scores))
        title = f"{_title(task)}: {own}"
        if task.horizon > 1:
            title += f", first of {task.horizon} steps"
        named = {_LONG.get(name, name): score for name, score in scores.items()}
        figure = plots.training_report(
            history, steps, task.truth()[:, 0], forecast[:, 0], title, task.series.unit, named, kept=kept
        )
    except ImportError as error:
        return f"no picture: {error}"
    plots.save_figure(figure, path)
    return f"picture: {path}"


def _title(task: Task) -> str:
    return f"{task.series.name}{f' ({task.series.unit})' if task.series.unit else ''}"
