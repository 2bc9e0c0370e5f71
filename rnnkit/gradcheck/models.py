"""A model with its loss, as a function of all its parameters and its input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from rnnkit_kernels.types import Array

from .. import losses
from ..batches import Batch, checked
from ..context import Context
from ..layers.recurrent import Recurrent, State
from ..model import Sequential
from ..placing import batch_there, here, there
from ..truncation import pieces, run_on
from .compare import Element, Index, Report, Settings, compare
from .recurrences import weight_element
from .targets import clipped

__all__ = ["Part", "Point", "check_model", "check_parts", "refuse_float32"]

Point = dict[str, Array]
Back = Callable[[], tuple[Any, Array]]
Part = tuple[Batch, slice, dict[int, State] | None]  # what is read, where it stands in x, the states it begins with


class Inner(Protocol):
    """Arrays inside a model that are arguments of the check too: zeros, added to what is met on the way.

    point     the zeros by name;  put: takes those to be added from now on;  met: their gradient in the last way back
    suspect   for what is wrong, where to look first, in words
    """

    point: Point
    met: Point

    def put(self, at: Point) -> None: ...

    def suspect(self, wrong: tuple[Element, ...]) -> str | None: ...


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
    refuse_float32(model)
    measure = losses.get(loss if loss is not None else (model.loss or "mse"))
    data = checked(model.form, x, y, mask=mask, lengths=lengths, reset=reset, sample_weight=sample_weight)
    model.accept(data.x.shape)
    titles = [f"layer {k} {type(layer).__name__}" for k, layer in enumerate(model.layers)]
    parts: list[Part] = [(data, slice(None), None)] if tbptt is None else _parts(model, data, tbptt, settings.backend)
    return check_parts(model, titles, data.x, parts, measure, settings)


def refuse_float32(model: Any) -> None:
    """Raises ValueError for a model whose differences would have too few digits."""
    if model.dtype != np.float64:
        raise ValueError(
            "gradcheck needs float64 and the model is float32: in float32 a difference keeps three digits, too few "
            f"to tell a right gradient from a wrong one; build it with {type(model).__name__}(..., dtype='float64')"
        )


def check_parts(
    model: Any, titles: Sequence[str], x: Array, parts: list[Part], measure: Any, settings: Settings,
    *, inner: Inner | None = None, drawn: bool = False,
) -> Report:  # fmt: skip
    """A built model, and x (where that is no index), against the loss of all parts and its penalties.

    titles   what each layer is called in the report;  inner: what else is an argument
    drawn    whether the model draws random numbers: the same at every call
    """
    names = {f"{titles[k]}, {w}": (k, w) for k in range(len(titles)) for w in model.params[k]}
    kernels, params = Context(settings.backend).kernels, model.params
    given = here(params)
    fixed = {"x": x} if x.dtype.kind == "i" else {}
    point = {name: given[k][w] for name, (k, w) in names.items()} | ({} if fixed else {"x": x})
    point |= inner.point if inner else {}

    def run(at: Point) -> tuple[Any, Back]:
        fresh: list[Point] = [{} for _ in titles]
        for name, (k, w) in names.items():
            fresh[k][w] = at[name]
        if inner:
            inner.put(there(kernels, {name: at[name] for name in inner.point}))
        states, model.states, model.params = model.states, there(kernels, here(model.states)), there(kernels, fresh)
        try:
            penalty, slopes = model.penalty()
            ctx = Context(kernels, rng=np.random.default_rng(settings.seed) if drawn else None)
            return _total(model, parts, (at | fixed)["x"], measure, penalty, slopes, ctx)
        finally:
            model.params, model.states = params, states

    def where(name: str, index: Index) -> str:
        if inner and name in inner.point:
            return f"{name}, row {index[0]}, unit {index[1]}"
        if name == "x":
            return f"x{list(index)}"
        k, w = names[name]
        layer = model.layers[k]
        if isinstance(layer, Recurrent):
            return f"{titles[k]}, {weight_element(layer.make_cell(), w, index, layer.units)}"
        return f"{name}{list(index)}"

    def suspect(wrong: tuple[Element, ...]) -> str | None:
        return (clipped(model.layers) or (inner.suspect(wrong) if inner else None)) if wrong else None

    dparams, dx = run(point)[1]()
    gradient = {name: dparams[k][w] for name, (k, w) in names.items()} | ({} if fixed else {"x": dx})
    return compare(
        f"{type(model).__name__} of {len(titles)} layers", lambda at: run(at)[0], point,
        gradient | (here(inner.met) if inner else {}), where,
        settings, settings.method_for_a_loss("a model"), suspect=suspect,
    )  # fmt: skip


def _parts(model: Sequential, data: Batch, length: int, backend: str) -> list[Part]:
    """The pieces, each with the states from which it begins at the parameters as they are."""
    parts: list[Part] = []
    kernels, params = Context(backend).kernels, model.params
    carried, start = there(kernels, here(model.states)), 0
    model.params = there(kernels, here(params))
    try:
        for piece in pieces(model, data, length):
            steps = slice(start, start + piece.x.shape[1])
            parts.append((piece, steps, dict(carried)))
            read = batch_there(kernels, piece)
            run_on(model, read.x, Context(kernels, read.mask, reset=read.reset), carried)
            start = steps.stop
    finally:
        model.params = params
    return parts


def _total(
    model: Any, parts: list[Part], x: Array, measure: Any, penalty: float, slopes: list[Point], ctx: Context
) -> tuple[Any, Back]:
    """The loss of all parts, each from the states that it is given, and the way back."""
    total, backs = here(penalty), []
    for part, steps, states in parts:
        if part.y is None:
            continue
        read = batch_there(ctx.kernels, replace(part, x=x[:, steps]))
        circumstances = replace(ctx, mask=read.mask, reset=read.reset)
        y, left, pullback = model.run_batch(read, circumstances, None if states is None else dict(states))
        value, dy = measure(y, read.y, sample_weight=read.sample_weight, mask=left)
        total = total + here(value)
        backs.append((steps, pullback, dy))

    def back() -> tuple[Any, Array]:
        dparams = [{w: np.zeros(a.shape) for w, a in p.items()} for p in model.params]
        dparams = [d | {w: d[w] + here(s[w]) for w in s} for d, s in zip(dparams, slopes, strict=True)]
        dx = np.zeros(x.shape)
        for steps, pullback, dy in backs:
            grads, dx[:, steps] = here(pullback(dy))
            dparams = [{w: d[w] + g[w] for w in d} for d, g in zip(dparams, grads, strict=True)]
        return dparams, dx

    return total, back
