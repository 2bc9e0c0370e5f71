"""A layer, and a loss, as functions of named arrays, and what their elements are called."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from rnnkit_kernels.backends import backend
from rnnkit_kernels.types import Array

from ..context import Context
from ..layers.base import Layer
from ..layers.container import layers_within
from ..layers.recurrent import Recurrent
from ..placing import here, there
from .compare import Index, Report, Settings, compare
from .recurrences import smooth, weight_element

__all__ = ["check_layer", "check_loss", "clipped"]


def check_layer(
    layer: Layer,
    settings: Settings,
    x: Any = None,
    *,
    shape: tuple[int, ...] = (3, 4, 2),
    mask: Any = None,
    reset: Any = None,
    dropout: bool = False,
) -> Report:
    """A layer as a function of its parameters and its input. With `dropout`, every call drops the same."""
    rng = np.random.default_rng(settings.seed)
    if layer.takes_indices and x is None:
        raise ValueError(f"{type(layer).__name__} chooses by index: give x, whole numbers")
    data = rng.standard_normal(shape) if x is None else np.asarray(x)
    drawn, _ = layer.init(rng, data.shape, "float64")
    learned = layer.learned(drawn)
    params = {  # what is not learned, a running variance for one, stays positive
        k: v + 0.3 * (rng.standard_normal(v.shape) if k in learned else rng.random(v.shape)) for k, v in drawn.items()
    }
    fixed = {"x": data} if layer.takes_indices else {}

    kernels, textbook = Context(settings.backend).kernels, backend("numpy")
    of_complex = kernels if kernels.place is None else textbook
    flags = _arrays(mask=mask, reset=reset)

    def run(at: dict[str, Array]) -> Any:
        where = of_complex if any(a.dtype.kind == "c" for a in at.values()) else kernels
        drawn = np.random.default_rng(settings.seed) if dropout else None
        ctx = Context(where, rng=drawn, **there(where, flags))
        return layer(there(where, {k: at[k] for k in params}), there(where, (at | fixed)["x"]), ctx)

    y, pullback = run(params | {"x": data})
    outputs = y if isinstance(y, tuple) else (y,)
    dy = tuple(rng.standard_normal(a.shape) for a in outputs)

    def value(at: dict[str, Array]) -> Any:
        y = here(run(at)[0])
        return sum((a * d).sum() for a, d in zip(y if isinstance(y, tuple) else (y,), dy, strict=True))

    dparams, dx = here(pullback(there(kernels, dy if isinstance(y, tuple) else dy[0])))
    cell = layer.make_cell() if isinstance(layer, Recurrent) else None

    def where(name: str, index: Index) -> str:
        if isinstance(layer, Recurrent) and name in params:
            return weight_element(layer.make_cell(), name, index, layer.units)
        return f"{name}{list(index)}"

    is_smooth = smooth(cell if cell is not None else layer)
    moved = params if fixed else params | {"x": data}
    return compare(
        repr(layer), value, moved, {k: (dparams | {"x": dx})[k] for k in moved}, where,
        settings, settings.method_for(is_smooth), suspect=lambda wrong: clipped([layer]) if wrong else None,
    )  # fmt: skip


def check_loss(
    loss: Any,
    settings: Settings,
    y: Any = None,
    target: Any = None,
    *,
    mask: Any = None,
    sample_weight: Any = None,
) -> Report:
    """A loss as a function of its first argument."""
    rng = np.random.default_rng(settings.seed)
    example = getattr(loss, "example", lambda rng, shape: (rng.standard_normal(shape), rng.standard_normal(shape)))
    drawn, drawn_target = example(rng, (4, 3) if y is None else np.shape(y))
    out = drawn if y is None else np.asarray(y)
    kernels = Context(settings.backend).kernels
    beside = there(kernels, _arrays(sample_weight=sample_weight, mask=mask))
    wanted = there(kernels, drawn_target if target is None else np.asarray(target))

    def run(at: dict[str, Array]) -> Any:
        return here(loss(there(kernels, at["y"]), wanted, **beside))

    return compare(
        repr(loss), lambda at: run(at)[0], {"y": out}, {"y": run({"y": out})[1]}, lambda name, index: f"y{list(index)}",
        settings, settings.method_for_a_loss("a loss"),
    )  # fmt: skip


def _arrays(**given: Any) -> dict[str, Any]:
    return {name: None if a is None else np.asarray(a) for name, a in given.items()}


def clipped(layers: Iterable[Layer]) -> str | None:
    """Where the gradient is changed on purpose, in words; None where it is that of the loss."""
    for layer in layers:
        for inner in layers_within(layer):
            if (limit := getattr(inner, "gradient_clip", None)) is not None:
                return f"gradient_clip={limit} of {type(inner).__name__}: it limits the gradient on purpose"
    return None
