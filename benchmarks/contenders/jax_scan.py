"""JAX: jit of a lax.scan over the steps, the products of the input before it; jit of its vjp for the way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ..workload import Runner, Workload
from . import Contender

__all__ = ["contender"]


def contender(name: str, threads: int) -> Contender:
    """XLA takes its threads from the cores that the process may use."""
    return Contender(name, runner)


def _lstm(state: Any, xs: Any, params: dict[str, Any]) -> Any:
    h, c = state
    i, f, g, o = jnp.split(xs + h @ params["U"], 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    h = jax.nn.sigmoid(o) * jnp.tanh(c)
    return (h, c), h


def _gru(state: Any, xs: Any, params: dict[str, Any]) -> Any:
    (h,) = state
    xz, xr, xn = jnp.split(xs, 3, axis=-1)
    uz, ur, un = jnp.split(h @ params["U"] + params["b_h"], 3, axis=-1)
    z = jax.nn.sigmoid(xz + uz)
    n = jnp.tanh(xn + jax.nn.sigmoid(xr + ur) * un)
    h = n + z * (h - n)
    return (h,), h


def _simple(state: Any, xs: Any, params: dict[str, Any]) -> Any:
    (h,) = state
    h = jnp.tanh(xs + h @ params["U"])
    return (h,), h


_STEPS: dict[str, tuple[Callable[..., Any], int]] = {"LSTM": (_lstm, 2), "GRU": (_gru, 1), "SimpleRNN": (_simple, 1)}


def runner(work: Workload) -> Runner | None:
    if work.cell not in _STEPS or work.dtype != "float32":  # JAX computes in float32 unless told for the whole process
        return None
    step, states = _STEPS[work.cell]
    (B, _, _, H), params = work.shape, {name: jnp.asarray(w) for name, w in work.params.items()}
    x = jnp.asarray(work.x.swapaxes(0, 1))

    def forward(params: dict[str, Any], x: Any) -> Any:
        first = (jnp.zeros((B, H), x.dtype),) * states
        return lax.scan(lambda state, xs: step(state, xs, params), first, x @ params["W"] + params["b"])[1]

    if not work.backward:
        alone = jax.jit(forward)
        return Runner(lambda: alone(params, x).block_until_ready(), lambda y: {"y": _turned(y)})

    def both(params: dict[str, Any], x: Any, dy: Any) -> Any:
        y, back = jax.vjp(forward, params, x)
        return y, back(dy)

    compiled, dy = jax.jit(both), jnp.asarray(work.dy.swapaxes(0, 1))

    def arrays(found: Any) -> dict[str, Any]:
        y, (dparams, dx) = found
        return {"y": _turned(y), "dx": _turned(dx), **dparams}

    return Runner(lambda: jax.block_until_ready(compiled(params, x, dy)), arrays)


def _turned(a: Any) -> Any:
    return a.swapaxes(0, 1)
