"""What every optimizer shares: the order of a step, clipping, weight decay, the refusal of bad numbers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, cast

import numpy as np

from rnnkit_kernels.types import Array

from .. import trees

__all__ = ["Optimizer", "Updated"]

# Lower limit, whether the lower limit itself is allowed, upper limit, which never is.
_LIMITS = {
    "learning_rate": (0.0, True, math.inf),
    "weight_decay": (0.0, True, math.inf),
    "epsilon": (0.0, False, math.inf),
    "clipnorm": (0.0, False, math.inf),
    "global_clipnorm": (0.0, False, math.inf),
    "clipvalue": (0.0, False, math.inf),
    "momentum": (0.0, True, 1.0),
    "rho": (0.0, True, 1.0),
    "beta_1": (0.0, True, 1.0),
    "beta_2": (0.0, True, 1.0),
}


@dataclass(frozen=True)
class Updated:
    """One parameter after a step: a leaf to `trees`, where a tuple would be a branch."""

    param: Array
    slots: Mapping[str, Array]


@dataclass(frozen=True)
class Optimizer(ABC):
    """What all rules share: the order of a step, clipping, decay.

    learning_rate    step size
    weight_decay     share of every parameter that a step takes away before the update, times learning_rate (decoupled)
    clipnorm         each gradient array is scaled down to this L2 norm where it is longer
    global_clipnorm  all gradients together are scaled down to this L2 norm where they are longer
    clipvalue        each entry of a gradient is limited to [-clipvalue, clipvalue]
    None, the default of the last four, leaves them out.
    Raises ValueError for a number out of range and for two clippings at once, TypeError for what is no number.
    A NaN or infinite gradient is not looked for.
    """

    learning_rate: float = 0.01
    weight_decay: float | None = field(default=None, kw_only=True)
    clipnorm: float | None = field(default=None, kw_only=True)
    global_clipnorm: float | None = field(default=None, kw_only=True)
    clipvalue: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for name in (entry.name for entry in fields(self)):
            if name in _LIMITS and getattr(self, name) is not None:
                # A float, because a NumPy float64 would promote float32 parameters.
                object.__setattr__(self, name, _number(name, getattr(self, name)))
        clippings = [name for name in ("clipnorm", "global_clipnorm", "clipvalue") if getattr(self, name) is not None]
        if len(clippings) > 1:
            raise ValueError(f"{' and '.join(clippings)} are given together, expected one clipping at most: keep one.")

    @property
    @abstractmethod
    def slots(self) -> tuple[str, ...]:
        """Names of the arrays kept for every parameter."""

    @abstractmethod
    def update(self, p: Array, g: Array, slots: Mapping[str, Array], rate: float, t: int) -> Updated:
        """The rule for one parameter p, gradient g, slots like p, at learning rate `rate` in step t = 1, 2, ..."""

    def init(self, params: Any) -> dict[str, Any]:
        """The state before the first step: every slot a tree like `params`, of zeros."""
        return {"iterations": 0, **{name: trees.map(np.zeros_like, params) for name in self.slots}}

    def step(self, params: Any, grads: Any, state: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """One step down the gradient.

        params, grads: trees of one structure and of the same shapes.  state: from `init` or the last `step`.
        Returns the new (params, state). Raises ValueError where structures, shapes or slots do not match.
        """
        if set(state) != {"iterations", *self.slots}:
            raise ValueError(
                f"the state holds {sorted(state)}, {self} expects {sorted(['iterations', *self.slots])}: "
                "start from init(params) of this optimizer."
            )
        t = int(state["iterations"]) + 1
        rate = self._rate()
        grads = self._clipped(_like(params, grads, "gradient"))

        def one(p: Array, g: Array, *kept: Array) -> Updated:
            if self.weight_decay is not None:
                p = p - p * self.weight_decay * rate
            return self.update(p, g, dict(zip(self.slots, kept, strict=True)), rate, t)

        new = trees.map(one, params, grads, *(_like(params, state[name], name) for name in self.slots))
        kept = {name: trees.map(lambda leaf, name=name: leaf.slots[name], new) for name in self.slots}
        return trees.map(lambda leaf: leaf.param, new), {"iterations": t, **kept}

    def _rate(self) -> float:
        return self.learning_rate

    def _clipped(self, grads: Any) -> Any:
        if self.clipnorm is not None:
            longest = self.clipnorm
            return trees.map(lambda g: _scaled(g, longest, _square(g)), grads)
        if self.global_clipnorm is not None:
            longest, square = self.global_clipnorm, sum(_square(g) for g in trees.leaves(grads))
            return trees.map(lambda g: _scaled(g, longest, square), grads)
        if self.clipvalue is not None:
            limit = self.clipvalue
            return trees.map(lambda g: np.clip(g, -limit, limit), grads)
        return grads


def _number(name: str, given: Any) -> float:
    low, closed, high = _LIMITS[name]
    try:
        value = float(given)
    except (TypeError, ValueError):
        raise TypeError(f"{name} is {given!r}, expected a number.") from None
    if not (low < value < high or (closed and value == low)):
        raise ValueError(f"{name} is {given}, expected a number in {'[' if closed else '('}{low:g}, {high:g}).")
    return value


def _like(params: Any, tree: Any, role: str) -> Any:
    """`tree` with every leaf in its parameter's dtype, refused where structure or shapes differ."""

    def checked(p: Array, leaf: Array) -> Array:
        if p.shape != leaf.shape:
            raise ValueError(f"a {role} {leaf.shape} came for a parameter {p.shape}, expected the same shape.")
        return leaf.astype(p.dtype, copy=False)

    return trees.map(checked, params, tree)


def _square(g: Array) -> Any:
    """The squared L2 norm, a float64 scalar: a float32 square overflows at 1.8e19, just where clipping is wanted."""
    return np.square(g, dtype=np.float64).sum()


def _scaled(g: Array, longest: float, square: Any) -> Array:
    return cast(Array, g * (longest / np.maximum(np.sqrt(square), longest)).astype(g.dtype))
