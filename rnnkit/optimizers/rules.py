"""SGD, and the rules that divide a step by the root of past squares: RMSprop by their mean, Adagrad by their sum.

Each is written for one array p, its gradient g and what is kept for it, at a learning rate `rate`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnkit_kernels.types import Array

from .base import Optimizer, Updated

__all__ = ["SGD", "Adagrad", "RMSprop"]


@dataclass(frozen=True)
class SGD(Optimizer):
    """Gradient descent:  p' = p - rate g.

    With momentum:  m' = momentum m - rate g,  p' = p + m';  with nesterov as well:  p' = p + momentum m' - rate g.
    Source: Sutskever et al. 2013, ICML, eq. 1-4; Keras 3 `optimizers.SGD`.
    """

    learning_rate: float | Callable[[int], float] = 0.01
    momentum: float = 0.0
    nesterov: bool = False

    @property
    def slots(self) -> tuple[str, ...]:
        return ("momentum",) if self.momentum else ()

    def compiled(self, rate: float, t: int, kept: Mapping[str, float]) -> tuple[str, tuple[float, ...]] | None:
        if type(self).update is not SGD.update:
            return None
        if not self.momentum:
            return "sgd", (rate,)
        return "nesterov" if self.nesterov else "momentum", (rate, self.momentum)

    def update(self, p: Array, g: Array, kept: Mapping[str, Any], rate: float, t: int) -> Updated:
        if not self.momentum:
            return Updated(p - rate * g, {})
        m = self.momentum * kept["momentum"] - rate * g
        move = self.momentum * m - rate * g if self.nesterov else m
        return Updated(p + move, {"momentum": m})


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """Steps divided by the running root mean square of the gradient:  v' = rho v + (1 - rho) g^2,

        p' = p - rate g / sqrt(v' + epsilon);   centered: v' - a'^2 instead of v', with a' = rho a + (1 - rho) g

    With momentum the quotient is accumulated, m' = momentum m + quotient, and p' = p - m'.
    The centered variance is kept from falling below 0, which only rounding can make it do: Keras takes the root of a
    negative number there and goes on with NaN.
    Source: Tieleman & Hinton 2012, lecture 6.5; centered: Graves 2013, arXiv:1308.0850, eq. 38-45; Keras 3.
    """

    learning_rate: float | Callable[[int], float] = 0.001
    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-7
    centered: bool = False

    @property
    def slots(self) -> tuple[str, ...]:
        return ("velocity", *["momentum"] * bool(self.momentum), *["average_gradient"] * self.centered)

    def compiled(self, rate: float, t: int, kept: Mapping[str, float]) -> tuple[str, tuple[float, ...]] | None:
        if type(self).update is not RMSprop.update:
            return None
        name = "rmsprop" + "_momentum" * bool(self.momentum) + "_centered" * self.centered
        return name, (rate, self.rho, 1 - self.rho, self.epsilon, *[self.momentum] * bool(self.momentum))

    def update(self, p: Array, g: Array, kept: Mapping[str, Any], rate: float, t: int) -> Updated:
        v = self.rho * kept["velocity"] + (1 - self.rho) * np.square(g)
        new, variance = {"velocity": v}, v
        if self.centered:
            new["average_gradient"] = a = self.rho * kept["average_gradient"] + (1 - self.rho) * g
            variance = np.maximum(v - np.square(a), 0)
        move = rate * g / np.sqrt(variance + self.epsilon)
        if self.momentum:
            new["momentum"] = move = self.momentum * kept["momentum"] + move
        return Updated(p - move, new)


@dataclass(frozen=True)
class Adagrad(Optimizer):
    """Steps divided by the root of the sum of all squares:  s' = s + g^2,  p' = p - rate g / sqrt(s' + epsilon).

    s starts from initial_accumulator_value.
    Source: Duchi, Hazan & Singer 2011, JMLR 12, figure 1 (diagonal); Keras 3 `optimizers.Adagrad`.
    """

    learning_rate: float | Callable[[int], float] = 0.001
    initial_accumulator_value: float = 0.1
    epsilon: float = 1e-7

    @property
    def slots(self) -> tuple[str, ...]:
        return ("accumulator",)

    def first(self, slot: str) -> float:
        return self.initial_accumulator_value

    def compiled(self, rate: float, t: int, kept: Mapping[str, float]) -> tuple[str, tuple[float, ...]] | None:
        return None if type(self).update is not Adagrad.update else ("adagrad", (rate, self.epsilon))

    def update(self, p: Array, g: Array, kept: Mapping[str, Any], rate: float, t: int) -> Updated:
        total = kept["accumulator"] + np.square(g)
        return Updated(p - rate * g / np.sqrt(total + self.epsilon), {"accumulator": total})
