"""Initializers whose variance follows from the fans of the kernel, so that signals keep their size through a layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rnnkit_kernels.sentences import unknown
from rnnkit_kernels.types import Array

from ..ranges import number
from .draws import Random, RandomNormal, RandomUniform, TruncatedNormal

__all__ = ["GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal", "LecunUniform", "VarianceScaling"]
__all__ += ["fans"]

# The deviation of a standard normal variable cut at +-2, sqrt(1 - 4 phi(2) / (2 Phi(2) - 1)), in the digits of Keras.
_DEVIATION_CUT_AT_2 = 0.87962566103423978


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """(fan_in, fan_out) of a kernel: how many inputs one unit sums, how many units one input reaches.

    shape  (in, out), or (k, in, out) of a convolution, where the k steps count in both; (n,) gives n, n and () 1, 1
    """
    if len(shape) < 2:
        return (shape[0], shape[0]) if shape else (1, 1)
    steps = math.prod(shape[:-2])
    return shape[-2] * steps, shape[-1] * steps


@dataclass(frozen=True)
class VarianceScaling(Random):
    """Mean 0 and variance scale / n, n the kernel's fan_in, fan_out or their average, at least 1.

    mode          "fan_in", "fan_out" or "fan_avg"
    distribution  "uniform"; "truncated_normal" or "normal", cut at two of its deviations and widened to have the
                  variance after the cut; "untruncated_normal"
    Raises ValueError for a scale that is not positive and finite and for unknown names.
    """

    scale: float = 1.0
    mode: str = "fan_in"
    distribution: str = "truncated_normal"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "scale", number("scale", self.scale, ends="()"))
        if self.mode not in (modes := ("fan_in", "fan_out", "fan_avg")):
            raise unknown("mode", self.mode, modes)
        if self.distribution == "normal":
            object.__setattr__(self, "distribution", "truncated_normal")
        if self.distribution not in (distributions := ("uniform", "truncated_normal", "untruncated_normal")):
            raise unknown("distribution", self.distribution, distributions)

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        fan_in, fan_out = fans(shape)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        deviation = math.sqrt(self.scale / max(1, n))
        if self.distribution == "uniform":
            limit = math.sqrt(3) * deviation
            return RandomUniform(-limit, limit).draw(rng, shape)
        if self.distribution == "truncated_normal":
            return TruncatedNormal(0.0, deviation / _DEVIATION_CUT_AT_2).draw(rng, shape)
        return RandomNormal(0.0, deviation).draw(rng, shape)


@dataclass(frozen=True)
class _Named(Random):
    """A `VarianceScaling` that has a name."""

    rule: ClassVar[VarianceScaling]

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return self.rule.draw(rng, shape)


@dataclass(frozen=True)
class GlorotUniform(_Named):
    """Uniform within +-sqrt(6 / (fan_in + fan_out)). Source: Glorot & Bengio 2010, AISTATS, eq. 16."""

    rule = VarianceScaling(1.0, "fan_avg", "uniform")


@dataclass(frozen=True)
class GlorotNormal(_Named):
    """Truncated normal of variance 2 / (fan_in + fan_out). Source: Glorot & Bengio 2010, AISTATS, eq. 12."""

    rule = VarianceScaling(1.0, "fan_avg", "truncated_normal")


@dataclass(frozen=True)
class HeUniform(_Named):
    """Uniform within +-sqrt(6 / fan_in). Source: He et al. 2015, arXiv:1502.01852, eq. 10."""

    rule = VarianceScaling(2.0, "fan_in", "uniform")


@dataclass(frozen=True)
class HeNormal(_Named):
    """Truncated normal of variance 2 / fan_in. Source: He et al. 2015, arXiv:1502.01852, eq. 10."""

    rule = VarianceScaling(2.0, "fan_in", "truncated_normal")


@dataclass(frozen=True)
class LecunUniform(_Named):
    """Uniform within +-sqrt(3 / fan_in). Source: LeCun et al. 1998, Efficient BackProp, eq. 16."""

    rule = VarianceScaling(1.0, "fan_in", "uniform")


@dataclass(frozen=True)
class LecunNormal(_Named):
    """Truncated normal of variance 1 / fan_in. Source: LeCun et al. 1998, Efficient BackProp, eq. 16."""

    rule = VarianceScaling(1.0, "fan_in", "truncated_normal")
