"""What a traced cell tells a recurrence on arrays, found once a cell."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..contract import Cell
from ..program import adjoint_names, cut_at_kept, derive, flatten, trace, vectors
from ..replay import Replay
from ..types import Array
from .functions import Arrays

__all__ = [
    "Plan",
    "Products",
    "adjoint_on_arrays",
    "limited",
    "places_met",
    "plan_of",
    "recurrent_columns",
    "vector_leaves",
]

Values = dict[str, Any]


class Plan:
    """kept      names of what a step leaves on the tape
    met       gates whose columns of U meet h_{t-1}; the rest are unused, or have an inner product
    one_sum   whether every gate uses x and u as their sum alone, so that dL/dx.q and dL/du.q are one array
    bias_on_x whether b belongs to x.q (a cell that lists "b" among its vectors places it itself)
    """

    def __init__(self, cell: Cell) -> None:
        step, adjoint = trace(cell), derive(cell)
        self.step, self.adjoint = Replay(step.forward.outputs), Replay(adjoint.outputs)
        self.operands = Replay(cut_at_kept(step, step.operands))
        self.arguments = Replay(cut_at_kept(step, step.arguments))
        self.kept = tuple(step.kept)
        self.absent: Values = {n: v for n, v in vars(adjoint_names(step.graph, step)).items() if v is None}
        self.met = tuple(q for q in step.products if f"u.{q}" in self.step.leaves)
        self.one_sum = all(adjoint.outputs[f"x.{q}"] is adjoint.outputs[f"u.{q}"] for q in cell.gates)
        self.bias_on_x = "b" not in cell.gate_vectors


plan_of = lru_cache(maxsize=256)(Plan)


def limited(d: Array, clip: float | None) -> Array:
    """d within [-clip, clip]; NaN stays."""
    if clip is None:
        return d
    limit = d.dtype.type(min(clip, float(np.finfo(d.dtype).max)))
    return np.minimum(np.maximum(d, -limit), limit)


class Products(Arrays):
    """The functions of a step, with the inner products of one sequence: (m * v) U_q, and its adjoint m * (d U_q^T).

    clip  limits d on its way
    """

    def __init__(self, cell: Cell, U: Array, drop: Array | None, clip: float | None = None) -> None:
        H = U.shape[1] // len(cell.gates)
        self._columns = {q: U[:, k * H : (k + 1) * H] for k, q in enumerate(cell.gates)}
        self._drop, self._clip = drop, clip

    def matmul(self, a: Array, gate: str) -> Array:
        return (a if self._drop is None else a * self._drop) @ self._columns[gate]

    def matmul_t(self, a: Array, gate: str) -> Array:
        v: Array = limited(a, self._clip) @ self._columns[gate].T
        return v if self._drop is None else v * self._drop


def places_met(cell: Cell, plan: Plan) -> Any:
    """The places among all gates of those that meet h_{t-1}: a slice where they stand side by side, as a list goes up
    to a device whenever something is chosen by it."""
    which = [cell.gates.index(q) for q in plan.met]
    in_a_row = which == list(range(which[0], which[0] + len(which))) if which else False
    return slice(which[0], which[-1] + 1) if in_a_row else which


def recurrent_columns(cell: Cell, plan: Plan, weights: dict[str, Array]) -> tuple[Array, Array | None]:
    """The columns of U, and of b_h, of the gates that meet h_{t-1}, side by side."""
    U, bh = weights["U"], weights.get("b_h")
    G = len(cell.gates)
    if len(plan.met) < G:
        which = places_met(cell, plan)
        U = U.reshape(len(U), G, -1)[:, which].copy().reshape(len(U), -1)
        bh = None if bh is None else bh.reshape(G, -1)[which].reshape(-1)
    return U, bh


def vector_leaves(cell: Cell, weights: dict[str, Array]) -> Values:
    """The cell's own vectors by leaf name; a bias that is not used is 0."""
    H = weights["U"].shape[1] // len(cell.gates)
    leaves: Values = {f"p.{k}": weights[k] for k in cell.unit_vectors}
    for name in cell.gate_vectors:
        whole = weights[name] if name in weights else np.zeros_like(weights["U"], shape=(len(cell.gates) * H,))
        leaves |= {f"p.{name}.{q}": whole[k * H : (k + 1) * H] for k, q in enumerate(cell.gates)}
    return leaves


def adjoint_on_arrays(
    cell: Any, plan: Plan, F: Arrays, p: Values
) -> Callable[[Values, Values, Values, Values], Values]:
    """(kept, old, new, d) -> gradients by name: the adjoint by hand where the cell has one, else the derived one."""

    def leaves_of(kept: Values, old: Values, new: Values) -> Values:
        leaves = dict(p)
        for prefix, values in (("k", kept), ("s", old), ("n", new)):
            leaves.update((f"{prefix}.{name}", v) for name, v in values.items())
        return leaves

    def derived(kept: Values, old: Values, new: Values, d: Values) -> Values:
        return plan.adjoint(F, leaves_of(kept, old, new) | {f"d.{name}": v for name, v in d.items()})

    if not cell.has_adjoint:
        return derived

    own = vectors(cell, p.__getitem__)

    def by_hand(kept: Values, old: Values, new: Values, d: Values) -> Values:
        known = plan.absent | kept
        if plan.arguments.leaves:
            known |= plan.arguments(F, leaves_of(kept, old, new))
        names = (SimpleNamespace(**values) for values in (known, old, new, d))
        return flatten(cell, cell.adjoint(F, *names, own))

    return by_hand
