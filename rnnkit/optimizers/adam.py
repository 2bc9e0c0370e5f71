"""Adam and its kin: running means of the gradient and of its square, corrected for having started from 0.

Each is written for one array p, its gradient g and what is kept for it, at a learning rate `rate`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from rnnkit_kernels.types import Array

from .base import Optimizer, Updated

__all__ = ["Adam", "AdamW", "Nadam"]


@dataclass(frozen=True)
class Adam(Optimizer):
    """Momentum and scale from running moments:  m' = m + (1 - beta_1)(g - m),  v' = v + (1 - beta_2)(g^2 - v),

        p' = p - alpha m' / (sqrt(v') + epsilon),   alpha = rate sqrt(1 - beta_2^t) / (1 - beta_1^t)

    epsilon stands outside the root and is not bias-corrected (the paper's "epsilon hat"). With amsgrad the largest v'
    so far, entry by entry, stands for v' in the quotient.
    Source: Kingma & Ba 2015, arXiv:1412.6980, algorithm 1 and section 2; amsgrad: Reddi, Kale & Kumar 2018,
    arXiv:1904.09237, algorithm 2; Keras 3 `optimizers.Adam`.
    """

    learning_rate: float | Callable[[int], float] = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    amsgrad: bool = False

    @property
    def slots(self) -> tuple[str, ...]:
        return ("momentum", "velocity", *["velocity_hat"] * self.amsgrad)

    def compiled(self, rate: float, t: int, kept: Mapping[str, float]) -> tuple[str, tuple[float, ...]] | None:
        if type(self).update is not Adam.update:
            return None
        numbers = self._alpha(rate, t), 1 - self.beta_1, 1 - self.beta_2, self.epsilon
        return "amsgrad" if self.amsgrad else "adam", numbers

    def update(self, p: Array, g: Array, kept: Mapping[str, Any], rate: float, t: int) -> Updated:
        alpha = self._alpha(rate, t)
        m, v = _moments(g, kept, self.beta_1, self.beta_2)
        new = {"momentum": m, "velocity": v}
        if self.amsgrad:
            new["velocity_hat"] = v = np.maximum(kept["velocity_hat"], v)
        return Updated(p - alpha * m / (np.sqrt(v) + self.epsilon), new)

    def _alpha(self, rate: float, t: int) -> float:
        return rate * math.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)


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


@dataclass(frozen=True)
class Nadam(Optimizer):
    """Adam with Nesterov's look ahead: m' and v' as there; mu_t = beta_1 (1 - 0.96^t / 2), U_t = mu_1 mu_2 ... mu_t,

        n = mu_(t+1) m' / (1 - U_(t+1)) + (1 - mu_t) g / (1 - U_t)
        p' = p - rate n / (sqrt(v' / (1 - beta_2^t)) + epsilon)

    U_t is kept in the state as "u_product". As in Keras, m' itself is taken with beta_1, not with mu_t.
    Source: Dozat 2016, ICLR workshop, algorithm 2; Keras 3 `optimizers.Nadam`.
    """

    learning_rate: float | Callable[[int], float] = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    numbers: ClassVar[Mapping[str, float]] = {"u_product": 1.0}

    @property
    def slots(self) -> tuple[str, ...]:
        return ("momentum", "velocity")

    def advanced(self, numbers: Mapping[str, float], t: int) -> dict[str, float]:
        return {"u_product": numbers["u_product"] * self._mu(t)}

    def compiled(self, rate: float, t: int, kept: Mapping[str, float]) -> tuple[str, tuple[float, ...]] | None:
        if type(self).update is not Nadam.update:
            return None
        shares = 1 - self.beta_1, 1 - self.beta_2
        return "nadam", (rate, *shares, self.epsilon, *self._ahead(kept["u_product"], t), 1 - self.beta_2**t)

    def update(self, p: Array, g: Array, kept: Mapping[str, Any], rate: float, t: int) -> Updated:
        m, v = _moments(g, kept, self.beta_1, self.beta_2)
        of_m, of_g = self._ahead(kept["u_product"], t)
        n = of_m * m + of_g * g
        return Updated(
            p - rate * n / (np.sqrt(v / (1 - self.beta_2**t)) + self.epsilon), {"momentum": m, "velocity": v}
        )

    def _ahead(self, product: float, t: int) -> tuple[float, float]:
        """The shares of m' and of g in n, where U_t is `product`."""
        now, after = self._mu(t), self._mu(t + 1)
        return after / (1 - product * after), (1 - now) / (1 - product)

    def _mu(self, t: int) -> float:
        return self.beta_1 * (1 - 0.5 * 0.96**t)


def _moments(g: Array, kept: Mapping[str, Any], beta_1: float, beta_2: float) -> tuple[Array, Array]:
    """The running means of g and of g^2 after this gradient."""
    m = kept["momentum"] + (g - kept["momentum"]) * (1 - beta_1)
    v = kept["velocity"] + (np.square(g) - kept["velocity"]) * (1 - beta_2)
    return m, v
