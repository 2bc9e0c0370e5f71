"""PyTorch, eager: nn.LSTM, nn.GRU, nn.RNN, time-major as it likes best."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..workload import Runner, Workload
from . import Contender

__all__ = ["contender", "module_of", "reordered"]

_MODULES = {"LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU, "SimpleRNN": torch.nn.RNN}


def contender(name: str, threads: int) -> Contender:
    torch.set_num_threads(threads)
    return Contender(name, runner)


def runner(work: Workload) -> Runner | None:
    if work.cell not in _MODULES:
        return None
    module = module_of(work.cell, work.params)
    x = torch.from_numpy(work.x.swapaxes(0, 1).copy())
    if not work.backward:
        module.eval()

        def forward() -> Any:
            with torch.inference_mode():
                return module(x)[0]

        return Runner(forward, lambda y: {"y": y.numpy().swapaxes(0, 1)})

    x.requires_grad_()
    dy, weights = torch.from_numpy(work.dy.swapaxes(0, 1).copy()), list(module.parameters())

    def both() -> Any:
        x.grad = None
        for weight in weights:
            weight.grad = None
        y = module(x)[0]
        y.backward(dy)
        return y

    def arrays(y: Any) -> dict[str, Any]:
        found = {"y": y.detach().numpy().swapaxes(0, 1), "dx": x.grad.numpy().swapaxes(0, 1)}
        rows = {"W": "weight_ih_l0", "U": "weight_hh_l0", "b": "bias_ih_l0", "b_h": "bias_hh_l0"}
        for ours, theirs in rows.items():
            if ours in work.params:
                found[ours] = reordered(work.cell, getattr(module, theirs).grad.numpy()).T
        return found

    return Runner(both, arrays)


def module_of(cell: str, params: dict[str, Any], prefix: str = "") -> Any:
    """A module of one layer with rnnkit's weights. One bias is enough where two are only ever added; the other is 0."""
    W, U = params[f"{prefix}W"], params[f"{prefix}U"]
    b = params[f"{prefix}b"]
    b_h = params.get(f"{prefix}b_h", np.zeros_like(b))
    module = _MODULES[cell](W.shape[0], U.shape[0], dtype=getattr(torch, str(W.dtype)))
    with torch.no_grad():
        for name, w in (("weight_ih", W), ("weight_hh", U), ("bias_ih", b), ("bias_hh", b_h)):
            getattr(module, f"{name}_l0").copy_(torch.from_numpy(np.ascontiguousarray(reordered(cell, w.T))))
    return module


def reordered(cell: str, rows: Any) -> Any:
    """Rows by gate, from rnnkit's order to PyTorch's or back: a GRU's z r n there is r z n."""
    if cell != "GRU":
        return rows
    z, r, n = np.split(rows, 3)
    return np.concatenate([r, z, n])
