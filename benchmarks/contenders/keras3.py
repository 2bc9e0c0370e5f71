"""Keras 3: its layers, on JAX (jit of `stateless_call` and its vjp) where JAX is there, else on PyTorch."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax" if find_spec("jax") else "torch")

import keras
import numpy as np

from ..workload import Runner, Workload
from . import Contender

__all__ = ["contender"]

_LAYERS = {"LSTM": keras.layers.LSTM, "GRU": keras.layers.GRU, "SimpleRNN": keras.layers.SimpleRNN}


def contender(name: str, threads: int) -> Contender:
    """Raises ValueError where KERAS_BACKEND names another backend than jax and torch."""
    if keras.backend.backend() not in ("jax", "torch"):
        raise ValueError(f"Keras is compared on jax or torch; KERAS_BACKEND is {keras.backend.backend()!r}")
    return Contender(name, runner)


def runner(work: Workload) -> Runner | None:
    if work.cell not in _LAYERS or work.dtype != "float32":
        return None
    layer = _LAYERS[work.cell](work.shape[3], return_sequences=True)
    layer.build(work.x.shape)
    layer.set_weights(work.layer.to_list(work.params))
    return _on_jax(layer, work) if keras.backend.backend() == "jax" else _on_torch(layer, work)


def _arrays(work: Workload, y: Any, dx: Any, gradients: list[Any]) -> dict[str, Any]:
    found = work.layer.from_list([np.asarray(g) for g in gradients], work.params)
    return {"y": np.asarray(y), "dx": np.asarray(dx), **found}


def _on_jax(layer: Any, work: Workload) -> Runner:
    import jax

    x, dy = jax.numpy.asarray(work.x), jax.numpy.asarray(work.dy)
    weights = [v.value for v in layer.trainable_variables]
    others = [v.value for v in layer.non_trainable_variables]

    def forward(weights: Any, x: Any) -> Any:
        return layer.stateless_call(weights, others, x)[0]

    if not work.backward:
        alone = jax.jit(forward)
        return Runner(lambda: alone(weights, x).block_until_ready(), lambda y: {"y": y})

    def both(weights: Any, x: Any, dy: Any) -> Any:
        y, back = jax.vjp(forward, weights, x)
        return y, back(dy)

    compiled = jax.jit(both)
    return Runner(
        lambda: jax.block_until_ready(compiled(weights, x, dy)), lambda r: _arrays(work, r[0], r[1][1], r[1][0])
    )


def _on_torch(layer: Any, work: Workload) -> Runner:
    import torch

    x, dy = torch.from_numpy(work.x), torch.from_numpy(work.dy)
    weights = [v.value for v in layer.trainable_variables]
    if not work.backward:

        def forward() -> Any:
            with torch.inference_mode():
                return layer(x)

        return Runner(forward, lambda y: {"y": y.numpy()})

    x.requires_grad_()

    def both() -> Any:
        x.grad = None
        for weight in weights:
            weight.grad = None
        y = layer(x)
        y.backward(dy)
        return y

    return Runner(both, lambda y: _arrays(work, y.detach(), x.grad, [w.grad for w in weights]))
