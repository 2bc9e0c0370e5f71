"""Initializers that do not look at the shape: constants and plain random numbers."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Protocol

import numpy as np
from numpy.typing import DTypeLike

from rnnkit_kernels.types import Array

from ..border import whole
from ..foreign import UnderstandsKeras
from ..ranges import number

__all__ = [
    "Constant",
    "Drawn",
    "Initializer",
    "Ones",
    "Random",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "Zeros",
    "finite",
]


class Initializer(Protocol):
    """What a layer asks of an initializer; any callable that answers this is one."""

    def __call__(self, rng: np.random.Generator, shape: Sequence[int], dtype: DTypeLike) -> Array: ...


@dataclass(frozen=True)
class Drawn(metaclass=UnderstandsKeras):
    """An initializer that draws in float64, whatever the dtype asked for; a subclass says how."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """A new float64 array of that shape."""

    def __call__(self, rng: np.random.Generator, shape: Sequence[int], dtype: DTypeLike) -> Array:
        """A new array of that shape and dtype; the same generator state gives the same numbers in every dtype."""
        return np.asarray(self.draw(rng, tuple(shape)), dtype)


@dataclass(frozen=True)
class Random(Drawn):
    """Random numbers.

    seed  draws the same ones every time and everywhere, and leaves the layer's generator alone; None draws from that
    Raises ValueError for a seed that is no whole number from 0 up.
    """

    _: KW_ONLY
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.seed is not None:
            object.__setattr__(self, "seed", whole("seed", self.seed, least=0))

    def __call__(self, rng: np.random.Generator, shape: Sequence[int], dtype: DTypeLike) -> Array:
        return super().__call__(rng if self.seed is None else np.random.default_rng(self.seed), shape, dtype)


@dataclass(frozen=True)
class Zeros(Drawn):
    """0 everywhere."""

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return np.zeros(shape)


@dataclass(frozen=True)
class Ones(Drawn):
    """1 everywhere."""

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return np.ones(shape)


@dataclass(frozen=True)
class Constant(Drawn):
    """`value` everywhere; default 0. Raises TypeError for what is no number, ValueError for one that is not finite."""

    value: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", finite("value", self.value))

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return np.full(shape, self.value, np.float64)


@dataclass(frozen=True)
class RandomUniform(Random):
    """Uniform in [minval, maxval), by default [-0.05, 0.05).

    Raises ValueError unless minval <= maxval, both finite.
    """

    minval: float = -0.05
    maxval: float = 0.05

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("minval", "maxval"):
            object.__setattr__(self, name, finite(name, getattr(self, name)))
        if not self.minval <= self.maxval:
            raise ValueError(f"minval is {self.minval} and maxval {self.maxval}, expected them in this order.")

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return rng.uniform(self.minval, self.maxval, shape)


@dataclass(frozen=True)
class RandomNormal(Random):
    """Normal, by default of mean 0 and standard deviation 0.05.

    Raises ValueError unless mean and stddev are finite and stddev >= 0.
    """

    mean: float = 0.0
    stddev: float = 0.05

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "mean", finite("mean", self.mean))
        object.__setattr__(self, "stddev", number("stddev", self.stddev))

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return self.mean + self.stddev * rng.standard_normal(shape)


@dataclass(frozen=True)
class TruncatedNormal(RandomNormal):
    """`RandomNormal` whose numbers beyond two `stddev` from `mean` are drawn again.

    `stddev` is that before the cut; what comes out deviates by 0.88 of it.
    """

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        z = rng.standard_normal(shape)
        while (outside := np.abs(z) > 2).any():
            z = np.where(outside, rng.standard_normal(shape), z)
        return self.mean + self.stddev * z


def finite(name: str, given: float) -> float:
    """`given` as a float. Raises TypeError for what is no number, ValueError for NaN and infinity."""
    return number(name, given, -math.inf, ends="()")
