"""What each step adds to the gradient of a weight: the terms of the sums over time."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..contract import Gradients, Tape
from ..types import Array
from .between import projected
from .functions import Arrays
from .plan import plan_of, vector_leaves

__all__ = ["operands", "recurrent_bias", "steps_of"]


def operands(tape: Tape) -> dict[str, Array]:
    """What met each gate's columns of U, at every step: m * h_{t-1}, or m * v_t where the gate has an inner product.

    By gate, (T, B, H): the part of step t in dU_q is operand_t^T u_pre_t,q.
    """
    cell, plan, drop = tape.cell, plan_of(tape.cell), tape.drop
    before = tape.old
    met = dict.fromkeys(cell.gates, before["h"])
    if plan.operands.leaves:
        leaves: dict[str, Any] = {f"s.{k}": v for k, v in before.items()}
        leaves |= {f"n.{k}": v for k, v in tape.new.items()} | {f"k.{k}": v for k, v in tape.kept.items()}
        met |= plan.operands(Arrays(), leaves | vector_leaves(cell, tape.weights))
    if drop is None:
        return met
    masked = {id(v): v * drop for v in {id(v): v for v in met.values()}.values()}
    return {q: masked[id(v)] for q, v in met.items()}


def recurrent_bias(tape: Tape, u_pre: Array) -> Array:
    """The part of each step in db_h, (T, G*H), from dL/du_pre (T, B, G*H); an inner product has no bias."""
    parts = u_pre.sum(axis=1)
    H = tape.units
    for k, q in enumerate(tape.cell.gates):
        if q not in plan_of(tape.cell).met:
            parts[:, k * H : (k + 1) * H] = 0
    return parts


def steps_of(weight: str, tape: Tape, grads: Gradients) -> Array:
    """The part of each step in dL/d(weight), (T, *weight.shape); the sum over steps is the gradient."""
    if weight == "W":
        return tape.x.swapaxes(1, 2) @ grads.x_pre
    if weight == "U":
        T, B, _ = grads.u_pre.shape
        met, parts = operands(tape), grads.u_pre.reshape(T, B, -1, tape.units)
        return np.concatenate([met[q].swapaxes(1, 2) @ parts[:, :, k] for k, q in enumerate(tape.cell.gates)], axis=2)
    if weight == "b_h":
        return recurrent_bias(tape, grads.u_pre)
    if weight == "P":
        made, d = projected(tape, grads.states)
        return made.swapaxes(1, 2) @ d
    return grads.vectors[weight] if weight in grads.vectors else grads.x_pre.sum(axis=1)
