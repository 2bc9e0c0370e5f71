"""`rnnkit.schedules` where Keras has it, so that `from rnnkit.optimizers.schedules import ExponentialDecay` works."""

from __future__ import annotations

from ..schedules import (
    ALL,
    Constant,
    CosineDecay,
    ExponentialDecay,
    InverseTimeDecay,
    LearningRateSchedule,
    OneCycle,
    PiecewiseConstantDecay,
    PolynomialDecay,
)

__all__ = ["ALL", "Constant", "CosineDecay", "ExponentialDecay", "InverseTimeDecay", "LearningRateSchedule"]
__all__ += ["OneCycle", "PiecewiseConstantDecay", "PolynomialDecay"]
