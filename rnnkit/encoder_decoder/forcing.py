"""Teacher forcing as a schedule: which tokens the decoder reads while it learns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rnnkit_kernels.backends import Backend
from rnnkit_kernels.types import Array

from ..callbacks import Callback
from .steps import Steps

__all__ = ["Forcing", "mixed", "share_of"]


def share_of(given: Any) -> float:
    """A share of steps. Raises ValueError for what is no number in [0, 1]."""
    number = isinstance(given, (int, float, np.integer, np.floating)) and not isinstance(given, bool)
    if not number or not 0 <= given <= 1:
        raise ValueError(
            f"teacher_forcing is the share of steps that read the truth, in [0, 1], or a function of the epoch that "
            f"returns one; got {given!r}"
        )
    return float(given)


class Forcing(Callback):
    """Sets the model's `teacher_forcing` before each epoch; where it is a schedule, the history keeps it."""

    def __init__(self, given: float | Callable[[int], float]) -> None:
        self._schedule = given if callable(given) else None
        self._share = 1.0 if callable(given) else share_of(given)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.model.teacher_forcing = self._share if self._schedule is None else share_of(self._schedule(epoch))

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if self._schedule is not None and logs is not None:
            logs["teacher_forcing"] = self.model.teacher_forcing


def mixed(steps: Steps, truth: Array, share: float, rng: np.random.Generator, kernels: Backend) -> Array:
    """What the decoder reads (B, T): at each step the truth with the probability `share`, else its own last choice.

    steps    the decoder at its first states;  truth (B, T): what it would read with the truth at hand
    kernels  where both lie
    A coin is thrown for each token (Bengio et al. 2015, section 2.4); the choice is the likeliest token, found without
    dropout. The first step has nothing before it and reads what it always does.
    """
    told = kernels.random(rng, truth.shape, np.float64) < share
    read = truth.copy()
    for t in range(1, truth.shape[1]):
        chosen = steps.step(read[:, t - 1]).argmax(axis=-1)
        read[:, t] = np.where(told[:, t], truth[:, t], chosen)
    return read
