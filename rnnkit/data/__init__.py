"""Data for sequence models: readers, windows, splits, scales, and the baselines that a model has to beat."""

from .baselines import linear, moving_average, naive, score_baselines, scores, seasonal_naive
from .batches import Batches
from .climate import read_cet, read_giss
from .csv_files import read_csv, read_table
from .generators import hourly_temperature, sine_waves, trend_season_noise
from .readers import read_series
from .scalers import MinMaxScaler, StandardScaler
from .series import Series, fill_missing
from .splits import chronological_split
from .table import Table
from .windows import timeseries_dataset_from_array, windowed_dataset, windows

__all__ = [
    "Batches",
    "MinMaxScaler",
    "Series",
    "StandardScaler",
    "Table",
    "chronological_split",
    "fill_missing",
    "hourly_temperature",
    "linear",
    "moving_average",
    "naive",
    "read_cet",
    "read_csv",
    "read_giss",
    "read_series",
    "read_table",
    "score_baselines",
    "scores",
    "seasonal_naive",
    "sine_waves",
    "timeseries_dataset_from_array",
    "trend_season_noise",
    "windowed_dataset",
    "windows",
]
