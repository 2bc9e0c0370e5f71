"""The compiled convolution: what goes in and comes out is the textbook's, see `textbook.convolution`.

Zeros before and after the sequence are not read here, and not multiplied. That is the same as long as what they would
meet is finite. Where the weights or dy are not, the textbook says what comes out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite
from typing import ClassVar

import numpy as np

from ...backends import ConvolutionKernel
from ...textbook import convolution as textbook
from ...textbook.convolution import ConvolutionTape, Window
from ...types import Array
from .. import machine, memory
from ..emit.vec import Lanes
from ..parallel import threads
from ..recurrence import scratch
from ..words import address
from .drivers import driver
from .plan import Shape, backward_plan, forward_plan

__all__ = ["CompiledConvolution", "CompiledConvolutionTape", "backward", "forward"]

_WORTH = 4e5  # multiply-adds below which a second thread costs more than it brings
_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


@dataclass(frozen=True, eq=False)
class CompiledConvolutionTape(ConvolutionTape):
    """x is the input as it is, (B, T, C), without zeros; shape: what ran."""

    shape: Shape

    origin: ClassVar[str] = "numba"


def forward(
    weights: dict[str, Array], x: Array, window: Window, groups: int = 1,
    *, lanes: Lanes | None = None, registers: int | None = None, parts: int | None = None,
) -> tuple[Array, ConvolutionTape]:  # fmt: skip
    """See `textbook.convolution.forward`.

    lanes, registers, parts  which compiled form, and on how many threads; chosen where None
    """
    W, b, dtype = weights["W"], weights.get("b"), x.dtype
    if not _takes(x, W, b) or not _finite(W := np.ascontiguousarray(W)):
        return textbook.forward(weights, x, window, groups)
    textbook.check(weights, x, window, groups)
    x = _inner(x)
    (B, T, C), O = x.shape, W.shape[2]
    N = window.outputs(T)
    if parts is None:
        parts = 1 if B * N * W.size < _WORTH else threads.available()
    with threads.team(parts) as team:
        shape = Shape(
            lanes or Lanes(dtype.name, machine.lanes(dtype)), registers or machine.registers(), B, T, C, O, window,
            groups, min(parts, team.size), (x.strides[1], x.strides[0]),
        )  # fmt: skip
        plan = forward_plan(shape)
        _held, begin = scratch(plan.work)
        y = memory.empty((B, N, O), dtype)
        bias = plan.zeros if b is None else address(b := np.ascontiguousarray(b))
        words = plan.words.made((begin, address(W), address(x), bias, address(y)))
        team.run(driver(), address(words), shape.parts, before=driver("pack"))
    return y, CompiledConvolutionTape(weights, x, window, groups, T, N, shape)


def backward(tape: ConvolutionTape, dy: Array, *, dx: bool = True) -> tuple[dict[str, Array], Array | None]:
    """See `textbook.convolution.backward`; a tape of the textbook goes back there."""
    if not isinstance(tape, CompiledConvolutionTape):
        return textbook.backward(tape, dy, dx=dx)
    shape, W = tape.shape, np.ascontiguousarray(tape.weights["W"])
    B, T, C, O = shape.B, shape.T, shape.C, shape.O
    if dy.shape != (expected := (B, shape.N, O)):
        raise ValueError(f"convolution: dy is (B, N, O) = {expected}, as y; got {dy.shape}")
    dy = _inner(dy.astype(W.dtype, copy=False))
    with threads.team(shape.parts) as team:
        shape = replace(shape, parts=min(shape.parts, team.size), dy=(dy.strides[1], dy.strides[0]))
        plan = backward_plan(shape, dx)
        _held, begin = scratch(plan.work)
        owed_x = memory.empty((B, T, C), W.dtype) if dx else None
        made = memory.zeros((shape.parts, plan.made), W.dtype)
        words = plan.words.made(
            (begin, address(W), address(tape.x), address(dy), 0 if owed_x is None else address(owed_x), address(made))
        )
        team.run(driver(), address(words), shape.parts, before=driver("pack"))
    with np.errstate(invalid="ignore", over="ignore"):
        total = made[0] if shape.parts == 1 else made.sum(axis=0)
    db = total[plan.bias :]
    if not _finite(db):
        return textbook.backward(textbook.forward(tape.weights, tape.x, tape.window, tape.groups)[1], dy, dx=dx)
    k, G = shape.window.size, shape.groups
    if plan.turned:
        dW = total[: plan.bias].reshape(G, k, O // G, C // G).transpose(1, 3, 0, 2)
    elif plan.apart:
        dW = total[: plan.bias]
    else:
        dW = total[: plan.bias].reshape(G, k, C // G, O // G).transpose(1, 2, 0, 3)
    found = {"W": np.ascontiguousarray(dW.reshape(W.shape)), "b": db}
    return {name: found[name] for name in tape.weights}, owed_x


def _takes(x: Array, W: Array, b: Array | None) -> bool:
    """Whether the numbers are of a kind that is compiled, and any are there."""
    return x.dtype in _DTYPES and W.dtype == x.dtype and (b is None or b.dtype == x.dtype) and x.size > 0 < W.size


def _finite(a: Array) -> bool:
    """False where the sum of squares is not finite."""
    flat = a.reshape(-1)
    with np.errstate(invalid="ignore", over="ignore"):
        return isfinite(np.dot(flat, flat))


def _inner(a: Array) -> Array:
    """An array whose channels lie side by side; steps and rows may lie anywhere, a whole number apart."""
    size = a.itemsize
    if (a.shape[2] > 1 and a.strides[2] != size) or a.strides[0] % size or a.strides[1] % size:
        return np.ascontiguousarray(a)
    return a


@dataclass(frozen=True)
class CompiledConvolution(ConvolutionKernel):
    """Complex numbers, and weights or gradients that are not finite, are the textbook's."""

    origin: str = "numba"

    def forward(
        self, weights: dict[str, Array], x: Array, window: Window, groups: int = 1
    ) -> tuple[Array, ConvolutionTape]:
        return forward(weights, x, window, groups)

    def backward(self, tape: ConvolutionTape, dy: Array, *, dx: bool = True) -> tuple[dict[str, Array], Array | None]:
        return backward(tape, dy, dx=dx)
