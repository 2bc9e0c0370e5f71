"""LayerNormalization and BatchNormalization: one formula, over the axes of a sample or over all others.

The formula, and its way back, stand at the head of `standardised`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from rnnkit_kernels.types import Array

from ..context import DETERMINISTIC, Context
from .base import Layer, Params, Pullback, Shape, check_cotangent
from .core import is_number
from .standardised import product, standardised, total

__all__ = ["BatchNormalization", "LayerNormalization"]


@dataclass(frozen=True, repr=False)
class _Normalization(Layer):
    """What both share: gain and offset, and their options."""

    axis: Any = -1
    _: KW_ONLY
    center: bool = True
    scale: bool = True
    beta_initializer: Any = "zeros"
    gamma_initializer: Any = "ones"
    beta_regularizer: Any = None
    gamma_regularizer: Any = None
    beta_constraint: Any = None
    gamma_constraint: Any = None

    stepwise = True

    if TYPE_CHECKING:  # an argument of each, at Keras' place

        @property
        def epsilon(self) -> float: ...

    def __post_init__(self) -> None:
        if isinstance(self.axis, list):
            object.__setattr__(self, "axis", tuple(self.axis))
        kind = type(self).__name__
        for axis in (given := self.axis if isinstance(self.axis, tuple) else (self.axis,)):
            if isinstance(axis, bool) or not isinstance(axis, int) or axis == 0:
                raise ValueError(f"{kind}: axis counts the axes of x, 1 and up or from the end; got {self.axis!r}")
        if not given or not (is_number(self.epsilon) and 0 < self.epsilon < math.inf):
            raise ValueError(f"{kind} needs an axis and a positive epsilon; got {self.axis!r}, {self.epsilon!r}")
        object.__setattr__(self, "epsilon", float(self.epsilon))  # NumPy's would make float64 of float32
        self.check_options()
        # Axis 1 is time: numbers of other steps go into what a step becomes. So they may from -2 down.
        object.__setattr__(self, "stepwise", all(axis == -1 or axis > 1 for axis in given))

    def _axes(self, shape: Shape) -> tuple[int, ...]:
        """The axes along which gamma and beta run, counted from the front."""
        given = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        rank = len(shape)
        found = sorted({axis % rank for axis in given if -rank < axis < rank})
        if len(found) != len(given) or 0 in found:
            raise ValueError(f"{type(self).__name__}: axis {self.axis} does not exist, or not once, in shape {shape}")
        return tuple(found)

    def _size(self, shape: Shape) -> tuple[int, ...]:
        """The shape of gamma and beta."""
        sizes = [shape[axis] for axis in self._axes(shape)]
        known = tuple(n for n in sizes if n is not None)
        if len(known) != len(sizes):
            raise ValueError(f"{type(self).__name__} needs to know the size of axis {self.axis}; got shape {shape}")
        return known

    def plan(self, shape: Shape) -> tuple[dict[str, tuple[int, ...]], Shape]:
        used = [name for name, use in (("gamma", self.scale), ("beta", self.center)) if use]
        return dict.fromkeys(used, self._size(shape)), shape

    def _scaled(self, params: Params, z: Array, axes: tuple[int, ...]) -> tuple[Array, Callable[..., Any]]:
        """y = gamma z + beta, and the way back to dparams and dz."""
        spread = tuple(n if axis in axes else 1 for axis, n in enumerate(z.shape))
        rest = tuple(axis for axis in range(z.ndim) if axis not in axes)
        gamma, beta = (params[k].reshape(spread) if k in params else None for k in ("gamma", "beta"))
        y = z if gamma is None else z * gamma
        y = y if beta is None else y + beta

        def pullback(dy: Array) -> tuple[Params, Array]:
            check_cotangent(type(self).__name__, dy, y.shape)
            dparams = {}
            if gamma is not None:
                dparams["gamma"] = product(dy, z, rest).reshape(params["gamma"].shape)
            if beta is not None:
                dparams["beta"] = total(dy, rest).reshape(params["beta"].shape)
            return dparams, dy if gamma is None else dy * gamma

        return y, pullback


@dataclass(frozen=True, repr=False)
class LayerNormalization(_Normalization):
    """Every sample, at every step, to mean 0 and variance 1 over its features; then gain gamma and offset beta.

    x, y (B, ..., F). The formula: see `standardised`.

    axis     the axis over which it normalises, or several: (1, 2) takes steps and features together. Those of gamma and
             beta, too
    epsilon  added to the variance; center, scale: whether there is a beta, a gamma
    beta_initializer, ... gamma_constraint: of beta, which starts at 0, and of gamma, which starts at 1

    Weights [gamma, beta]. Masked steps are normalised as all others, as in Keras, and counted where `axis` takes
    in the steps.
    Raises ValueError for an axis that x has not. Source: Ba, Kiros & Hinton 2016, arXiv:1607.06450, eq. 3.
    """

    epsilon: float = 1e-3

    def __call__(self, params: Params, x: Array, ctx: Context = DETERMINISTIC) -> tuple[Array, Pullback]:
        axes = self._axes(x.shape)
        z, _, back = standardised(x, axes, self.epsilon)
        y, through = self._scaled(params, z, axes)

        def pullback(dy: Array) -> tuple[Params, Array]:
            dparams, dz = through(dy)
            return dparams, back(dz)

        return y, pullback


@dataclass(frozen=True, repr=False)
class BatchNormalization(_Normalization):
    """Every feature to mean 0 and variance 1 over the batch and its steps; then gain gamma and offset beta.

    x, y (B, ..., F). The formula: see `standardised`.

    axis      the axis of the features: statistics are taken over all others
    momentum  how much of the moving statistics stays at each step of training: m <- momentum m + (1 - momentum) batch
    epsilon   added to the variance; center, scale: whether there is a beta, a gamma
    beta_initializer, ... gamma_constraint: of beta, which starts at 0, and of gamma, which starts at 1

    With `ctx.rng` the statistics are those of the batch, real steps only where there is a mask, and the moving ones are
    handed to `ctx.record`; the variance is the biased one, there too. Without `ctx.rng`, or with `trainable=False`, the
    moving statistics are used, and stay. Masked steps are normalised like the others.

    Weights [gamma, beta, moving_mean, moving_variance]. No gradient moves the moving statistics; where they are used,
    the pullback has theirs all the same.
    Raises ValueError for an axis that x has not. Source: Ioffe & Szegedy 2015, ICML, algorithms 1 and 2; with a mask,
    the moments of Keras 3.
    """

    momentum: float = 0.99
    epsilon: float = 1e-3
    _: KW_ONLY
    moving_mean_initializer: Any = "zeros"
    moving_variance_initializer: Any = "ones"

    fixed: ClassVar[tuple[str, ...]] = ("moving_mean", "moving_variance")

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.axis, tuple):
            raise ValueError(f"BatchNormalization: axis is the one axis of the features; got {self.axis}")
        if not is_number(self.momentum) or not 0 <= self.momentum <= 1:
            raise ValueError(f"BatchNormalization: momentum is a share in [0, 1]; got {self.momentum!r}")
        object.__setattr__(self, "momentum", float(self.momentum))

    def plan(self, shape: Shape) -> tuple[dict[str, tuple[int, ...]], Shape]:
        sizes, out = super().plan(shape)
        return sizes | dict.fromkeys(self.fixed, self._size(shape)), out

    def __call__(self, params: Params, x: Array, ctx: Context = DETERMINISTIC) -> tuple[Array, Pullback]:
        axes = self._axes(x.shape)
        if ctx.rng is None or not self.trainable:
            return self._with_moving(params, x, axes)
        rest = tuple(axis for axis in range(x.ndim) if axis not in axes)
        z, batch, back = standardised(x, rest, self.epsilon, _weights(ctx.mask, x))
        if ctx.record is not None:
            for name, new in zip(self.fixed, batch, strict=True):
                old = params[name]
                ctx.record(name, old * self.momentum + new.reshape(old.shape) * (1 - self.momentum))
        y, through = self._scaled(params, z, axes)

        def pullback(dy: Array) -> tuple[Params, Array]:
            dparams, dz = through(dy)
            return dparams | {name: np.zeros_like(params[name]) for name in self.fixed}, back(dz)

        return y, pullback

    def _with_moving(self, params: Params, x: Array, axes: tuple[int, ...]) -> tuple[Array, Pullback]:
        """y and the way back where mean and variance do not depend on x."""
        spread = tuple(n if axis in axes else 1 for axis, n in enumerate(x.shape))
        rest = tuple(axis for axis in range(x.ndim) if axis not in axes)
        mean, variance = (params[name].reshape(spread) for name in self.fixed)
        r = 1 / np.sqrt(variance + self.epsilon)
        z = (x - mean) * r
        y, through = self._scaled(params, z, axes)

        def pullback(dy: Array) -> tuple[Params, Array]:
            dparams, dz = through(dy)
            by_mean, by_variance = -r * total(dz, rest), r * r * product(dz, z, rest) / -2
            dparams["moving_mean"] = by_mean.reshape(params["moving_mean"].shape)
            dparams["moving_variance"] = by_variance.reshape(params["moving_variance"].shape)
            return dparams, dz * r

        return y, pullback


def _weights(mask: Array | None, x: Array) -> Array | None:
    """The mask (B, T) as flags of x's shape; of single steps (B, F), where it is (B, 1), likewise."""
    if mask is None:
        return None
    if mask.shape != (x.shape[:2] if x.ndim > 2 else (len(x), 1)):
        raise ValueError(f"the mask of BatchNormalization is (batch, time) for x of shape {x.shape}; got {mask.shape}")
    return np.broadcast_to(mask.reshape(mask.shape + (1,) * (x.ndim - 2)), x.shape)
