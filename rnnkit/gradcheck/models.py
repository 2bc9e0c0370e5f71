"""A model with its loss, as a function of all its parameters and its input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rnnkit_kernels.types import Array

from .. import losses
from ..batches import Batch, checked
from ..context import Context
from ..layers.recurrent import Recurrent, State
from ..model import Sequential
from ..truncation import pieces, run_on
from .compare import Index, Report, Settings, compare
from .recurrences import weight_element
from .targets import clipped

__all__ = ["check_model"]

Point = dict[str, Array]
Back = Callable[[], tuple[Any, Array]]
Part = tuple[Batch, slice, dict[int, State] | None]  # what is read, where it stands in x, the states it begins with


def check_model(
    model: Sequential,
    settings: Settings,
    x: Any,
    y: Any,
    loss: Any = None,
    *,
    mask: Any = None,
    lengths: Any = None,
    reset: Any = None,
    sample_weight: Any = None,
    tbptt: int | None = None,
) -> Report:
    """A model with its loss (the compiled one where none is named) and its penalties.

    With `tbptt` the gradient is that of the pieces, each against its own loss from a state that stands still: what
    `fit(tbptt=)` follows, summed over the pieces.
    """
    if model.dtype != np.float64:
        raise ValueError(
            "gradcheck needs float64 and the model is float32: in float32 a difference keeps three digits, too few "
            "to tell a right gradient from a wrong one; build it with Sequential(..., dtype='float64')"
        )
    measure = losses.get(loss if loss is not None else (model.loss or "mse"))
    data = checked(model.form, x, y, mask=mask, lengths=lengths, reset=reset, sample_weight=sample_weight)
    model.accept(data.x.shape)
    names = {
        f"layer {k} {type(layer).__name__}, {w}": (k, w)
        for k, layer in enumerate(model.layers)
        for w in model.params[k]
    }
    params = model.params
    parts: list[Part] = [(data, slice(None), None)] if tbptt is None else _parts(model, data, tbptt, settings.backend)
    fixed = {"x": data.x} if data.x.dtype.kind == "i" else {}
    point = {name: params[k][w] for name, (k, w) in names.items()} | ({} if fixed else {"x": data.x})

    def run(at: Point) -> tuple[Any, Back]:
        fresh: list[Point] = [{} for _ in model.layers]
        for name, (k, w) in names.items():
            fresh[k][w] = at[name]
        states, model.states, model.params = model.states, dict(model.states), fresh
        try:
            penalty, slopes = model.penalty()
            return _total(model, parts, (at | fixed)["x"], measure, penalty, slopes, settings.backend)
        finally:
            model.params, model.states = params, states

    def where(name: str, index: Index) -> str:
        if name == "x":
            return f"x{list(index)}"
        k, w = names[name]
        layer = model.layers[k]
        if isinstance(layer, Recurrent):
            element = weight_element(layer.make_cell(), w, index, layer.units)
            return f"layer {k} {type(layer).__name__}, {element}"
        return f"{name}{list(index)}"

    dparams, dx = run(point)[1]()
    gradient = {name: dparams[k][w] for name, (k, w) in names.items()} | ({} if fixed else {"x": dx})
    return compare(
        f"Sequential of {len(model.layers)} layers", lambda at: run(at)[0], point, gradient, where,
        settings, settings.method_for_a_loss("a model"), suspect=lambda wrong: clipped(model.layers) if wrong else None,
    )  # fmt: skip


def _parts(model: Sequential, data: Batch, length: int, backend: str) -> list[Part]:
    """The pieces, each with the states from which it begins at the parameters as they are."""
    parts: list[Part] = []
    carried, start = dict(model.states), 0
    for piece in pieces(model, data, length):
        steps = slice(start, start + piece.x.shape[1])
        parts.append((piece, steps, dict(carried)))
        run_on(model, piece.x, Context(backend, piece.mask, reset=piece.reset), carried)
        start = steps.stop
    return parts


def _total(
    model: Sequential,
    parts: list[Part],
    x: Array,
    measure: Any,
    penalty: float,
    slopes: list[Point],
    backend: str,
) -> tuple[Any, Back]:
    """The loss of all parts, each from the states that it is given, and the way back."""
    total, backs = penalty, []
    for part, steps, states in parts:
        if part.y is None:
            continue
        ctx = Context(backend, part.mask, reset=part.reset)
        y, left, pullback = model.run(x[:, steps], ctx, None if states is None else dict(states))
        value, dy = measure(y, part.y, sample_weight=part.sample_weight, mask=left)
        total = total + value
        backs.append((steps, pullback, dy))

    def back() -> tuple[Any, Array]:
        dparams = [{w: np.zeros_like(a) for w, a in p.items()} for p in model.params]
        dparams = [d | {w: d[w] + slope for w, slope in s.items()} for d, s in zip(dparams, slopes, strict=True)]
        dx = np.zeros(x.shape)
        for steps, pullback, dy in backs:
            grads, dx[:, steps] = pullback(dy)
            dparams = [{w: d[w] + g[w] for w in d} for d, g in zip(dparams, grads, strict=True)]
        return dparams, dx

    return total, back
