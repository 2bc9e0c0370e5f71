"""Constraints: where a weight is put back to after every step of the optimizer.

    weight = constraint(weight)         a new array of the same shape and dtype

Any function that answers this is a constraint. Arguments and numbers are those of Keras 3, `keras/src/constraints/`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from rnnkit_kernels.sentences import unknown
from rnnkit_kernels.types import Array

from .ranges import number

__all__ = ["ALL", "Constraint", "MaxNorm", "MinMaxNorm", "NonNeg", "NormConstraint", "UnitNorm", "get"]
__all__ += ["max_norm", "min_max_norm", "non_neg", "unit_norm"]

_EPSILON = 1e-7  # Keras' backend.epsilon()


class Constraint(ABC):
    """What those here share: being called."""

    @abstractmethod
    def __call__(self, weight: Array) -> Array:
        """The weight, put back."""


@dataclass(frozen=True)
class NonNeg(Constraint):
    """Negative entries become 0."""

    def __call__(self, weight: Array) -> Array:
        return np.maximum(weight, 0)


class NormConstraint(Constraint):
    """Gives each vector along `axis` a norm that depends on the L2 norm it has:  w' = w wanted / (norm + 1e-7).

    By the 1e-7, Keras' own, a vector comes out shorter than wanted by a share 1e-7 / norm, and zeros stay zeros.
    axis  one axis or several, whose entries make one vector: 0 for the inputs of each unit of a kernel (in, units), as
          is the default, (0, 1) for each filter of a convolution
    Raises ValueError for a number out of range and, when called, for a weight without that axis; TypeError for what is
    no number or no axis.
    """

    axis: int | Sequence[int]

    def __post_init__(self) -> None:
        several = isinstance(self.axis, tuple | list)
        axes: Any = self.axis if several else [self.axis]
        if not axes or any(isinstance(a, bool) or not isinstance(a, int | np.integer) for a in axes):
            raise TypeError(f"axis is {self.axis!r}, expected a whole number, or a tuple of them.")
        plain = tuple(int(a) for a in axes)
        object.__setattr__(self, "axis", plain if several else plain[0])

    @abstractmethod
    def wanted(self, norms: Array) -> Array:
        """The norms to have, from those there are."""

    def __call__(self, weight: Array) -> Array:
        axes = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        if not all(-weight.ndim <= a < weight.ndim for a in axes):
            raise ValueError(f"{self} looks along an axis that a weight of shape {weight.shape} does not have.")
        # In float64: a float32 square overflows at 1.8e19, and what is too long would become 0 or NaN.
        norms = np.sqrt(np.square(weight, dtype=np.float64).sum(axis=axes, keepdims=True))
        put_back = weight * (self.wanted(norms) / (_EPSILON + norms))
        return put_back.astype(weight.dtype, copy=False)


@dataclass(frozen=True)
class MaxNorm(NormConstraint):
    """Vectors along `axis` that are longer than max_value are shortened to it; see `NormConstraint`.

    Source: Srivastava et al. 2014, JMLR 15, section 5.1.
    """

    max_value: float = 2.0
    axis: int | Sequence[int] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "max_value", number("max_value", self.max_value))

    def wanted(self, norms: Array) -> Array:
        return np.minimum(norms, self.max_value)


@dataclass(frozen=True)
class UnitNorm(NormConstraint):
    """Vectors along `axis` get norm 1; see `NormConstraint`."""

    axis: int | Sequence[int] = 0

    def wanted(self, norms: Array) -> Array:
        return np.ones_like(norms)


@dataclass(frozen=True)
class MinMaxNorm(NormConstraint):
    """Vectors along `axis` get a norm in [min_value, max_value]; see `NormConstraint`.

    rate  the share of the way that is gone at once, in [0, 1]: 1, the default, all of it
    """

    min_value: float = 0.0
    max_value: float = 1.0
    rate: float = 1.0
    axis: int | Sequence[int] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("min_value", "max_value"):
            object.__setattr__(self, name, number(name, getattr(self, name)))
        object.__setattr__(self, "rate", number("rate", self.rate, 0, 1, "[]"))
        if self.min_value > self.max_value:
            raise ValueError(
                f"min_value is {self.min_value} and max_value {self.max_value}, expected them in this order."
            )

    def wanted(self, norms: Array) -> Array:
        return self.rate * np.clip(norms, self.min_value, self.max_value) + (1 - self.rate) * norms


ALL: dict[str, type[Constraint]] = {kind.__name__: kind for kind in (MaxNorm, MinMaxNorm, NonNeg, UnitNorm)}


# As Keras spells them too: constraints.max_norm(2).
max_norm, min_max_norm, non_neg, unit_norm = MaxNorm, MinMaxNorm, NonNeg, UnitNorm


def get(given: Any) -> Callable[[Array], Array]:
    """The constraint of a name ("max_norm", "non_neg", "MaxNorm", ...) or class, with its defaults; or the object or
    function.

    Raises ValueError for an unknown name, TypeError for what cannot be called.
    """
    if isinstance(given, str):
        table = {name.lower(): kind for name, kind in ALL.items()}
        if (name := given.lower().replace("_", "")) not in table:
            raise unknown("constraint", given, table)
        return table[name]()
    found = given() if isinstance(given, type) else given
    if not callable(found):
        raise TypeError(f"{given!r} is no constraint: expected a name, an object or fn(weight) -> weight.")
    return cast(Callable[[Array], Array], found)
