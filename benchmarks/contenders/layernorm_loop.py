"""The layer-normalised LSTM in PyTorch, which has no kernel for it: a loop over steps of `layer_norm` and products."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import layer_norm

from ..workload import Runner, Workload

__all__ = ["loop"]


def loop(work: Workload) -> Runner:
    """Forward and backward; equations: `rnnkit_kernels.cells.LayerNormLSTM`."""
    p = {name: torch.from_numpy(w.copy()).requires_grad_() for name, w in work.params.items()}
    x = torch.from_numpy(work.x.swapaxes(0, 1).copy()).requires_grad_()
    dy = torch.from_numpy(work.dy.swapaxes(0, 1).copy())
    (B, T, _, H), epsilon = work.shape, work.layer.epsilon

    def forward() -> Any:
        xs = layer_norm(x @ p["W"], (4 * H,), p["gamma_x"], p["beta_x"], epsilon) + p["b"]
        h = c = x.new_zeros(B, H)
        ys = []
        for t in range(T):
            a = xs[t] + layer_norm(h @ p["U"], (4 * H,), p["gamma_h"], p["beta_h"], epsilon)
            i, f, g, o = a.chunk(4, dim=1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(layer_norm(c, (H,), p["gamma_c"], p["beta_c"], epsilon))
            ys.append(h)
        return torch.stack(ys)

    def both() -> Any:
        x.grad = None
        for weight in p.values():
            weight.grad = None
        y = forward()
        y.backward(dy)
        return y

    def arrays(y: Any) -> dict[str, Any]:
        found = {"y": y.detach().numpy().swapaxes(0, 1), "dx": x.grad.numpy().swapaxes(0, 1)}
        return found | {name: weight.grad.numpy() for name, weight in p.items()}

    return Runner(both, arrays)
