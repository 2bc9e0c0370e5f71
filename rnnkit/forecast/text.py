"""Tables of scores for the terminal, 80 columns at most."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

from ..commands.tables import aligned

if TYPE_CHECKING:
    from .backtest import Backtest

__all__ = ["by_step", "by_target", "folded", "side_by_side", "verdict"]

_STEPS = 8
_LONG = {"linear": "linear least squares"}


def folded(text: str) -> str:
    """A sentence in lines of 79 columns."""
    return textwrap.fill(text, 79, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def by_target(backtest: Backtest) -> str:
    """A table for each target: the mean absolute and root mean squared errors, the best first."""
    return side_by_side({"": backtest})


def side_by_side(parts: dict[str, Backtest]) -> str:
    """The same for several parts, each with columns of its own; the order is that of the last part."""
    last = list(parts.values())[-1]
    tables = []
    for target, (name, unit) in enumerate(zip(last.targets, last.units, strict=True)):
        errors = {who: {part: b.scores[who].over_all(target) for part, b in parts.items() if who in b.scores}
                  for who in last.scores}  # fmt: skip
        order = sorted(errors, key=lambda who: errors[who][list(parts)[-1]]["mae"])
        show = _format([error["mae"] for by_part in errors.values() for error in by_part.values()])
        head = ["", _label(name, unit)]
        rows = []
        for part in parts:
            head += [f"{part} MAE".strip(), "RMSE"]
        for who in order:
            row = ["*" if who == "model" else "", _LONG.get(who, who)]
            for part in parts:
                error = errors[who].get(part)
                row += ["", ""] if error is None else [show(error["mae"]), show(error["rmse"])]
            rows.append(row)
        tables.append(aligned([head, *rows], left=2))
    return "\n\n".join(tables)


def by_step(backtest: Backtest) -> str:
    """The mean absolute error of some steps of the horizon, first and last among them, for each target."""
    return "\n\n".join(_steps_of(backtest, target) for target in range(len(backtest.targets)))


def _steps_of(backtest: Backtest, target: int) -> str:
    """The table of one target, with as many steps as go into a line."""
    H, name = backtest.truth.shape[1], backtest.targets[target]
    table, columns = "", _STEPS + 1
    while columns > 2 and (not table or max(map(len, table.splitlines())) > 79):
        columns -= 1
        steps = np.unique(np.linspace(0, H - 1, min(H, columns)).round().astype(int))
        errors = {who: scores.mae[steps, target] for who, scores in backtest.scores.items()}
        show = _format(np.concatenate(list(errors.values())))
        label = "MAE by step ahead" if len(backtest.targets) == 1 else f"MAE by step ahead: {name[:24]}"
        rows = [["", label, *(str(backtest.lead + step + 1) for step in steps)]]
        for who in sorted(errors, key=lambda who: backtest.scores[who].over_all(target)["mae"]):
            rows.append(["*" if who == "model" else "", _LONG.get(who, who), *map(show, errors[who])])
        table = aligned(rows, left=2)
    return table


def verdict(backtest: Backtest, where: str = "") -> str:
    """For each target, how far the model is from the best of the baselines, in a sentence."""
    lines = []
    for target, name in enumerate(backtest.targets):
        errors = {who: scores.over_all(target)["mae"] for who, scores in backtest.scores.items()}
        own = errors.pop("model")
        rival = min(errors, key=lambda who: errors[who])
        best, label = errors[rival], _LONG.get(rival, rival)
        whose = f"{name}: " if len(backtest.targets) > 1 else ""
        if math.isnan(own) or math.isnan(best):
            lines.append(f"{whose}nothing{where} was measured to score by.")
        elif own < best:
            lines.append(f"{whose}the model is best{where}, {1 - own / best:.1%} below {label}.")
        else:
            above = f"; the model is {own / best - 1:.1%} above it" if best > 0 else ""
            lines.append(f"{whose}{label} is best{where}{above}.")
    return "\n".join(folded(line[0].upper() + line[1:] if len(lines) == 1 else line) for line in lines)


def _label(name: str, unit: str) -> str:
    return f"{name[:28]}, {unit}" if unit else name[:30]


def _format(values: Iterable[float]) -> Callable[[float], str]:
    """How to write numbers of this size: three digits for the smallest."""
    sizes = [abs(value) for value in values if math.isfinite(value) and value]
    digits = int(np.clip(2 - math.floor(math.log10(min(sizes))), 0, 6)) if sizes else 4
    return lambda value: f"{value:.{digits}f}" if math.isfinite(value) else "-"
