"""Callbacks: what looks on while a model trains. Names, arguments and their meaning are Keras 3's."""

from __future__ import annotations

from .base import Callback
from .checkpoint import ModelCheckpoint
from .csv_logger import CSVLogger
from .early_stopping import EarlyStopping
from .lambda_callback import LambdaCallback
from .progress_bar import ProgressBar
from .rates import LearningRateScheduler, ReduceLROnPlateau

__all__ = [
    "ALL",
    "CSVLogger",
    "Callback",
    "EarlyStopping",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ProgressBar",
    "ReduceLROnPlateau",
]

ALL: tuple[type[Callback], ...] = (
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ProgressBar,
    ReduceLROnPlateau,
)
