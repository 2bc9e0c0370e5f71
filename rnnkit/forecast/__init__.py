"""Forecasting as one object: windows, scale, split, training, baselines and scores around a `Sequential`.

Without it, the same is done by hand with `rnnkit.data`.
"""

from .backtest import Backtest
from .forecaster import Forecaster
from .report import ForecastReport
from .scores import Scores

__all__ = ["Backtest", "ForecastReport", "Forecaster", "Scores"]
