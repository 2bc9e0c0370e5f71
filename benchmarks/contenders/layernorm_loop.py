"""LSTMs that PyTorch has no kernel for, layer-normalised or with recurrent dropout: a loop over steps of products."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn.functional import layer_norm

from ..workload import Runner, Workload

__all__ = ["loop", "pair"]


def loop(work: Workload) -> Runner:
    """Forward and backward; equations: `rnnkit_kernels.cells.LayerNormLSTM`."""
    return Runner(*pair(work))


def pair(
    work: Workload, device: str = "cpu", compiled: Callable[[Any], Any] = lambda step: step, drop: Any = None
) -> tuple[Callable[[], Any], Callable[[Any], dict[str, Any]]]:
    """(run, arrays) of a `Runner`. compiled: what becomes of the function of a step; drop: (B, H), m of recurrent
    dropout. A workload without gains is the plain LSTM."""
    p = {name: torch.from_numpy(w.copy()).to(device).requires_grad_() for name, w in work.params.items()}
    x, dy = (torch.from_numpy(a.swapaxes(0, 1).copy()).to(device) for a in (work.x, work.dy))
    x.requires_grad_()
    normalised = "gamma_x" in p
    (B, T, _, H), epsilon = work.shape, getattr(work.layer, "epsilon", 0.0)
    scale = None if drop is None else torch.from_numpy(drop).to(device)
    step = compiled(_normalised if normalised else _plain)

    def forward() -> Any:
        xs = x @ p["W"]
        if normalised:
            xs = layer_norm(xs, (4 * H,), p["gamma_x"], p["beta_x"], epsilon)
        xs = xs + p["b"]
        h = c = x.new_zeros(B, H)
        ys = []
        for t in range(T):
            h, c = step(xs[t], h if scale is None else h * scale, c, p, epsilon)
            ys.append(h)
        return torch.stack(ys)

    def both() -> Any:
        y = forward()
        return (y, *torch.autograd.grad(y, [x, *p.values()], dy))

    def arrays(found: Any) -> dict[str, Any]:
        y, dx, *weights = (a.detach().cpu().numpy() for a in found)
        whole = {"y": y.swapaxes(0, 1), "dx": dx.swapaxes(0, 1)}
        return whole | dict(zip(p, weights, strict=True))

    return both, arrays


def _normalised(xs: Any, h: Any, c: Any, p: dict[str, Any], epsilon: float) -> tuple[Any, Any]:
    H = c.shape[1]
    a = xs + layer_norm(h @ p["U"], (4 * H,), p["gamma_h"], p["beta_h"], epsilon)
    i, f, g, o = a.chunk(4, dim=1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(layer_norm(c, (H,), p["gamma_c"], p["beta_c"], epsilon)), c


def _plain(xs: Any, h: Any, c: Any, p: dict[str, Any], _: float) -> tuple[Any, Any]:
    i, f, g, o = (xs + h @ p["U"]).chunk(4, dim=1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c
