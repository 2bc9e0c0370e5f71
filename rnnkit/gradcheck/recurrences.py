"""A recurrence as a function of named arrays: weights, input, initial states and every pre-activation."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnkit_kernels import activations
from rnnkit_kernels.backends import Backend, Kernel
from rnnkit_kernels.contract import Cell
from rnnkit_kernels.types import Array

from ..context import Context
from ..placing import here, there
from .compare import Element, Index, Report, Settings, compare

__all__ = ["check_cell", "draw_weights", "smooth", "weight_element"]


def check_cell(
    target: Cell | Kernel,
    settings: Settings,
    *,
    steps: int = 4,
    rows: int = 3,
    features: int = 2,
    units: int = 3,
    masked: bool = True,
    dropped: bool = True,
    zoned: bool | float = False,
    restarted: bool = False,
    projection: int | None = None,
) -> Report:
    """A recurrence of the cell. Every pre-activation is an argument too: an error is found at its gate and step.

    zoned       whether some units keep their old state, drawn at every step; a number z keeps that share of all of them
    restarted   whether rows begin anew on the way; the state from which they do is an argument
    projection  how wide h is, where that is not `units`
    (The input carries them in: x has G*H further features, which meet an identity in W.) A limit on the way back,
    `clip`, is no option: what comes back under one is not the derivative.
    """
    kernels = Context(settings.backend).kernels
    kernel = target if isinstance(target, Kernel) else kernels.kernel(target)
    if kernel is target:
        kernels = Backend(kernel.origin, "this kernel's", getattr(kernel, "place", None))
    cell, rng = kernel.cell, np.random.default_rng(settings.seed)
    columns = len(cell.gates) * units
    weights, sizes = draw_weights(cell, features, units, rng, projection), cell.state_sizes(units, projection)
    state0 = {k: rng.standard_normal((rows, size)) for k, size in sizes.items()}
    mask = rng.random((steps, rows)) < 0.7 if masked else None
    drop = (rng.random((rows, sizes["h"])) < 0.7) / 0.7 if dropped else None
    dh = rng.standard_normal((steps, rows, sizes["h"]))
    dlast = {k: rng.standard_normal((rows, size)) for k, size in sizes.items()}
    zone: dict[str, Any] = {}
    if zoned is not False:
        zone = {k: rng.random((steps, rows, n)) < 0.4 if zoned is True else zoned for k, n in sizes.items()}
    reset = rng.random((steps, rows)) < 0.4 if restarted else None
    fresh = {k: rng.standard_normal((rows, size)) for k, size in sizes.items()} if restarted else {}
    point = dict(weights) | {f"state0 {k}": v for k, v in state0.items()} | {f"fresh {k}": v for k, v in fresh.items()}
    point |= {"x": rng.standard_normal((steps, rows, features)), "pre-activation": np.zeros((steps, rows, columns))}

    def run(at: dict[str, Array]) -> Any:
        W = np.concatenate([at["W"], np.eye(columns)])
        x = np.concatenate([at["x"], at["pre-activation"]], axis=2)
        given = {k: at[k] for k in weights} | {"W": W}, x, {k: at[f"state0 {k}"] for k in cell.state}
        beside: dict[str, Any] = {"mask": mask, "drop": drop, "zone": zone, "reset": reset}
        beside |= {"fresh": {k: at[f"fresh {k}"] for k in fresh}}
        with np.errstate(over="ignore"):
            if x.dtype.kind == "c":  # the textbook's, in main memory
                return kernel.forward(*given, **beside)
            return kernel.forward(*there(kernels, given), **there(kernels, beside))

    def value(at: dict[str, Array]) -> Any:
        h, last = here(run(at)[:2])
        return (h * dh).sum() + sum((last[k] * dlast[k]).sum() for k in cell.state)

    with np.errstate(over="ignore"):
        grads = kernel.backward(run(point)[2], there(kernels, dh), there(kernels, dlast))
    dx, dweights, dstate0, dfresh = here((grads.x, grads.weights, grads.state0, grads.fresh))
    gradient = dweights | {f"state0 {k}": v for k, v in dstate0.items()} | {f"fresh {k}": v for k, v in dfresh.items()}
    gradient |= {
        "W": dweights["W"][:features],
        "x": dx[:, :, :features],
        "pre-activation": dx[:, :, features:],
    }

    def suspect(wrong: tuple[Element, ...]) -> str | None:
        """The last step with an error: later ones are right, so that is where it was made, and not handed down."""
        late = [e for e in wrong if e.array == "pre-activation"]
        if not late:
            return None
        step = max(e.index[0] for e in late)
        gates = sorted({cell.gates[e.index[2] // units] for e in late if e.index[0] == step})
        return f"gate {' and '.join(gates)}, step {step} (the last step that is wrong)"

    def where(name: str, index: Index) -> str:
        if name == "pre-activation":
            gate, unit = divmod(index[2], units)
            return f"pre-activation of gate {cell.gates[gate]}, step {index[0]}, row {index[1]}, unit {unit}"
        if name == "x":
            return f"x at step {index[0]}, row {index[1]}, feature {index[2]}"
        return (
            weight_element(cell, name, index, units) if name in weights else f"{name}, row {index[0]}, unit {index[1]}"
        )

    return compare(
        f"{cell.name} ({kernel.origin})", value, point, gradient, where,
        settings, settings.method_for(smooth(cell)), suspect=suspect,
    )  # fmt: skip


def draw_weights(
    cell: Cell, features: int, units: int, rng: np.random.Generator, projection: int | None = None
) -> dict[str, Array]:
    """Random weights of every kind that the cell has, float64, of a size that keeps gates away from their ends."""
    shapes = cell.weight_shapes(features, units, projection=projection)
    return {name: 0.6 * rng.standard_normal(shape) + cell.initial.get(name, 0) for name, shape in shapes.items()}


def weight_element(cell: Cell, name: str, index: Index, units: int) -> str:
    """An element of a weight in words: 'U[unit 1, gate f, unit 2]'."""
    if name == "P":
        return f"P[unit {index[0]}, unit {index[1]} of h]"
    if name not in ("W", "U", "b", "b_h", *cell.gate_vectors):  # a vector over units, or where a state begins
        return f"{name}[unit {index[0]}]"
    gate, unit = divmod(index[-1], units)
    row = {"W": "feature", "U": "unit"}.get(name)
    first = "" if row is None else f"{row} {index[0]}, "
    return f"{name}[{first}gate {cell.gates[gate]}, unit {unit}]"


def smooth(thing: Any) -> bool:
    chosen = [getattr(thing, f) for f in ("activation", "recurrent_activation") if hasattr(thing, f)]
    return all(a is None or (isinstance(a, str) and a not in activations.KINKED) for a in chosen)
