"""Compiling what a model needs before it is used, so that nobody waits without knowing why: `model.warmup()`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import trees
from .accounts import filled
from .border import whole
from .context import Context
from .layers.base import Shape
from .progress import watched

if TYPE_CHECKING:
    from .stack import Stack

__all__ = ["warmup"]

_STEPS = 2


def warmup(
    model: Stack, batch_size: int = 32, steps: int | None = None, training: bool = True, verbose: object = "auto"
) -> None:
    """What `Stack.warmup` does; see there."""
    model.check_built("warmup")
    if steps is None and len(model.shapes[0]) > 1 and model.shapes[0][1] is None:
        steps = _STEPS
    shape = filled(model, whole("batch_size", batch_size, 1), None if steps is None else whole("steps", steps, 1))
    kinds = [layer.name or type(layer).__name__ for layer in model.layers]
    rng = np.random.default_rng(0)
    ctx = Context(model.backend, rng=rng if training else None, tape=training)
    for k, kind in watched(list(enumerate(kinds)), len(kinds), "compile", verbose):
        shape = _once(model, k, kind, shape, ctx)
    optimizer = getattr(model, "optimizer", None)
    if training and optimizer is not None:
        learned = trees.map(np.copy, model.learned(model.params))
        optimizer.step(learned, trees.map(np.zeros_like, learned), optimizer.init(learned), model.backend.elementwise)


def _once(model: Stack, k: int, kind: str, shape: Shape, ctx: Context) -> Shape:
    """One pass of layer k over zeros, and back where the context keeps a tape; returns the shape of its output."""
    layer = model.layers[k]
    try:
        out = layer.plan(shape)[1]
    except ValueError as error:
        raise ValueError(f"layer {k} {kind}: {error}; say how many steps there are, such as steps=50") from None
    x = np.zeros([n or 1 for n in shape], np.int64 if layer.takes_indices else model.dtype)
    y, pullback = layer(model.params[k], x, ctx.inside(str(k)))
    if ctx.tape:
        pullback(np.zeros_like(y))
    return out
