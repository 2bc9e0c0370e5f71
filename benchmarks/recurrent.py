"""Forward and backward through time (y, dx and all weight gradients), float32, beside PyTorch on the CPU.

A row is timed only after its outputs and gradients agree with PyTorch's. The two run in alternating blocks of
one process, with the same number of threads: a machine that slows down slows both. The ratio is that of the medians.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnkit_kernels import cells
from rnnkit_kernels.backends import backend

__all__ = ["CELLS", "SHAPES", "Row", "alternate", "measure"]

CELLS = {"LSTM": cells.LSTM(), "GRU": cells.GRU(), "SimpleRNN": cells.SimpleRNN()}
SHAPES = ((64, 100, 128, 128), (32, 24, 24, 50), (12, 24, 100, 100), (128, 20, 32, 32))
BLOCK, BLOCKS = 0.25, 9  # seconds of one block; blocks of each side


@dataclass(frozen=True)
class Row:
    """One measured case. origin: what ran on our side; ratio: PyTorch's time over ours, above 1 where we are faster."""

    cell: str
    shape: tuple[int, int, int, int]
    origin: str
    error: float
    ours: float
    torch: float

    @property
    def ratio(self) -> float:
        return self.torch / self.ours


def measure(name: str, shape: tuple[int, int, int, int], seed: int = 0) -> Row:
    """Validates and times one cell at (B, T, F, H). Raises AssertionError where the two disagree."""
    import torch

    B, T, F, H = shape
    rng = np.random.default_rng(seed)
    kernel = backend("auto").kernel(CELLS[name])
    module = {"LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU, "SimpleRNN": torch.nn.RNN}[name](F, H)
    weights = _from_torch(name, module)
    x, dh = (rng.standard_normal((T, B, n), dtype=np.float32) for n in (F, H))
    state0 = {k: np.zeros((B, H), np.float32) for k in kernel.cell.state}
    tx, tdh = torch.from_numpy(x).requires_grad_(), torch.from_numpy(dh)

    def ours() -> tuple[Any, Any]:
        h, _, tape = kernel.forward(weights, x, state0)
        return h, kernel.backward(tape, dh)

    def theirs() -> Any:
        module.zero_grad()
        tx.grad = None
        h, _ = module(tx)
        h.backward(tdh)
        return h

    (h, grads), th = ours(), theirs()
    expected = _from_torch(name, module, grad=True)
    pairs = [(h, th.detach().numpy()), (grads.x, tx.grad.numpy())] + [(grads.weights[k], expected[k]) for k in weights]
    # float32 sums over B*T rows: the error of each is some sqrt(B*T) roundings of the largest element
    error = max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in pairs)
    assert error < 1e-6 * np.sqrt(B * T), f"{name} {shape} disagrees with PyTorch: relative error {error:.1e}"
    mine, other = alternate(ours, theirs)
    return Row(name, shape, kernel.origin, error, mine, other)


def alternate(a: Callable[[], Any], b: Callable[[], Any]) -> tuple[float, float]:
    """Median seconds a call of each, over blocks run in turn."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(BLOCKS):
        for function, found in zip((a, b), times, strict=True):
            calls, start = 0, time.perf_counter()
            while (passed := time.perf_counter() - start) < BLOCK:
                function()
                calls += 1
            found.append(passed / calls)
    return statistics.median(times[0]), statistics.median(times[1])


def _from_torch(name: str, module: Any, grad: bool = False) -> dict[str, Any]:
    """PyTorch's weights (or their gradients) in our layout: (G*H, F) turned, and its gates r z n put into z r n."""

    def get(key: str) -> Any:
        p = getattr(module, f"{key}_l0")
        return (p.grad if grad else p).detach().numpy()

    W, U, b, b_h = get("weight_ih").T, get("weight_hh").T, get("bias_ih"), get("bias_hh")
    if name == "GRU":
        H = U.shape[0]
        order = np.r_[H : 2 * H, 0:H, 2 * H : 3 * H]
        W, U, b, b_h = W[:, order], U[:, order], b[order], b_h[order]
    weights = {"W": W.copy(), "U": U.copy(), "b": b.copy()}
    if name == "GRU":
        return weights | {"b_h": b_h.copy()}
    if not grad:
        weights["b"] = b + b_h  # one bias does for two that are only ever added
    return weights
