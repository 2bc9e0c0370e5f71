"""The time loop and its adjoint, once for all cells, on NumPy arrays (and on any that dispatch like them).

Forward, for t = 0 .. T-1:      u_t = (m * h_{t-1}) U + b_h        state_t, kept_t = step(x_t W + b, u_t, state_{t-1})
Backward, for t = T-1 .. 0:     dx_t, du_t, dstate_{t-1} = adjoint(kept_t, state_{t-1}, state_t, dstate_t)
                                dh_{t-1} += m * (du_t U^T)

The products with W stand outside the loop, and so do all gradients of weights: each is one product over all steps.
A masked row holds its state by selection, and passes its gradient by selection: 0 * NaN is NaN, a choice is not.
What may be asked for between two steps (beginning anew, projection, zoneout) stands in `between`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checks import check_call
from ..contract import Cell, Gradients, Tape
from ..types import Array
from .between import begin, begin_back, carry, carry_back, projected, room
from .parts import operands, recurrent_bias
from .plan import Plan, Products, adjoint_on_arrays, limited, places_met, plan_of, recurrent_columns, vector_leaves

__all__ = ["backward", "forward"]


@np.errstate(over="ignore")  # sigmoid's exp may reach infinity on its way to 0
def forward(
    cell: Cell,
    weights: dict[str, Array],
    x: Array,
    state0: dict[str, Array],
    *,
    mask: Array | None = None,
    drop: Array | None = None,
    zone: dict[str, Any] | None = None,
    reset: Array | None = None,
    fresh: dict[str, Array] | None = None,
) -> tuple[Array, dict[str, Array], Tape]:
    """Runs the cell over all steps; see `contract` for shapes. Returns h (T, B, H), the last state, and the tape.

    Arrays are float32 or float64, all alike (or complex128, for a complex step). Raises ValueError where shapes do not
    belong together.
    """
    check_call(cell, weights, x, state0, mask, drop, zone, reset, fresh)
    plan = plan_of(cell)
    T, B, features = x.shape
    G = len(cell.gates)
    H = weights["U"].shape[1] // G
    if mask is not None:  # what stands in padding, NaN too, never enters
        x = np.where(mask[:, :, None], x, 0).astype(x.dtype, copy=False)
    x_pre = x.reshape(T * B, features) @ weights["W"]
    if plan.bias_on_x and "b" in weights:
        x_pre += weights["b"]
    x_pre = x_pre.reshape(T, B, G, H)
    states = {name: np.empty_like(x_pre, shape=(T + 1, *state0[name].shape)) for name in cell.state}
    for name in cell.state:
        states[name][0] = state0[name]
    kept: dict[str, Array] = {}
    zone = zone or {}
    tape = Tape(cell, weights, x, mask, drop, states, kept, zone, reset, *room(weights, states, zone, reset))
    F, leaves = Products(cell, weights["U"], drop), vector_leaves(cell, weights)
    U, bh = recurrent_columns(cell, plan, weights)
    for t in range(T):
        old = begin(tape, t, fresh)
        for k, q in enumerate(cell.gates):
            leaves[f"x.{q}"] = x_pre[t, :, k]
        if plan.met:
            h = old["h"]
            u = (h if drop is None else h * drop) @ U
            if bh is not None:
                u += bh
            u = u.reshape(B, len(plan.met), H)
            for k, q in enumerate(plan.met):
                leaves[f"u.{q}"] = u[:, k]
        for name in cell.state:
            leaves[f"s.{name}"] = old[name]
        out = plan.step(F, leaves)
        new = carry(tape, t, old, {name: out[f"n.{name}"] for name in cell.state})
        for name in cell.state:
            states[name][t + 1] = new[name] if mask is None else np.where(mask[t][:, None], new[name], old[name])
        for name in plan.kept:
            value = out[f"k.{name}"]
            if name not in kept:
                # an activation may have folded to a number
                kept[name] = np.empty_like(x_pre, shape=(T, *getattr(value, "shape", (B, 1))))
            kept[name][t] = value
    return states["h"][1:], {name: states[name][T] for name in cell.state}, tape


@np.errstate(over="ignore")
def backward(
    tape: Tape,
    dh: Array,
    dstate: dict[str, Array] | None = None,
    *,
    clip: float | None = None,
    dx: bool = True,
) -> Gradients:
    """Backpropagation through time.

    dh      (T, B, H), dL/dh_t for what the recurrence emitted
    dstate  by name, (B, H), dL/d(last state) beside what dh says; zeros where it is not given
    clip    limits dL/d(pre-activation) at every step before it goes on
    dx      False: nobody asks for dL/dx, and None stands for it
    returns every gradient there is, see `Gradients`
    raises  ValueError where shapes do not belong together
    """
    cell, weights, x, mask, drop = tape.cell, tape.weights, tape.x, tape.mask, tape.drop
    plan = plan_of(cell)
    (T, B, _), H, G = x.shape, tape.units, len(cell.gates)
    states = _cotangents(tape, dh, dstate)
    like = tape.states["h"]
    x_grad = np.empty_like(like, shape=(T, B, G, H))
    u_grad = x_grad if plan.one_sum else np.empty_like(x_grad)
    vectors = {name: np.zeros_like(like, shape=(T, G, H)) for name in cell.gate_vectors if name in weights}
    vectors |= {name: np.zeros_like(like, shape=(T, 1, H)) for name in cell.unit_vectors}
    p = vector_leaves(cell, weights)
    adjoint = adjoint_on_arrays(cell, plan, Products(cell, weights["U"], drop, clip), p)
    UT = recurrent_columns(cell, plan, weights)[0].T
    met, everything = places_met(cell, plan), len(plan.met) == G
    fresh = {} if tape.reset is None else {name: np.zeros_like(v[0]) for name, v in states.items()}
    steps = tape.kept, tape.old, tape.new, {name: v[1:] for name, v in states.items()}
    for t in reversed(range(T)):
        states["h"][t + 1] += dh[t]
        kept, old, new, d = ({name: v[t] for name, v in part.items()} for part in steps)
        d_new, d_old = carry_back(tape, t, d)
        grads = adjoint(kept, old, new, d_new)
        live = None if mask is None else mask[t][:, None]
        for k, q in enumerate(cell.gates):
            x_grad[t, :, k] = _select(live, grads[f"x.{q}"])
            if not plan.one_sum:
                u_grad[t, :, k] = _select(live, grads[f"u.{q}"])
        if clip is not None:
            x_grad[t], u_grad[t] = limited(x_grad[t], clip), limited(u_grad[t], clip)
        for name in cell.state:
            owed = grads[f"s.{name}"]
            if name == "h" and plan.met:
                through_u = (u_grad[t] if everything else u_grad[t][:, met]).reshape(B, -1) @ UT
                owed = owed + (through_u if drop is None else through_u * drop)
            if name in d_old:
                owed = owed + d_old[name]
            d_old[name] = owed if live is None else np.where(live, owed, d[name])
        for name, owed in begin_back(tape, t, d_old, fresh).items():
            states[name][t] = owed
        for name, share in vectors.items():
            for k, q in enumerate(cell.gates if name in cell.gate_vectors else ("",)):
                owed = _select(live, grads[f"p.{name}.{q}" if q else f"p.{name}"])
                share[t, k] = owed.sum(axis=0) if hasattr(owed, "sum") else owed  # a number: a vector that is not used
    dW, dU = _weight_products(tape, plan, x_grad, u_grad)
    x_grad, u_grad = x_grad.reshape(T, B, G * H), u_grad.reshape(T, B, G * H)
    gradients = {"W": dW, "U": dU, "b": x_grad.sum(axis=(0, 1))}
    if "b_h" in weights:
        gradients["b_h"] = recurrent_bias(tape, u_grad).sum(axis=0)
    gradients |= {name: share.sum(axis=0).reshape(-1) for name, share in vectors.items()}
    if "P" in weights:
        made, d_projected = projected(tape, states)
        gradients["P"] = made.reshape(T * B, H).T @ d_projected.reshape(T * B, -1)
    return Gradients(
        weights={name: gradients[name] for name in weights},
        x=(x_grad.reshape(T * B, G * H) @ weights["W"].T).reshape(x.shape) if dx else None,
        state0={name: v[0] for name, v in states.items()},
        states=states,
        x_pre=x_grad,
        u_pre=u_grad,
        vectors={name: share.reshape(T, -1) for name, share in vectors.items()},
        fresh=fresh,
    )


def _weight_products(tape: Tape, plan: Plan, x_grad: Array, u_grad: Array) -> tuple[Array, Array]:
    """dW = sum_t x_t^T dx_t and dU = sum_t operand_t^T du_t, each as one product over all steps and rows."""
    T, B, G, H = x_grad.shape
    dW = tape.x.reshape(T * B, -1).T @ x_grad.reshape(T * B, G * H)
    met = operands(tape)
    if len({id(v) for v in met.values()}) == 1:
        return dW, met[tape.cell.gates[0]].reshape(T * B, -1).T @ u_grad.reshape(T * B, G * H)
    blocks = [met[q].reshape(T * B, H).T @ u_grad[:, :, k].reshape(T * B, H) for k, q in enumerate(tape.cell.gates)]
    return dW, np.concatenate(blocks, axis=1)


def _cotangents(tape: Tape, dh: Array, dstate: dict[str, Array] | None) -> dict[str, Array]:
    """Room for dL/dstate_t, (T+1, B, H) by name, with what is owed to the last state already in it."""
    cell, emitted = tape.cell, tape.states["h"][1:]
    if dh.shape != emitted.shape:
        raise ValueError(f"{cell.name}: dh is (T, B, H) = {emitted.shape}, as h; got {dh.shape}")
    states = {name: np.zeros_like(v) for name, v in tape.states.items()}
    for name, last in (dstate or {}).items():
        if name not in states or last.shape != states[name].shape[1:]:
            shapes = ", ".join(f"{k} {v.shape[1:]}" for k, v in states.items())
            raise ValueError(f"{cell.name}: dstate is a dict of {shapes}; got {name!r} {last.shape}")
        states[name][-1] = last
    return states


def _select(live: Array | None, value: Any) -> Any:
    return value if live is None else np.where(live, value, 0)
