"""SpatialDropout1D: dropout of whole channels."""

from __future__ import annotations

from dataclasses import dataclass

from rnnkit_kernels.types import Array

from ..context import DETERMINISTIC, Context
from .base import Layer, Params, Pullback, Shape, wrong_rank
from .core import check_rate, dropout_scale

__all__ = ["SpatialDropout1D"]


@dataclass(frozen=True, repr=False)
class SpatialDropout1D(Layer):
    """Sets a share `rate` of the channels to zero at every step of a sequence, and scales the rest by 1 / (1 - rate).

    x, y (B, T, F). Without `ctx.rng` the layer is the identity. Raises ValueError unless 0 <= rate < 1.
    Neighbouring steps are alike, so that dropping one of them alone hides little.
    Source: Tompson et al. 2015, CVPR, section 3.2.
    """

    rate: float

    rank = 3
    stepwise = True

    def __post_init__(self) -> None:
        check_rate("rate", self.rate)

    def plan(self, shape: Shape) -> tuple[dict[str, tuple[int, ...]], Shape]:
        if len(shape) != 3:
            raise wrong_rank("SpatialDropout1D", shape, 3)
        return {}, shape

    def __call__(self, params: Params, x: Array, ctx: Context = DETERMINISTIC) -> tuple[Array, Pullback]:
        if x.ndim != 3:
            raise wrong_rank("SpatialDropout1D", x.shape, 3)
        if ctx.rng is None or self.rate == 0:
            return x, lambda dy: ({}, dy)
        scale, kernels = dropout_scale(self.rate, (x.shape[0], 1, x.shape[2]), x, ctx), ctx.kernels.elementwise
        return kernels.product(x, scale), lambda dy: ({}, kernels.product(dy, scale))
