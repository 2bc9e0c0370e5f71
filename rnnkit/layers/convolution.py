"""Conv1D: a window slides over time, and what it sees is multiplied by one matrix."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rnnkit_kernels import activations
from rnnkit_kernels.types import Array

from ..border import whole
from ..context import DETERMINISTIC, Context
from .base import Params, Pullback, Shape, check_cotangent, feature_count
from .core import activate
from .sliding import Sliding, WindowStream, one_number, padding_of
from .weighted import Weighted

__all__ = ["Conv1D"]


@dataclass(frozen=True, repr=False)
class Conv1D(Weighted):
    """y_n = f(sum_j x_{n s + j d} W_j + b), over the steps of a sequence; equations: `textbook.convolution`.

    x (B, T, C) -> y (B, N, filters). Weights [W (kernel_size, C / groups, filters), b (filters,)]; W Glorot uniform, b
    zeros.

    filters        features of an output step
    kernel_size    taps k: steps that an output step is made of
    strides        s, input steps between two output steps
    padding        "valid": only whole windows, N = (T - (k-1) d - 1) // s + 1; "same": zeros beyond both ends,
                   N = ceil(T / s); "causal": zeros before the first step, so that no output sees a later one, N alike
    dilation_rate  d, input steps between two taps. It goes with any stride (Keras refuses the two together)
    groups         the channels fall into so many parts, each seen by filters / groups of the filters
    A number may also be given as a tuple of one.

    A masked step is as padding: zeros, whatever stands there. So a sequence padded at its end, or with "causal" before
    its beginning, has the outputs it has alone. (Keras' layer takes no notice of a mask and drops it.) An output step
    is real where the last step of its window is, with "same" the middle one.

    Streams unless padding is "same". Raises ValueError for numbers below 1, for filters or channels that groups do not
    divide, and where a "valid" window is longer than the sequence.
    Source: Waibel et al. 1989, IEEE TASSP 37(3) (a time-delay network); dilation: Yu & Koltun 2016, arXiv:1511.07122.
    """

    filters: int
    kernel_size: int
    strides: int = 1
    padding: str = "valid"
    dilation_rate: int = 1
    groups: int = 1
    activation: Any = None
    use_bias: bool = True

    rank = 3
    spares_dx = True

    def __post_init__(self) -> None:
        whole("Conv1D: filters", self.filters, least=1)
        whole("Conv1D: groups", self.groups, least=1)
        for name in ("kernel_size", "strides", "dilation_rate"):
            object.__setattr__(self, name, one_number(f"Conv1D: {name}", getattr(self, name)))
        object.__setattr__(self, "padding", padding_of("Conv1D", self.padding, ("valid", "same", "causal")))
        if self.filters % self.groups:
            raise ValueError(f"Conv1D: {self.filters} filters do not fall into {self.groups} groups of one size")
        activations.check(self.activation)
        self.check_options()

    @property
    def sliding(self) -> Sliding:
        return Sliding("Conv1D", self.kernel_size, self.strides, self.dilation_rate, self.padding)

    @property
    def reach(self) -> tuple[float, int]:
        return self.sliding.reach

    def plan(self, shape: Shape) -> tuple[dict[str, tuple[int, ...]], Shape]:
        channels = feature_count("Conv1D", shape, rank=3)
        if channels % self.groups:
            raise ValueError(f"Conv1D: the {channels} features of {shape} do not fall into {self.groups} groups")
        sizes: dict[str, tuple[int, ...]] = {"W": (self.kernel_size, channels // self.groups, self.filters)}
        if self.use_bias:
            sizes["b"] = (self.filters,)
        return sizes, self.sliding.planned(shape, self.filters)

    def __call__(self, params: Params, x: Array, ctx: Context = DETERMINISTIC) -> tuple[Array, Pullback]:
        self.sliding.check(x, ctx.mask)
        if x.shape[2] != (channels := params["W"].shape[1] * self.groups):
            raise ValueError(f"Conv1D was built for {channels} features; got x of shape {x.shape}")
        real = None if ctx.mask is None else ctx.mask[:, :, None]
        if real is not None:
            x = np.where(real, x, 0).astype(x.dtype, copy=False)
        kernel = ctx.kernels.convolution()
        a, tape = kernel.forward(params, x, self.sliding.window(x.shape[1]), self.groups)
        y, through = activate(self.activation, a, ctx)

        def pullback(dy: Array) -> tuple[Params, Array | None]:
            check_cotangent("Conv1D", dy, y.shape)
            dparams, dx = kernel.backward(tape, through(dy), dx=ctx.dx)
            return dparams, dx if real is None or dx is None else np.where(real, dx, 0)

        return y, pullback

    def next_mask(self, mask: Array | None, x: Array) -> Array | None:
        return self.sliding.thinned(mask)

    def stream(self, params: Params, rows: int, ctx: Context = DETERMINISTIC) -> WindowStream:
        once = replace(self, strides=1, padding="valid", dilation_rate=1)
        W, b = params["W"], params.get("b")
        matrix = W.reshape(-1, self.filters)

        def compute(taps: Array, real: Array) -> Array:
            masked = not real.all()
            if masked or self.groups > 1:
                return once(params, taps, replace(ctx, mask=real if masked else None))[0][:, 0]
            a = taps.reshape(rows, -1) @ matrix  # a single window: nothing to slide over
            return activate(self.activation, a if b is None else a + b)[0]

        return self.sliding.stream(rows, compute, np.zeros_like(W, shape=(rows, W.shape[1] * self.groups)))
