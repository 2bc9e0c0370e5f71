"""Where a recurrence begins, on the way there and back, and where rows begin anew."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from rnnkit_kernels.contract import Gradients
from rnnkit_kernels.types import Array

__all__ = ["State", "backwards", "initial", "initial_gradients", "learned_names", "nothing_owed"]

State = dict[str, Array]


def learned_names(states: Iterable[str]) -> dict[str, str]:
    """What the weights of a learned initial state are called, by state: h_0 for h."""
    return {name: _learned(name) for name in states}


def _learned(state: str) -> str:
    return f"{state}_0"


def initial(params: dict[str, Array], sizes: dict[str, int], rows: int) -> State:
    """The state that every row begins from, (rows, size) by name: what was learned where there is such a weight."""
    state = {}
    for name, size in sizes.items():
        state[name] = start = np.empty_like(params["U"], shape=(rows, size))
        start[...] = params.get(_learned(name), 0)
    return state


def initial_gradients(params: dict[str, Array], grads: Gradients, began: bool) -> State:
    """dL/d(the learned initial state): of the rows that began from it, at the first step (`began`) or anew later."""
    found = {}
    for name, weight in learned_names(grads.state0).items():
        if weight in params:
            owed = [grads.state0[name]] if began else []
            owed += [grads.fresh[name]] if name in grads.fresh else []
            found[weight] = sum((d.sum(axis=0) for d in owed), np.zeros_like(params[weight]))
    return found


def backwards(reset: Array) -> Array:
    """Flags (B, T) for a reader that comes from the end: where a row begins anew before step t, it does so between t
    and t - 1, before it reads t - 1. What begins anew at step 0 begins nothing for it."""
    return np.concatenate([np.zeros_like(reset[:, :1]), reset[:, :0:-1]], axis=1)


def nothing_owed(h: Array) -> Array:
    """Zeros of h's shape (T, B, H) or (B, T, H), where the loss reads no output: all steps of all rows share one."""
    row = np.zeros_like(h, shape=h.shape[-1])
    if type(row) is not np.ndarray:  # on a device
        return np.broadcast_to(row, h.shape)
    owed = np.ndarray(h.shape, row.dtype, row, strides=(0, 0, row.itemsize))
    owed.flags.writeable = False
    return owed
