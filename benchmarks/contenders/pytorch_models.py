"""A rnnkit model as the same model in PyTorch, with the same weights: what a training step is compared with.

Inside, steps come first, as PyTorch's recurrent modules like it best; (B, T, F) is turned once, on the way in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from rnnkit import layers

from .pytorch import module_of

__all__ = ["Model", "trainer"]

_LOSSES = {"mse": functional.mse_loss, "binary_crossentropy": functional.binary_cross_entropy}


class Model(nn.Module):
    """model: a built `Sequential` of the layers below. x (B, T, F), or (B, T) indices -> (B, K)."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        pairs = zip(model.layers, model.params, strict=True)
        self.parts = nn.ModuleList([_MADE[type(layer)](layer, params) for layer, params in pairs])

    def forward(self, x: Any) -> Any:
        x = x.transpose(0, 1)
        for part in self.parts:
            x = part(x)
        return x


def trainer(
    model: Any, x: Any, y: Any, loss: str, epsilon: float
) -> tuple[Callable[[], float], Callable[[int, bool], float]]:
    """The training step of one batch, and an epoch of batches of a size, shuffled or not; both return the loss.

    Adam as PyTorch sets it up, a batch taken by index from one tensor: no loader to wait for.
    """
    module, price = Model(model), _LOSSES[loss]
    module.train()
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3, eps=epsilon)
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)

    def move(x: Any, y: Any) -> Any:
        optimizer.zero_grad(set_to_none=True)
        value = price(module(x), y)
        value.backward()
        optimizer.step()
        return value.item()

    def epoch(size: int, shuffle: bool) -> float:
        order = torch.randperm(len(inputs)) if shuffle else torch.arange(len(inputs))
        found = [move(inputs[rows], targets[rows]) for rows in order.split(size)]
        return float(np.mean(found))

    return lambda: move(inputs, targets), epoch


class _Recurrent(nn.Module):
    def __init__(self, layer: Any, params: dict[str, Any]) -> None:
        super().__init__()
        self.inner, self.every = module_of(type(layer).__name__, params), layer.return_sequences
        _one_bias(type(layer).__name__, self.inner)

    def forward(self, x: Any) -> Any:
        y = self.inner(x)[0]
        return y if self.every else y[-1]


class _Swish(nn.Module):
    """A GRU whose candidate is swish: PyTorch has no kernel for it: its steps are a loop behind the input's product."""

    def __init__(self, layer: Any, params: dict[str, Any]) -> None:
        super().__init__()
        self.inner, self.every = module_of("GRU", params), layer.return_sequences

    def forward(self, x: Any) -> Any:
        p = self.inner
        xs = functional.linear(x, p.weight_ih_l0, p.bias_ih_l0)
        h, hs = x.new_zeros(x.shape[1], p.hidden_size), []
        for step in xs:
            xr, xz, xn = step.chunk(3, dim=1)
            ur, uz, un = functional.linear(h, p.weight_hh_l0, p.bias_hh_l0).chunk(3, dim=1)
            n = functional.silu(xn + torch.sigmoid(xr + ur) * un)
            h = n + torch.sigmoid(xz + uz) * (h - n)
            hs.append(h)
        return torch.stack(hs) if self.every else h


class _Bidirectional(nn.Module):
    def __init__(self, layer: Any, params: dict[str, Any]) -> None:
        super().__init__()
        cell, self.every, self.units = type(layer.layer).__name__, layer.layer.return_sequences, layer.layer.units
        kind = {"GRU": nn.GRU, "LSTM": nn.LSTM}[cell]
        self.inner = kind(params["forward.W"].shape[0], self.units, bidirectional=True)
        with torch.no_grad():
            for prefix, suffix in (("forward.", ""), ("backward.", "_reverse")):
                for name, w in module_of(cell, params, prefix).named_parameters():
                    getattr(self.inner, name + suffix).copy_(w)
        _one_bias(cell, self.inner)

    def forward(self, x: Any) -> Any:
        y = self.inner(x)[0]
        return y if self.every else torch.cat([y[-1, :, : self.units], y[0, :, self.units :]], dim=1)


class _Convolution(nn.Module):
    def __init__(self, layer: Any, params: dict[str, Any]) -> None:
        super().__init__()
        k, channels, filters = params["W"].shape
        self.inner, self.before = nn.Conv1d(channels, filters, k), k - 1
        self.activate = {None: nn.Identity(), "relu": nn.ReLU()}[layer.activation]
        with torch.no_grad():
            self.inner.weight.copy_(torch.from_numpy(params["W"].transpose(2, 1, 0).copy()))
            self.inner.bias.copy_(torch.from_numpy(params["b"]))

    def forward(self, x: Any) -> Any:
        y = self.inner(functional.pad(x.permute(1, 2, 0), (self.before, 0)))
        return self.activate(y).permute(2, 0, 1)


def _one_bias(cell: str, module: nn.Module) -> None:
    """Holds the second of two biases that are only ever added: moved both, their sum would move twice as far."""
    for name, weight in module.named_parameters():
        if cell != "GRU" and name.startswith("bias_hh"):
            weight.requires_grad_(False)


def _dense(layer: Any, params: dict[str, Any]) -> nn.Module:
    inner = nn.Linear(*params["W"].shape)
    with torch.no_grad():
        inner.weight.copy_(torch.from_numpy(params["W"].T.copy()))
        inner.bias.copy_(torch.from_numpy(params["b"]))
    return nn.Sequential(inner, nn.Sigmoid()) if layer.activation == "sigmoid" else inner


def _gru(layer: Any, params: dict[str, Any]) -> nn.Module:
    return (_Swish if layer.activation == "swish" else _Recurrent)(layer, params)


_MADE: dict[type, Callable[[Any, dict[str, Any]], nn.Module]] = {
    layers.GRU: _gru,
    layers.LSTM: _Recurrent,
    layers.Bidirectional: _Bidirectional,
    layers.Conv1D: _Convolution,
    layers.Dense: _dense,
    layers.Dropout: lambda layer, params: nn.Dropout(layer.rate),
    layers.Embedding: lambda layer, params: nn.Embedding.from_pretrained(
        torch.from_numpy(params["embeddings"].copy()), freeze=False
    ),
}
