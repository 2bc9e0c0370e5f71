"""Pictures of training, forecasts and gradients. They need matplotlib: pip install 'rnnkit[plot]'.

Every function returns a `matplotlib.figure.Figure` that knows nothing of pyplot, its windows and its global state; it
shows itself in a notebook, and `save_figure` writes it. matplotlib is imported when a picture is drawn, not before.
"""

from .backtest import backtest
from .curves import learning_curves
from .figure import save_figure
from .gradients import gradient_norms
from .series import forecast, training_report
from .windows import windows

__all__ = [
    "backtest",
    "forecast",
    "gradient_norms",
    "learning_curves",
    "save_figure",
    "training_report",
    "windows",
]
