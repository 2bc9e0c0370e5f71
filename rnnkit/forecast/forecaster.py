"""The forecaster: a model with everything around it that turns a series into forecasts that can be trusted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Any

import numpy as np

from rnnkit_kernels.types import Array

from ..border import whole
from ..data.splits import chronological_split
from ..model import Sequential
from .backtest import Backtest
from .cuts import inside, refuse_short
from .fitted import Fitted
from .learning import Learnt, Settings, compiled, learn
from .picture import draw
from .plan import Plan
from .report import ForecastReport, Part
from .rolling import refitted, starts
from .rows import Rows, read_rows, refuse_unlike
from .scale import check_scaler
from .seen import refuse_missing, seen

__all__ = ["Forecaster"]


class Forecaster:
    """Windows of a series in, the rows after them out, in original units.

        forecaster = Forecaster(model, window=24, horizon=12)
        print(forecaster.fit(series))
        forecaster.predict(series)

    model     a `Sequential`, built or not, that makes horizon * T values of windows (window, D): T targets, D columns.
              Nothing is added to it; one that is not compiled is compiled with Adam, mse and mae
    window    rows of the past in a window; horizon: rows to forecast; lead: rows left out between them
    targets   columns to forecast, by name or position; None for all
    scaler    "standard", "minmax", None, or a class of `rnnkit.data` (StandardScaler): learnt on the training part
              alone. One that has been fitted is taken as it is
    method    "direct": the whole horizon at once; the model makes (horizon * T,) or (horizon, T).
              "iterated": the next row, fed back; the model makes (T,), and every column is a target.
              "seq2seq": the horizon after every step of the window; the model makes (window, horizon * T)
    missing   "refuse" names missing values. "linear" fills those in a window by what was known at its end: on the line
              between neighbours, or with the last value where the gap goes on. What is learnt is filled likewise, by
              what was known at the end of its part, and windows are left out that would learn from filled values
              alone. A missing value is never scored
    period    rows of a season for the seasonal baseline; None takes it from the series or its dates

    A series is a `Series` or `Table` of `rnnkit.data`, an array (N,) or (N, D), or several by name, {"T": series,
    "p": array}; oldest first and at equal steps. Dates come with it or as `dates=`; irregular ones are refused with the
    place.

    report, scale   of the last `fit`; None before. A file keeps no report
    Raises ValueError or TypeError, in a sentence, for what does not fit.
    """

    def __init__(
        self,
        model: Sequential,
        *,
        window: int,
        horizon: int,
        lead: int = 0,
        targets: Any = None,
        scaler: Any = "standard",
        method: str = "direct",
        missing: str = "refuse",
        period: int | None = None,
    ) -> None:
        if not isinstance(model, Sequential):
            raise TypeError(f"model is a Sequential; got {type(model).__name__}")
        for layer in model.layers:
            if getattr(layer, "stateful", False):
                raise ValueError(
                    f"{type(layer).__name__} is stateful: its state would go from one window to another that does not "
                    "follow it in time; leave stateful=True out"
                )
        check_scaler(scaler)
        self.model = model
        self.plan = Plan(window, horizon, lead, targets, scaler, method, missing, period)
        self.report: ForecastReport | None = None
        self._learnt: Fitted | None = None

    @property
    def scale(self) -> Any:
        """origin and unit of each column, (D,): z = (x - origin) / unit. None before `fit`."""
        return None if self._learnt is None else self._learnt.scale

    def __repr__(self) -> str:
        plan, state = self.plan, "fitted" if self._learnt else "not fitted"
        sizes = f"window={plan.window}, horizon={plan.horizon}, lead={plan.lead}"
        return f"Forecaster({plan.method!r}, {sizes}, {state})"

    def fit(
        self,
        series: Any,
        *,
        dates: Any = None,
        train: float = 0.7,
        validation: float = 0.15,
        epochs: int = 20,
        batch_size: int = 32,
        seed: int = 0,
        callbacks: Sequence[Any] = (),
        verbose: Any = "auto",
    ) -> ForecastReport:
        """Trains on the oldest part, watches over it with the next, and scores both parts that were kept out.

        train, validation  shares of the rows, or numbers of them; the rest is the test part. A window lies in one part,
                           with the rows that it forecasts
        seed               decides the order of the windows (the model's own decides weights and dropout)
        epochs             0 learns the scale and the baselines, and takes the weights as they are
        batch_size, callbacks, verbose   as in `Sequential.fit`, whose loss is in units of the scale

        A second call goes on with the weights that the model has. When training raises, model and forecaster are left
        as they were.
        """
        settings = Settings(
            whole("epochs", epochs, least=0), whole("batch_size", batch_size, least=1),
            whole("seed", seed, least=0), callbacks, verbose,
        )  # fmt: skip
        table = self._read(series, dates)
        parts = chronological_split(table.values, train, validation)
        cuts = len(parts[0]), len(parts[0]) + len(parts[1])
        method = self.plan.on(table.names)
        refuse_short("validation", cuts[1] - cuts[0], method.window, method.span)
        refuse_short("test", len(table) - cuts[1], method.window, method.span)
        method.of_model(self.model)
        compiling = compiled(self.model)
        learnt = learn(self.model, self.plan, table, cuts, settings)
        scored = self._score(learnt, table, *cuts), self._score(learnt, table, cuts[1], len(table))
        ends = (0, *cuts, len(table))
        windows = [learnt.windows, *(0 if part is None else len(part) for part in scored)]
        named = [
            Part(name, begin, end, count, table.when(begin), table.when(end - 1))
            for name, begin, end, count in zip(("train", "validation", "test"), ends, ends[1:], windows, strict=False)
            if end > begin
        ]
        notes = tuple(filter(None, (compiling, *learnt.notes())))
        report = ForecastReport(self.plan, tuple(named), *scored, learnt.history, notes)
        self._learnt, self.report = learnt, report
        return report

    def predict(self, history: Any, *, dates: Any = None) -> Array:
        """The rows after `history`, and after `lead` more: (horizon, T) float64 in original units.

        history   at least `window` rows, of the columns that were fitted on, newest last; more of them can only tell
                  how to fill a gap with which the window begins
        """
        learnt = self._fitted("predict")
        table = self._read(history, dates, "history", like=learnt.table)
        if len(table) < self.plan.window:
            raise ValueError(f"history has {len(table)} rows; a window takes {self.plan.window}")
        made: Array = learnt.horizons(self.model, seen(table), np.array([len(table)]))[0]
        return made

    def backtest(
        self, series: Any, *, dates: Any = None, start: Any = None, stride: int = 1, refit: bool | int = False
    ) -> Backtest:
        """Forecasts from one origin after another, each from all that was known there and nothing else.

        start    the first origin: a row, a share of the rows, or a date, the first that is not known; None begins where
                 the validation part of `fit` ended. The last origin is the last whose whole horizon is in the series
        stride   rows from one origin to the next
        refit    False uses the model as it is. True trains it anew at every origin, k at every k-th: from the weights
                 that it had before `fit`, with the arguments of `fit`, on the rows before the origin, the newest of
                 which validate in the same proportion. The model and the forecaster are left as they are

        returns  a `Backtest`; its baselines are fitted to the same rows as the model
        """
        learnt = self._fitted("backtest")
        table = self._read(series, dates, like=learnt.table)
        origins = starts(table, start, whole("stride", stride, least=1), learnt.method, learnt.cuts[1])
        every = whole("refit", int(refit) if isinstance(refit, bool) else refit, least=0)
        if every:
            if not isinstance(learnt, Learnt):
                raise ValueError(
                    "refit trains from the weights that the model had before fit, which no file keeps: fit this "
                    "forecaster anew, or leave refit out"
                )
            return refitted(self.model, self.plan, table, origins, learnt, every)
        inner = int((origins < learnt.cuts[1]).sum()) if learnt.table.same_rows(table) else 0
        note = f"{inner} of the origins lie in the rows that the model was trained or chosen on: no test of it."
        return learnt.backtest(self.model, table, origins, (note,) if inner else ())

    def picture(
        self, series: Any, path: Any = None, *, dates: Any = None, train: float = 0.7, validation: float = 0.15,
        target: str | int = 0,
    ) -> Any:  # fmt: skip
        """Draws what the windows are: the parts of the series, and one window with its lead and its horizon.

        It needs no fit. Returns the matplotlib figure; saves it where a path is given.
        """
        from ..plots import save_figure

        table = read_rows(series, dates)
        parts = chronological_split(table.values, train, validation)
        figure = draw(self.plan, table, (len(parts[0]), len(parts[0]) + len(parts[1])), target)
        return figure if path is None else save_figure(figure, path)

    def save(self, path: str | PathLike[str]) -> None:
        """Writes model, plan, scale and baselines to one safetensors file, whole or not at all; `load` reads it.

        Raises ValueError for a forecaster that is not fitted and for an object that a file cannot name.
        """
        from .saving import save

        save(self.model, self.plan, self._fitted("save"), path)

    @classmethod
    def load(cls, path: str | PathLike[str], *, custom: Iterable[Any] = (), backend: str | None = None) -> Forecaster:
        """The forecaster that `save` wrote: it forecasts to the last bit as the one that was saved, and fits on.

        custom   as in `rnnkit.load`;  backend: what the model is to run on, None for what it ran on
        raises   FileNotFoundError; ValueError, in a sentence, for a file that is damaged or holds something else;
                 ImportError for a backend that is not installed: say backend="numpy"
        """
        from .saving import load

        model, plan, learnt = load(path, custom, backend)
        made = cls(model, **vars(plan))
        made._learnt = learnt
        return made

    def _score(self, learnt: Fitted, table: Rows, begin: int, end: int) -> Backtest | None:
        """The scores of windows that lie in rows [begin, end), or None where there are none."""
        origins = inside(begin, end, learnt.method.window, learnt.method.span)
        return learnt.backtest(self.model, table, origins) if len(origins) else None

    def _fitted(self, what: str) -> Fitted:
        if self._learnt is None:
            raise ValueError(f"{what} needs a fitted forecaster: call fit(series) first")
        return self._learnt

    def _read(self, given: Any, dates: Any, name: str = "series", like: Rows | None = None) -> Rows:
        table = read_rows(given, dates, name)
        if self.plan.missing == "refuse":
            refuse_missing(table, name)
        if like is not None:
            refuse_unlike(table, like, name)
        return table
