"""Cases of a convolution, for every kernel of it, and what each is asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from rnnkit_kernels.textbook import convolution as textbook
from rnnkit_kernels.textbook.convolution import Window

__all__ = ["Case", "assert_refused_as_in_the_textbook", "made"]


@dataclass
class Case:
    """Weights, x and dy; the window and groups."""

    weights: dict[str, Any]
    x: Any
    window: Window
    groups: int
    dy: Any

    def cast(self, dtype: str) -> Case:
        weights = {name: w.astype(dtype) for name, w in self.weights.items()}
        return replace(self, weights=weights, x=self.x.astype(dtype), dy=self.dy.astype(dtype))

    def on(self, kernel: Any, **options: Any) -> dict[str, Any]:
        """y, dx and the gradients."""
        y, tape = kernel.forward(self.weights, self.x, self.window, self.groups, **options)
        gradients, dx = kernel.backward(tape, self.dy)
        assert list(gradients) == list(self.weights)
        return {"y": y, "dx": dx} | gradients

    @property
    def terms(self) -> dict[str, int]:
        """How many products each number is the sum of, at most; the bias is one more."""
        k, channels, filters = self.weights["W"].shape
        B, N, _ = self.dy.shape
        return {"y": k * channels + 1, "dx": k * filters // self.groups, "W": B * N, "b": B * N}

    def allowed(self, dtype: str) -> dict[str, Any]:
        """A sum of n products in any order is off by at most n eps times the sum of their sizes; the textbook's own
        sum, in float64, by as much of its own eps. A multiplication fused into the sum rounds once less."""
        sizes = Case(
            {n: abs(w) for n, w in self.weights.items()}, abs(self.x), self.window, self.groups, abs(self.dy)
        ).on(textbook)
        eps = np.finfo(dtype).eps / 2 + np.finfo("float64").eps / 2
        return {name: 1.01 * (self.terms[name] + 1) * eps * size for name, size in sizes.items()}


def made(
    B: int, T: int, channels: int, filters: int, window: Window, groups: int = 1, bias: bool = True, seed: int = 0
) -> Case:
    """channels and filters: of a group."""
    rng = np.random.default_rng(seed)
    weights = {"W": rng.standard_normal((window.size, channels, groups * filters))}
    if bias:
        weights["b"] = rng.standard_normal(groups * filters)
    x = rng.standard_normal((B, T, groups * channels))
    case = Case(weights, x, window, groups, rng.standard_normal((B, window.outputs(T), groups * filters)))
    return case.cast("float32").cast("float64")  # numbers that both have


def assert_refused_as_in_the_textbook(kernel: Any) -> None:
    """Arrays that do not belong together, there and back, get the textbook's sentence."""
    W, x = np.zeros((3, 2, 4)), np.zeros((1, 5, 2))
    for weights, given_x, window, groups in [
        ({"W": W}, x[0], Window(3), 1),
        ({"W": W}, x, Window(2), 1),
        ({"W": W}, x, Window(3), 2),
        ({"W": W, "b": np.zeros(3)}, x, Window(3), 1),
        ({"W": W}, x, Window(3, dilation=3), 1),
    ]:
        with pytest.raises(ValueError, match="convolution: ") as right:
            textbook.forward(weights, given_x, window, groups)
        with pytest.raises(ValueError, match="convolution: ") as found:
            kernel.forward(weights, given_x, window, groups)
        assert str(found.value) == str(right.value)
    _, tape = kernel.forward({"W": W}, x, Window(3))
    with pytest.raises(ValueError, match=r"dy is \(B, N, O\) = \(1, 3, 4\), as y; got \(1, 5, 4\)"):
        kernel.backward(tape, np.zeros((1, 5, 4)))
