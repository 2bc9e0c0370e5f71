"""Convolution over time and its adjoint, on NumPy arrays (and on any that dispatch like them).

With k taps, stride s, dilation d and `left` zeros put before the sequence, x~ being x between its zeros:

    y[b, n, o] = b[o] + sum_j sum_c  x~[b, n s + j d, c] W[j, c, o]          j = 0 .. k-1

What an output step sees is a row of the matrix X[(b, n), (j, c)] = x~[b, n s + j d, c], and then y = X W + b with W as
a matrix (k C, O). X = gather(x) is linear in x: it copies. So the way back is that of a product, and of a copy:

    dW = X^T dy        db = sum over rows of dy        dX = dy W^T        dx~[b, n s + j d, c] += dX[(b, n), (j, c)]

An element that was copied to several rows collects what all of them owe it: the adjoint of a gather is a scatter that
adds. dx is dx~ without the zeros' share: they were no input.

With G groups the channels, and the filters, fall into G parts that do not meet: G products side by side.

X is k times as large as x. It is made block by block, small enough to stay in the cache between the copy and the
product, and made again on the way back instead of being kept. Arrays are batch-major here: no step waits for the one
before it, so there is nothing to turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..types import Array

__all__ = ["ConvolutionTape", "Window", "backward", "check", "forward"]

BLOCK_BYTES = 1 << 22  # of X, as measured: less leaves a product's threads too few rows, more leaves the cache


@dataclass(frozen=True)
class Window:
    """What an output step sees. size: taps k; stride: input steps between two outputs; dilation: between two taps;

    left, right: zeros before and after the sequence.
    """

    size: int
    stride: int = 1
    dilation: int = 1
    left: int = 0
    right: int = 0

    @property
    def span(self) -> int:
        """Input steps from the first tap to the last, both counted."""
        return (self.size - 1) * self.dilation + 1

    def outputs(self, steps: int) -> int:
        """How many windows fit into a sequence of so many steps and its zeros."""
        return (steps + self.left + self.right - self.span) // self.stride + 1


@dataclass(frozen=True, eq=False)
class ConvolutionTape:
    """What the way back needs; it is read, never written, so one may go back more than once.

    weights as given; x the input between its zeros, (B, left + T + right, C); steps: T; outputs: N
    """

    weights: dict[str, Array]
    x: Array
    window: Window
    groups: int
    steps: int
    outputs: int


def forward(weights: dict[str, Array], x: Array, window: Window, groups: int = 1) -> tuple[Array, ConvolutionTape]:
    """y (B, N, O) for x (B, T, C), weights W (k, C / groups, O) and, if there is one, b (O,); and the tape.

    Arrays are float32 or float64, all alike (or complex128, for a complex step). Raises ValueError where shapes do not
    belong together, and where no window fits into the sequence.
    """
    check(weights, x, window, groups)
    B, T, C = x.shape
    W, outputs = weights["W"], window.outputs(T)
    if window.left or window.right:
        between = np.zeros_like(x, order="C", shape=(B, window.left + T + window.right, C))
        between[:, window.left : window.left + T] = x
        x = between
    tape = ConvolutionTape(weights, x, window, groups, T, outputs)
    y = np.empty_like(x, order="C", shape=(B, outputs, W.shape[2]))  # whatever way x lies: products go into it
    matrices = _matrices(W, groups)
    for rows, steps in _blocks(tape):
        block = y[rows, steps]
        np.matmul(_gather(tape, rows, steps), matrices, out=_apart(block, groups))
        if "b" in weights:
            block += weights["b"]
    return y, tape


def backward(tape: ConvolutionTape, dy: Array, *, dx: bool = True) -> tuple[dict[str, Array], Array | None]:
    """dL/d(weights) by name and dL/dx (B, T, C), for dy (B, N, O) = dL/dy. Raises ValueError for another shape.

    dx  False: nobody asks for dL/dx, and None stands for it
    """
    W, window, groups = tape.weights["W"], tape.window, tape.groups
    expected = (tape.x.shape[0], tape.outputs, W.shape[2])
    if dy.shape != expected:
        raise ValueError(f"convolution: dy is (B, N, O) = {expected}, as y; got {dy.shape}")
    dW = np.zeros_like(W, shape=(groups, W.shape[0] * W.shape[1], W.shape[2] // groups))
    owed_x = np.zeros_like(tape.x, order="C") if dx else None
    for rows, steps in _blocks(tape):
        owed = _apart(dy[rows, steps], groups)
        dW += _gather(tape, rows, steps).swapaxes(1, 2) @ owed
        if owed_x is None:
            continue
        for j in range(window.size):  # the columns of dX tap by tap: each lies along dx and is added in long runs
            met = owed_x[rows, _seen(j, window, steps)]
            met += (owed @ _matrices(W[j : j + 1], groups).swapaxes(1, 2)).swapaxes(0, 1).reshape(*met.shape)
    gradients = {"W": dW.swapaxes(0, 1).reshape(*W.shape)}
    if "b" in tape.weights:
        gradients["b"] = dy.sum(axis=0).sum(axis=0)  # an axis at a time, row by row: faster than both at once
    found = {name: gradients[name] for name in tape.weights}
    return found, None if owed_x is None else owed_x[:, window.left : window.left + tape.steps]


def _matrices(W: Array, groups: int) -> Array:
    """(k, C/G, O) as a matrix for each group, (G, k C/G, O/G)."""
    k, channels, filters = W.shape
    return W.reshape(k * channels, groups, filters // groups).swapaxes(0, 1)


def _apart(a: Array, groups: int) -> Array:
    """(rows, steps, G n) to (G, rows steps, n)."""
    rows, steps, n = a.shape
    return a.reshape(rows * steps, groups, n // groups).swapaxes(0, 1)


def _blocks(tape: ConvolutionTape) -> Iterator[tuple[slice, slice]]:
    """Rows and output steps whose part of X has the size of a block: several rows, or a piece of one."""
    B, N = len(tape.x), tape.outputs
    fit = max(1, BLOCK_BYTES // (tape.x.shape[2] * tape.window.size * tape.x.dtype.itemsize))
    height, length = max(1, fit // N), min(fit, N)
    for row in range(0, B, height):
        for step in range(0, N, length):
            yield slice(row, min(row + height, B)), slice(step, min(step + length, N))


def _seen(tap: int, window: Window, steps: slice) -> slice:
    """The steps of x~ that meet one tap while the window stands at those output steps."""
    first = steps.start * window.stride + tap * window.dilation
    return slice(first, first + (steps.stop - steps.start - 1) * window.stride + 1, window.stride)


def _gather(tape: ConvolutionTape, rows: slice, steps: slice) -> Array:
    """X for those rows and output steps, (G, rows steps, k C/G)."""
    groups, k, channels = tape.groups, tape.window.size, tape.x.shape[2] // tape.groups
    shape = (rows.stop - rows.start, steps.stop - steps.start)
    X = np.empty_like(tape.x, order="C", shape=(groups, *shape, k, channels))
    for j in range(k):
        taken = tape.x[rows, _seen(j, tape.window, steps)]
        X[:, :, :, j] = taken.reshape(*shape, groups, channels).swapaxes(1, 2).swapaxes(0, 1)
    return X.reshape(groups, shape[0] * shape[1], k * channels)


def check(weights: dict[str, Any], x: Array, window: Window, groups: int) -> None:
    """Refuses, in a sentence, arrays that do not belong together."""
    W, b = weights["W"], weights.get("b")
    if x.ndim != 3 or W.ndim != 3:
        raise ValueError(f"convolution: x is (B, T, C) and W (k, C / groups, O); got {x.shape} and {W.shape}")
    if W.shape[0] != window.size or W.shape[1] * groups != x.shape[2] or W.shape[2] % groups:
        raise ValueError(
            f"convolution: W is (k, C / groups, O) with O a multiple of groups; got {W.shape} for x {x.shape}, "
            f"{window.size} taps and {groups} groups"
        )
    if b is not None and b.shape != W.shape[2:]:
        raise ValueError(f"convolution: b should have shape {W.shape[2:]}; got {b.shape}")
    if window.outputs(x.shape[1]) < 1:
        raise ValueError(f"convolution: a window of {window.span} steps does not fit into x of shape {x.shape}")
