"""Convolution over time on a GPU; what goes in and comes out is the textbook's, see `textbook.convolution`.

Zeros before and after the sequence are not in memory. They meet weights as the textbook's do, but on the way back too:
where weights are not finite, steps near the ends of dx are NaN of which the textbook has numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

from ..backends import ConvolutionKernel
from ..textbook import convolution as textbook
from ..textbook.convolution import ConvolutionTape, Window
from ..types import Array
from .convolution_plan import Chunks, Shape, Sweep
from .place import Place
from .source import part
from .words import real_of

__all__ = ["CudaConvolution", "CudaConvolutionTape", "backward", "forward"]

_MOST = 1 << 30  # steps of all rows together, and numbers of a tap: kernels count them in 32 bits


@dataclass(frozen=True, eq=False)
class CudaConvolutionTape(ConvolutionTape):
    """x is the input as it is, (B, T, C), contiguous, without zeros."""

    origin: ClassVar[str] = "cuda"


def forward(
    place: Place, weights: dict[str, Array], x: Array, window: Window, groups: int = 1
) -> tuple[Array, ConvolutionTape]:
    """See `textbook.convolution.forward`. All arrays lie at the place, float32 or float64 alike; else TypeError."""
    textbook.check(weights, x, window, groups)
    for name, w in weights.items():
        if w.dtype != x.dtype:
            raise TypeError(f"convolution: {name} is {w.dtype} and x {x.dtype}: cast one of them")
    real_of("convolution", x.dtype)
    B, T, _ = x.shape
    O, N = weights["W"].shape[2], window.outputs(T)
    if max(B * max(T, N), abs(window.left) + window.span) >= _MOST:
        raise ValueError(f"convolution: {B} rows of {max(T, N)} steps are too many for one call: give fewer rows")
    xp = place.xp
    x, b = xp.ascontiguousarray(x), weights.get("b")
    y = xp.empty((B, N, O), x.dtype)
    tape = CudaConvolutionTape(weights, x, window, groups, T, N)
    start = None if b is None else xp.ascontiguousarray(b)
    _summed(place, _sweep(_shape(tape), False), x, weights["W"], start, y)
    return y, tape


def backward(
    place: Place, tape: ConvolutionTape, dy: Array, *, dx: bool = True
) -> tuple[dict[str, Array], Array | None]:
    """See `textbook.convolution.backward`; a tape of the textbook goes back there."""
    if not isinstance(tape, CudaConvolutionTape):
        return textbook.backward(tape, dy, dx=dx)
    W, xp, shape = tape.weights["W"], place.xp, _shape(tape)
    if dy.shape != (expected := (shape.B, shape.N, shape.O)):
        raise ValueError(f"convolution: dy is (B, N, O) = {expected}, as y; got {dy.shape}")
    dy = xp.ascontiguousarray(dy.astype(W.dtype, copy=False))
    owed_x = None
    if dx:
        owed_x = xp.empty(tape.x.shape, W.dtype)
        _summed(place, _sweep(shape, True), dy, W, None, owed_x)
    found = {"W": _weights(place, tape, shape, dy), "b": dy.reshape(shape.B * shape.N, shape.O).sum(axis=0)}
    return {name: found[name] for name in tape.weights}, owed_x


def _shape(tape: ConvolutionTape) -> Shape:
    B, T, C = tape.x.shape
    return Shape(B, T, C, tape.outputs, tape.weights["W"].shape[2], tape.window, tape.groups)


@lru_cache(maxsize=64)
def _sweep(shape: Shape, back: bool) -> Sweep:
    return Sweep(shape, back)


@lru_cache(maxsize=64)
def _chunks(shape: Shape) -> Chunks:
    return Chunks(shape)


def _summed(place: Place, sweep: Sweep, source: Array, W: Array, start: Array | None, out: Array) -> None:
    if out.size == 0:
        return
    if W.size == 0:
        out[:] = 0 if start is None else start
        return
    panels = _panels(place.xp, sweep, W)
    begin = 0 if start is None else place.address(start)
    arrays = place.address(source), place.address(panels), begin, place.address(out)
    table = place.table([*sweep.head, *arrays, *sweep.tail])
    module = place.module(real_of("convolution", out.dtype), "convolution.cuh", _text("sums"), "convolution")
    module.repeat([sweep.launch(out.itemsize)], table, 1)


def _panels(xp: Any, sweep: Sweep, W: Array) -> Array:
    """The weights as each way meets them, (groups, taps, depth, columns), one way behind the other."""
    k, channels, O = W.shape
    apart = W.reshape(k, channels, G := sweep.shape.groups, O // G)
    if not sweep.back:
        return xp.ascontiguousarray(apart.transpose(2, 0, 1, 3))
    turned = apart.transpose(2, 0, 3, 1)
    if sweep.shape.window.stride == 1:
        return xp.ascontiguousarray(turned)
    return xp.concatenate([turned[:, way.taps.start : k : way.taps.step].reshape(-1) for way in sweep.ways])


def _weights(place: Place, tape: ConvolutionTape, shape: Shape, dy: Array) -> Array:
    """dW: chunks of rows by themselves, then their sum in order."""
    W, xp, G = tape.weights["W"], place.xp, shape.groups
    if W.size == 0 or dy.size == 0:
        return xp.zeros(W.shape, W.dtype)
    chunks = _chunks(shape)
    parts = xp.empty((chunks.count, G, shape.window.size, shape.C // G, shape.O // G), W.dtype)
    addresses = place.address(tape.x), place.address(dy), place.address(parts)
    table = place.table([*chunks.head, *addresses, *chunks.shifts])
    module = place.module(real_of("convolution", W.dtype), "convolution.cuh", _text("gradients"), "convolution")
    module.repeat([chunks.launch(chunks.count, W.itemsize)], table, 1)
    total = parts[0] if chunks.count == 1 else parts.sum(axis=0)
    return xp.ascontiguousarray(total.transpose(1, 2, 0, 3)).reshape(W.shape)


def _text(which: str) -> str:
    return part(f"convolution_{which}.cuh")


class CudaConvolution(ConvolutionKernel):
    """The pair of the convolution at a place."""

    def __init__(self, place: Place) -> None:
        super().__init__(CudaConvolutionTape.origin)
        object.__setattr__(self, "place", place)

    place: Place

    def forward(
        self, weights: dict[str, Array], x: Array, window: Window, groups: int = 1
    ) -> tuple[Array, ConvolutionTape]:
        return forward(self.place, weights, x, window, groups)

    def backward(self, tape: ConvolutionTape, dy: Array, *, dx: bool = True) -> tuple[dict[str, Array], Array | None]:
        return backward(self.place, tape, dy, dx=dx)
