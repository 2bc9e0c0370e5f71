"""The update rules, each for one array p, its gradient g and what is kept for it, at a learning rate `rate`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rnnkit_kernels.types import Array

from .base import Optimizer, Updated

__all__ = ["SGD", "Adam", "AdamW", "RMSprop"]


@dataclass(frozen=True)
class SGD(Optimizer):
    """Gradient descent:  p' = p - rate g.

    With momentum:  m' = momentum m - rate g,  p' = p + m';  with nesterov as well:  p' = p + momentum m' - rate g.
    Source: Sutskever et al. 2013, ICML, eq. 1-4; Keras 3 `optimizers.SGD`.
    """

    learning_rate: float = 0.01
    momentum: float = 0.0
    nesterov: bool = False

    @property
    def slots(self) -> tuple[str, ...]:
        return ("momentum",) if self.momentum else ()

    def update(self, p: Array, g: Array, slots: Mapping[str, Array], rate: float, t: int) -> Updated:
        if not self.momentum:
            return Updated(p - rate * g, {})
        m = self.momentum * slots["momentum"] - rate * g
        move = self.momentum * m - rate * g if self.nesterov else m
        return Updated(p + move, {"momentum": m})


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """Steps divided by the running root mean square of the gradient:  v' = rho v + (1 - rho) g^2,

        p' = p - rate g / sqrt(v' + epsilon);   centered: v' - a'^2 instead of v', with a' = rho a + (1 - rho) g

    With momentum the quotient is accumulated, m' = momentum m + quotient, and p' = p - m'.
    Source: Tieleman & Hinton 2012, lecture 6.5; centered: Graves 2013, arXiv:1308.0850, eq. 38-45; Keras 3.
    """

    learning_rate: float = 0.001
    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-7
    centered: bool = False

    @property
    def slots(self) -> tuple[str, ...]:
        return ("velocity", *["momentum"] * bool(self.momentum), *["average_gradient"] * self.centered)

    def update(self, p: Array, g: Array, slots: Mapping[str, Array], rate: float, t: int) -> Updated:
        v = self.rho * slots["velocity"] + (1 - self.rho) * np.square(g)
        new, variance = {"velocity": v}, v
        if self.centered:
            new["average_gradient"] = a = self.rho * slots["average_gradient"] + (1 - self.rho) * g
            # Never negative but by rounding, which could outweigh epsilon.
            variance = np.maximum(v - np.square(a), 0)
        move = rate * g / np.sqrt(variance + self.epsilon)
        if self.momentum:
            new["momentum"] = move = self.momentum * slots["momentum"] + move
        return Updated(p - move, new)


@dataclass(frozen=True)
class Adam(Optimizer):
    """Momentum and scale from running moments:  m' = m + (1 - beta_1)(g - m),  v' = v + (1 - beta_2)(g^2 - v),

        p' = p - alpha m' / (sqrt(v') + epsilon),   alpha = rate sqrt(1 - beta_2^t) / (1 - beta_1^t)

    epsilon stands outside the root and is not bias-corrected (the paper's "epsilon hat").
    Source: Kingma & Ba 2015, arXiv:1412.6980, algorithm 1 and section 2; Keras 3 `optimizers.Adam`.
    """

    learning_rate: float = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    @property
    def slots(self) -> tuple[str, ...]:
        return ("momentum", "velocity")

    def update(self, p: Array, g: Array, slots: Mapping[str, Array], rate: float, t: int) -> Updated:
        alpha = rate * math.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)
        m = slots["momentum"] + (g - slots["momentum"]) * (1 - self.beta_1)
        v = slots["velocity"] + (np.square(g) - slots["velocity"]) * (1 - self.beta_2)
        return Updated(p - alpha * m / (np.sqrt(v) + self.epsilon), {"momentum": m, "velocity": v})


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay, 0.004 by default; the second argument by position, as in Keras.

    Source: Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2.
    """

    weight_decay: float | None = 0.004

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weight_decay is None:
            raise ValueError("weight_decay is None, expected a number: take Adam for no decay.")
