"""Embedding: whole numbers become rows of a table."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np

from rnnkit_kernels.devices import host, is_here
from rnnkit_kernels.types import Array

from .. import initializers
from ..border import axes_of, whole
from ..context import DETERMINISTIC, Context
from .base import Layer, Params, Pullback, Shape, check_cotangent

__all__ = ["Embedding"]


@dataclass(frozen=True, repr=False)
class Embedding(Layer):
    """Chooses a row of a table for every index: x (B, T), or of any shape, -> y (*x.shape, output_dim).

    input_dim    how many rows the table has: indices go from 0 to input_dim - 1; output_dim: how long a row is
    mask_zero    0 stands for padding: a step is real where x is not 0 (and where the mask that came with x says so);
                 where steps are groups of indices, x (B, T, ...), where any of them is not 0; the single zeros of a
                 group are then rows as others, within a `TimeDistributed` too, where Keras would mask them
    weights      (input_dim, output_dim), or a list of that one array: what the table starts from instead of a draw, and
                 stays with `trainable=False`. A saved model keeps the table itself, not this argument
    input_length how many indices a sample has: another way to write input_shape=(input_length,), as listings for older
                 versions of Keras do (Keras 3 warns, and ignores it)
    embeddings_initializer, embeddings_regularizer, embeddings_constraint: of the table; drawn uniformly from
                 [-0.05, 0.05), as in Keras

    Weights [embeddings (input_dim, output_dim)]. x is whole numbers, as integers or as floats; it has no gradient, dx
    is zeros. Raises ValueError for an index that is not in the table, and for weights of another shape. On a device,
    where a look would wait, the row for such an index is NaN, unless somebody looks on (`ctx.watch`).
    Without `mask_zero` a mask goes on as it came, where Keras would drop it.
    """

    input_dim: int
    output_dim: int
    _: KW_ONLY
    embeddings_initializer: Any = "uniform"
    embeddings_regularizer: Any = None
    embeddings_constraint: Any = None
    mask_zero: bool = False
    weights: Any = field(default=None, compare=False, repr=False, metadata={"saved": False})
    input_length: int | None = field(default=None, compare=False, repr=False, metadata={"saved": False})

    stepwise = True

    def __post_init__(self) -> None:
        whole("Embedding: input_dim", self.input_dim, least=1)
        whole("Embedding: output_dim", self.output_dim, least=1)
        self.check_options()
        if self.input_length is not None:
            length = (whole("Embedding: input_length", self.input_length, least=1),)
            if self.input_shape is not None and tuple(self.input_shape) != length:
                raise ValueError(f"Embedding: input_length says {length} and input_shape {self.input_shape}: give one")
            object.__setattr__(self, "input_shape", length)
        if self.weights is not None:
            object.__setattr__(self, "weights", self._table(self.weights))

    def _table(self, given: Any) -> Array:
        """The weights a user gave as an array of our own that nobody can change."""
        if isinstance(given, (list, tuple)) and len(given) == 1 and np.ndim(given[0]) == 2:
            (given,) = given
        table = np.array(given)
        if table.dtype.kind not in "iuf":
            raise TypeError(f"Embedding: weights are made of {table.dtype}, expected real numbers")
        if table.shape != (self.input_dim, self.output_dim):
            raise ValueError(
                f"Embedding: weights are (input_dim, output_dim) = ({self.input_dim}, {self.output_dim}); "
                f"got {table.shape}"
            )
        if len(bad := np.argwhere(~np.isfinite(table))):
            row, column = map(int, bad[0])
            raise ValueError(f"Embedding: weights have {table[row, column]} at row {row}, column {column}")
        table.flags.writeable = False
        return table

    @property
    def takes_indices(self) -> bool:
        return True

    def plan(self, shape: Shape) -> tuple[dict[str, tuple[int, ...]], Shape]:
        return {"embeddings": (self.input_dim, self.output_dim)}, (*shape, self.output_dim)

    def first(self, name: str, shape: tuple[int, ...], rng: np.random.Generator, dtype: Any) -> Array:
        if self.weights is not None:
            return np.array(self.weights, dtype)
        return initializers.get(self.embeddings_initializer)(rng, shape, dtype)

    def next_mask(self, mask: Array | None, x: Array) -> Array | None:
        if not self.mask_zero or x.ndim < 2:
            return mask
        real = x != 0
        real = real.any(axis=tuple(range(2, x.ndim))) if x.ndim > 2 else real
        return real if mask is None else real & mask

    def __call__(self, params: Params, x: Array, ctx: Context = DETERMINISTIC) -> tuple[Array, Pullback]:
        table, kernels = params["embeddings"], ctx.kernels.elementwise
        if is_here(x) or ctx.watch is not None:
            self._check(host(x))
        index, fits = x.astype(np.int64, copy=False), None
        if not is_here(x):
            fits = self._fits(x)
            index = np.where(fits, index, 0)

        def pullback(dy: Array) -> tuple[Params, Array]:
            check_cotangent("Embedding", dy, (*x.shape, self.output_dim))
            dy = dy.astype(table.dtype, copy=False)
            total = kernels.summed_by_row(index, dy, self.input_dim)
            return {"embeddings": total}, np.zeros_like(table, shape=x.shape)

        y = kernels.rows(table, index)
        return y if fits is None else np.where(fits[..., None], y, y.dtype.type(math.nan)), pullback

    def _fits(self, x: Array) -> Array:
        fits = (x >= 0) & (x < self.input_dim)
        if x.dtype.kind == "f":
            fits &= np.floor(x) == x
        return fits

    def _check(self, x: Array) -> None:
        if x.dtype.kind not in "iuf":
            raise TypeError(f"Embedding chooses by index: expected whole numbers, got x of {x.dtype}")
        fits = self._fits(x)
        if not fits.all():
            first = tuple(map(int, np.argwhere(~fits)[0]))
            names = ("sample", "step") if x.ndim == 2 else axes_of(x.ndim)
            where = ", ".join(f"{name} {k}" for name, k in zip(names, first, strict=True))
            raise ValueError(
                f"Embedding takes whole numbers from 0 to {self.input_dim - 1} (input_dim={self.input_dim}); "
                f"got {x[first]} at {where}"
            )
