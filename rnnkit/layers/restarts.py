"""Where a recurrence begins, and where rows begin anew."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from rnnkit_kernels.contract import Gradients
from rnnkit_kernels.types import Array

__all__ = ["State", "backwards", "initial", "initial_gradients", "learned_names"]

State = dict[str, Array]


def learned_names(states: Iterable[str]) -> dict[str, str]:
    """What the weights of a learned initial state are called, by state: h_0 for h."""
    return {name: f"{name}_0" for name in states}


def initial(params: dict[str, Array], sizes: dict[str, int], rows: int) -> State:
    """The state that every row begins from, (rows, size) by name: what was learned where there is such a weight."""
    state = {}
    for name, weight in learned_names(sizes).items():
        state[name] = start = np.empty_like(params["U"], shape=(rows, sizes[name]))
        start[...] = params.get(weight, 0)
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
