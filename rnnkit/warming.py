"""Compiling what a model needs before it is used, so that nobody waits without knowing why: `model.warmup()`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import trees
from .accounts import filled
from .border import whole
from .context import Context
from .layers.base import Shape
from .progress import watched

if TYPE_CHECKING:
    from .stack import Stack

__all__ = ["warm_layers", "warm_optimizer", "warm_shape", "warmup"]

_STEPS = 2  # what a model that takes any number of them is warmed with


def warmup(
    model: Stack, batch_size: int = 32, steps: int | None = None, training: bool = True, verbose: object = "auto"
) -> None:
    """What `Stack.warmup` does; see there."""
    model.check_built("warmup")
    shape = warm_shape(model, batch_size, steps)
    warm_layers([("", model, shape)], training, verbose)
    if training:
        warm_optimizer(model)


def warm_shape(model: Stack, batch_size: int, steps: int | None) -> Shape:
    """The shape of the zeros that a model is warmed with. Raises ValueError for sizes that are not the model's."""
    if steps is None and len(model.shapes[0]) > 1 and model.shapes[0][1] is None:
        steps = _STEPS
    return filled(model, whole("batch_size", batch_size, 1), None if steps is None else whole("steps", steps, 1))


def warm_layers(sides: Sequence[tuple[str, Stack, Shape]], training: bool, verbose: object) -> None:
    """One pass through every layer of every side, for x of its shape, and back in training; with a bar over all.

    sides  name, layers in a row, shape; the name is "encoder ", or "" where there is no other side
    """
    rng = np.random.default_rng(0)
    stacks = {name: model for name, model, _ in sides}
    shapes = {name: shape for name, _, shape in sides}
    layers = [(name, k) for name, model in stacks.items() for k in range(len(model.layers))]
    for name, k in watched(layers, len(layers), "compile", verbose):
        model = stacks[name]
        ctx = Context(model.backend, rng=rng if training else None, tape=training)
        shapes[name] = _once(name, model, k, shapes[name], ctx)


def warm_optimizer(model: Any) -> None:
    """The rule of a compiled model's optimizer, on zeros; nothing of the model changes."""
    if model.optimizer is not None:
        learned = trees.map(np.copy, model.learned(model.params))
        zeros, state = trees.map(np.zeros_like, learned), model.optimizer.init(learned)
        model.optimizer.step(learned, zeros, state, model.backend.elementwise)


def _once(side: str, model: Stack, k: int, shape: Shape, ctx: Context) -> Shape:
    """One pass of layer k over zeros, and back where the context keeps a tape; returns the shape of its output."""
    layer = model.layers[k]
    try:
        out = layer.plan(shape)[1]
    except ValueError as error:
        kind = layer.name or type(layer).__name__
        raise ValueError(f"{side}layer {k} {kind}: {error}; say how many steps there are, such as steps=50") from None
    x = model.backend.xp.zeros([n or 1 for n in shape], np.int64 if layer.takes_indices else model.dtype)
    y, pullback = layer(model.params[k], x, ctx.inside(str(k)))
    if ctx.tape:
        pullback(np.zeros_like(y))
    return out
