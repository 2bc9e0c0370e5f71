"""Initializers that make a matrix as a whole: one that keeps lengths, one that keeps everything."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rnnkit_kernels.types import Array

from .draws import Drawn, Random, finite

__all__ = ["Identity", "Orthogonal"]


@dataclass(frozen=True)
class Orthogonal(Random):
    """`gain` times a matrix with orthonormal columns, or with orthonormal rows where it is wider than tall.

    A shape (k, in, out) is filled as the matrix (k * in, out). Drawn uniformly among all such matrices (Haar measure).
    Raises ValueError for a shape of fewer than two axes and for a gain that is not finite.
    Source: Saxe et al. 2014, arXiv:1312.6120; the signs: Mezzadri 2007, Notices of the AMS 54(5), section 5.
    """

    gain: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "gain", finite("gain", self.gain))

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        if len(shape) < 2:
            raise ValueError(f"orthogonal got the shape {shape}, expected two axes or more: take another initializer.")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
        # QR leaves the sign of a column to the library; tied to R's diagonal it belongs to the draw.
        q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
        return np.ascontiguousarray(self.gain * (q if rows >= columns else q.T)).reshape(shape)


@dataclass(frozen=True)
class Identity(Drawn):
    """`gain` on the diagonal, 0 elsewhere. Raises ValueError for a shape that has not two axes, a gain not finite."""

    gain: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "gain", finite("gain", self.gain))

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        if len(shape) != 2:
            raise ValueError(f"identity got the shape {shape}, expected two axes: take another initializer.")
        return self.gain * np.eye(shape[0], shape[1])
