"""What each kind of target is as a function of named arrays, and what its elements are called."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnkit_kernels import activations
from rnnkit_kernels.backends import Kernel, backend
from rnnkit_kernels.contract import Cell
from rnnkit_kernels.types import Array

from .. import losses
from ..context import Context
from ..layers.base import Layer
from ..layers.recurrent import Recurrent
from ..model import Sequential
from .compare import Element, Index, Report, compare

__all__ = ["check_cell", "check_layer", "check_loss", "check_model", "draw_weights"]


def check_cell(
    target: Cell | Kernel,
    *,
    steps: int = 4,
    rows: int = 3,
    features: int = 2,
    units: int = 3,
    masked: bool = True,
    dropped: bool = True,
    method: str = "auto",
    tolerance: float | None = None,
    elements: int = 2000,
    seed: int = 0,
) -> Report:
    """A recurrence of the cell. Every pre-activation is an argument too: an error is found at its gate and step.

    (The input carries them in: x has G*H further features, which meet an identity in W.)
    """
    kernel = target if isinstance(target, Kernel) else backend("numpy").kernel(target)
    cell, rng = kernel.cell, np.random.default_rng(seed)
    columns = len(cell.gates) * units
    weights = draw_weights(cell, features, units, rng)
    state0 = {k: rng.standard_normal((rows, units)) for k in cell.state}
    mask = rng.random((steps, rows)) < 0.7 if masked else None
    drop = (rng.random((rows, units)) < 0.7) / 0.7 if dropped else None
    dh = rng.standard_normal((steps, rows, units))
    dlast = {k: rng.standard_normal((rows, units)) for k in cell.state}
    point = dict(weights) | {f"state0 {k}": v for k, v in state0.items()}
    point |= {"x": rng.standard_normal((steps, rows, features)), "pre-activation": np.zeros((steps, rows, columns))}

    def run(at: dict[str, Array]) -> Any:
        W = np.concatenate([at["W"], np.eye(columns)])
        x = np.concatenate([at["x"], at["pre-activation"]], axis=2)
        with np.errstate(over="ignore"):
            return kernel.forward(
                {k: at[k] for k in weights} | {"W": W},
                x,
                {k: at[f"state0 {k}"] for k in cell.state},
                mask=mask,
                drop=drop,
            )

    def value(at: dict[str, Array]) -> Any:
        h, last, _ = run(at)
        return (h * dh).sum() + sum((last[k] * dlast[k]).sum() for k in cell.state)

    with np.errstate(over="ignore"):
        grads = kernel.backward(run(point)[2], dh, dlast)
    gradient = grads.weights | {f"state0 {k}": v for k, v in grads.state0.items()}
    gradient |= {
        "W": grads.weights["W"][:features],
        "x": grads.x[:, :, :features],
        "pre-activation": grads.x[:, :, features:],
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
        method=_method(method, _smooth(cell)), tolerance=tolerance, elements=elements, seed=seed, suspect=suspect,
    )  # fmt: skip


def check_layer(
    layer: Layer,
    x: Any = None,
    *,
    shape: tuple[int, ...] = (3, 4, 2),
    mask: Any = None,
    method: str = "auto",
    tolerance: float | None = None,
    elements: int = 2000,
    seed: int = 0,
    dropout: bool = False,
) -> Report:
    """A layer as a function of its parameters and its input. With `dropout`, every call drops the same."""
    rng = np.random.default_rng(seed)
    data = rng.standard_normal(shape) if x is None else np.asarray(x)
    params = {k: v + 0.3 * rng.standard_normal(v.shape) for k, v in layer.init(rng, data.shape, "float64")[0].items()}

    def run(at: dict[str, Array]) -> Any:
        ctx = Context("numpy", mask, np.random.default_rng(seed) if dropout else None)
        return layer({k: at[k] for k in params}, at["x"], ctx)

    y, pullback = run(params | {"x": data})
    outputs = y if isinstance(y, tuple) else (y,)
    dy = tuple(rng.standard_normal(a.shape) for a in outputs)

    def value(at: dict[str, Array]) -> Any:
        y = run(at)[0]
        return sum((a * d).sum() for a, d in zip(y if isinstance(y, tuple) else (y,), dy, strict=True))

    dparams, dx = pullback(dy if isinstance(y, tuple) else dy[0])
    cell = layer.make_cell() if isinstance(layer, Recurrent) else None

    def where(name: str, index: Index) -> str:
        if cell is not None and name in params:
            return weight_element(cell, name, index, params["U"].shape[0])
        return f"{name}{list(index)}"

    smooth = _smooth(cell if cell is not None else layer)
    return compare(
        repr(layer), value, params | {"x": data}, dparams | {"x": dx}, where,
        method=_method(method, smooth), tolerance=tolerance, elements=elements, seed=seed,
    )  # fmt: skip


def check_model(
    model: Sequential,
    x: Any,
    y: Any,
    loss: Any = None,
    *,
    mask: Any = None,
    sample_weight: Any = None,
    method: str = "difference",
    tolerance: float | None = None,
    elements: int = 2000,
    seed: int = 0,
) -> Report:
    """A model with its loss (the compiled one where none is named), as a function of all parameters and x."""
    if model.dtype != np.float64:
        raise ValueError(
            "gradcheck needs float64 and the model is float32: in float32 a difference keeps three digits, too few "
            "to tell a right gradient from a wrong one; build it with Sequential(..., dtype='float64')"
        )
    _only_differences("a model", method)
    measure = losses.get(loss if loss is not None else (model.loss or "mse"))
    data, flags = model.prepare(x, mask)
    names = {
        f"layer {k} {type(layer).__name__}, {w}": (k, w)
        for k, layer in enumerate(model.layers)
        for w in model.params[k]
    }
    params, states = model.params, dict(model.states)

    def run(at: dict[str, Array]) -> tuple[Any, Any, Any]:
        fresh: list[dict[str, Array]] = [{} for _ in model.layers]
        for name, (k, w) in names.items():
            fresh[k][w] = at[name]
        try:
            model.params, model.states = fresh, dict(states)
            out, left, pullback = model.run(at["x"], Context(model.backend, flags))
        finally:
            model.params, model.states = params, states
        value, dy = measure(out, y, sample_weight=sample_weight, mask=left if out.ndim > 2 else None)
        return value, dy, pullback

    point = {name: params[k][w] for name, (k, w) in names.items()} | {"x": data}
    _, dy, pullback = run(point)
    dparams, dx = pullback(dy)

    def where(name: str, index: Index) -> str:
        if name == "x":
            return f"x{list(index)}"
        k, w = names[name]
        layer = model.layers[k]
        if isinstance(layer, Recurrent):
            element = weight_element(layer.make_cell(), w, index, params[k]["U"].shape[0])
            return f"layer {k} {type(layer).__name__}, {element}"
        return f"{name}{list(index)}"

    gradient = {name: dparams[k][w] for name, (k, w) in names.items()} | {"x": dx}
    return compare(
        f"Sequential of {len(model.layers)} layers", lambda at: run(at)[0], point, gradient, where,
        method="difference", tolerance=tolerance, elements=elements, seed=seed,
    )  # fmt: skip


def check_loss(
    loss: Any,
    y: Any = None,
    target: Any = None,
    *,
    mask: Any = None,
    sample_weight: Any = None,
    method: str = "difference",
    tolerance: float | None = None,
    elements: int = 2000,
    seed: int = 0,
) -> Report:
    """A loss as a function of its first argument."""
    _only_differences("a loss", method)
    rng = np.random.default_rng(seed)
    out = rng.standard_normal((4, 3)) if y is None else np.asarray(y)
    wanted = rng.standard_normal(out.shape) if target is None else target

    def value(at: dict[str, Array]) -> Any:
        return loss(at["y"], wanted, sample_weight=sample_weight, mask=mask)[0]

    dy = loss(out, wanted, sample_weight=sample_weight, mask=mask)[1]
    return compare(
        repr(loss), value, {"y": out}, {"y": dy}, lambda name, index: f"y{list(index)}",
        method="difference", tolerance=tolerance, elements=elements, seed=seed,
    )  # fmt: skip


def draw_weights(cell: Cell, features: int, units: int, rng: np.random.Generator) -> dict[str, Array]:
    """Random weights of every kind that the cell has, float64, of a size that keeps gates away from their ends."""
    columns = len(cell.gates) * units
    shapes: dict[str, tuple[int, ...]] = {"W": (features, columns), "U": (units, columns), "b": (columns,)}
    if cell.recurrent_bias:
        shapes["b_h"] = (columns,)
    shapes |= dict.fromkeys(cell.gate_vectors, (columns,)) | dict.fromkeys(cell.unit_vectors, (units,))
    return {name: 0.6 * rng.standard_normal(shape) + cell.initial.get(name, 0) for name, shape in shapes.items()}


def weight_element(cell: Cell, name: str, index: Index, units: int) -> str:
    """An element of a weight in words: 'U[unit 1, gate f, unit 2]'."""
    if name in cell.unit_vectors:
        return f"{name}[unit {index[0]}]"
    gate, unit = divmod(index[-1], units)
    row = {"W": "feature", "U": "unit"}.get(name)
    first = "" if row is None else f"{row} {index[0]}, "
    return f"{name}[{first}gate {cell.gates[gate]}, unit {unit}]"


def _smooth(thing: Any) -> bool:
    chosen = [getattr(thing, f) for f in ("activation", "recurrent_activation") if hasattr(thing, f)]
    return all(a is None or (isinstance(a, str) and a not in activations.KINKED) for a in chosen)


def _only_differences(kind: str, method: str) -> None:
    _method(method, smooth=True)
    if method == "complex":
        raise ValueError(f"{kind} is checked by differences: a loss takes real numbers, the complex step is for cells")


def _method(method: str, smooth: bool) -> str:
    if method not in ("auto", "complex", "difference"):
        raise ValueError(f"method is 'auto', 'difference' or 'complex'; got {method!r}")
    if method == "complex" and not smooth:
        raise ValueError("the complex step needs a function without kinks; use method='difference'")
    return ("complex" if smooth else "difference") if method == "auto" else method
