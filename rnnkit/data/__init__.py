"""Data for sequence models: readers, windows, splits, scales, and the baselines that a model has to beat."""

from rnnkit.data.baselines import linear, moving_average, naive, score_baselines, scores, seasonal_naive
from rnnkit.data.batches import Batches
from rnnkit.data.climate import read_cet, read_giss
from rnnkit.data.delimited import read_csv
from rnnkit.data.generators import hourly_temperature
from rnnkit.data.readers import read_series
from rnnkit.data.scalers import MinMaxScaler, StandardScaler
from rnnkit.data.series import Series, fill_missing
from rnnkit.data.splits import chronological_split
from rnnkit.data.windows import timeseries_dataset_from_array, windowed_dataset, windows

__all__ = [
    "Batches",
    "MinMaxScaler",
    "Series",
    "StandardScaler",
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
    "score_baselines",
    "scores",
    "seasonal_naive",
    "timeseries_dataset_from_array",
    "windowed_dataset",
    "windows",
]
