"""Forecasts without a network, made at the same origins from the same rows as the model's.

They are those of `rnnkit.data.baselines` (naive, moving average, seasonal naive, linear), for a horizon of several
targets at once and with gaps filled as they are seen at each origin.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rnnkit_kernels.types import Array

from .methods import Method
from .seen import Seen

__all__ = ["Linear", "Rivals"]

_AT_ONCE = 1024
_WIDEST = 4096  # inputs of the linear forecast: their products with each other are then 128 MiB


@dataclass(frozen=True, eq=False)
class Linear:
    """A weighted sum of all values of a window and a bias, by least squares.

    mean, std  (D,) of the rows it was fitted to: what is summed is (x - mean) / std;  weights (window * D + 1, Q)
    """

    mean: Array
    std: Array
    weights: Array

    @classmethod
    def fitted(cls, method: Method, past: Seen, truth: Array, origins: Array) -> Linear | None:
        """Fitted at the origins (K,) to what follows them in truth (N, D); None for no origin or too wide a window.

        By products of the inputs, so that a long series needs no copy of itself for each row of the window; what they
        lose in digits, two rounds on the errors bring back.
        """
        wide = method.window * truth.shape[1] + 1
        if not len(origins) or wide > _WIDEST:
            return None
        std = truth.std(axis=0)
        made = cls(truth.mean(axis=0), np.where(std > 0, std, 1.0), np.zeros((wide, 1)))

        def parts() -> Iterator[tuple[Array, Array]]:
            for first in range(0, len(origins), _AT_ONCE):
                some = origins[first : first + _AT_ONCE]
                rows = np.add.outer(some, method.lead + np.arange(method.horizon))
                y = truth[rows][..., list(method.targets)].reshape(len(some), -1)
                yield made._inputs(past.past(some, method.window)), y

        squares = np.zeros((wide, wide))
        for x, _ in parts():
            squares += x.T @ x
        sizes, axes = np.linalg.eigh(squares)
        told = sizes > sizes[-1] * wide * np.finfo(float).eps
        axes, sizes = axes[:, told], sizes[told, None]  # directions that no window shows keep the weight 0
        weights = np.zeros((wide, method.horizon * len(method.targets)))
        for _ in range(3):
            slope = sum(x.T @ (y - x @ weights) for x, y in parts())
            weights += axes @ (axes.T @ slope / sizes)
        return cls(made.mean, made.std, weights)

    def __call__(self, past: Array) -> Array:
        """(B, Q) for windows (B, window, D)."""
        return np.asarray(self._inputs(past) @ self.weights)

    def _inputs(self, past: Array) -> Array:
        flat = ((past - self.mean) / self.std).reshape(len(past), -1)
        return np.hstack([flat, np.ones((len(flat), 1))])


@dataclass(frozen=True, eq=False)
class Rivals:
    """period: rows of a season, or None; linear: the forecast that was fitted, or None where it is left out."""

    method: Method
    period: int | None
    linear: Linear | None

    def forecasts(self, seen: Seen, origins: Array) -> dict[str, Array]:
        """Name -> (K, horizon, T) at origins (K,), for every baseline that has the rows it needs at all of them."""
        parts = [self._some(seen, origins[k : k + _AT_ONCE]) for k in range(0, len(origins), _AT_ONCE)]
        shared = [name for name in parts[0] if all(name in part for part in parts)]
        return {name: np.concatenate([part[name] for part in parts]) for name in shared}

    def _some(self, seen: Seen, origins: Array) -> dict[str, Array]:
        method = self.method
        H, T, targets = method.horizon, len(method.targets), list(method.targets)
        past = seen.past(origins, method.window)
        shape = (len(origins), H, T)
        made = {
            "naive": np.broadcast_to(past[:, -1:, targets], shape),
            "moving average": np.broadcast_to(past[..., targets].mean(axis=1, keepdims=True), shape),
        }
        if self.period is not None:
            ahead = method.lead + np.arange(H)
            back = self.period * (ahead // self.period + 1)  # the fewest seasons that reach a row known by then
            rows = np.add.outer(origins, ahead - back)
            if rows.min() >= 0:
                made["seasonal naive"] = seen.at(origins, rows)[..., targets]
        if self.linear is not None:
            made["linear"] = self.linear(past).reshape(shape)
        return made
