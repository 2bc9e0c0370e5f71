"""Convolution forward and backward (y, dx, dW and db), float32, beside PyTorch on the CPU.

A row is timed only after its output and gradients agree with PyTorch's. The two run in alternating blocks of one
process, with the same number of threads, each in its own layout: here (B, T, C), there (B, C, T).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnkit_kernels.textbook import convolution
from rnnkit_kernels.textbook.convolution import Window

from .recurrent import alternate

__all__ = ["SHAPES", "Row", "measure", "report"]

# B, T, C_in, C_out, k, d
SHAPES = (
    (32, 512, 64, 64, 3, 4),
    (32, 512, 1, 32, 5, 1),
    (32, 512, 2, 16, 3, 2),
    (32, 100, 8, 8, 3, 1),
    (64, 24, 32, 32, 2, 1),
    (8, 2000, 128, 128, 2, 64),
)


@dataclass(frozen=True)
class Row:
    """One measured case. ratio: PyTorch's time over ours, above 1 where we are faster."""

    shape: tuple[int, ...]
    error: float
    ours: float
    torch: float

    @property
    def ratio(self) -> float:
        return self.torch / self.ours


def measure(shape: tuple[int, int, int, int, int, int], seed: int = 0) -> Row:
    """Validates and times one case. Raises AssertionError where the two disagree."""
    import torch

    B, T, C, O, k, d = shape
    rng = np.random.default_rng(seed)
    module, window = torch.nn.Conv1d(C, O, k, dilation=d), Window(k, dilation=d)
    N = window.outputs(T)
    weights = {"W": _turned(module.weight), "b": module.bias.detach().numpy().copy()}
    x, dy = (rng.standard_normal((B, *size), dtype=np.float32) for size in ((T, C), (N, O)))
    tx = torch.from_numpy(x.swapaxes(1, 2).copy()).requires_grad_()
    tdy = torch.from_numpy(dy.swapaxes(1, 2).copy())

    def ours() -> tuple[Any, Any, Any]:
        y, tape = convolution.forward(weights, x, window)
        return y, *convolution.backward(tape, dy)

    def theirs() -> Any:
        module.zero_grad()
        tx.grad = None
        y = module(tx)
        y.backward(tdy)
        return y

    (y, dweights, dx), ty = ours(), theirs()
    pairs = [
        (y, ty.detach().numpy().swapaxes(1, 2)),
        (dx, tx.grad.numpy().swapaxes(1, 2)),
        (dweights["W"], _turned(module.weight.grad)),
        (dweights["b"], module.bias.grad.numpy()),
    ]
    # float32 sums over B*N rows: the error of each is some sqrt(B*N) roundings of the largest element
    error = max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in pairs)
    assert error < 1e-6 * np.sqrt(B * N), f"{shape} disagrees with PyTorch: relative error {error:.1e}"
    return Row(shape, error, *alternate(ours, theirs))


def report() -> None:
    """Prints the table, a row as soon as it is measured."""
    print(f"\n{'convolution B,T,C,O,k,d':<26} {'error':>8} {'ms':>8} {'PyTorch':>8} {'ratio':>6}")
    for shape in SHAPES:
        row = measure(shape)
        size = ",".join(map(str, shape))
        print(f"{size:<26} {row.error:8.0e} {1e3 * row.ours:8.2f} {1e3 * row.torch:8.2f} {row.ratio:6.2f}", flush=True)


def _turned(weight: Any) -> Any:
    """PyTorch's (O, C, k) as (k, C, O)."""
    return weight.detach().numpy().transpose(2, 1, 0).copy()
