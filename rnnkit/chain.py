"""Layers in a row as one function with parameters, and the way back through it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rnnkit_kernels.types import Array

from .context import Context
from .layers.base import Layer, Params, Pullback, Shape
from .layers.recurrent import Recurrent, State

__all__ = ["Back", "reach_in_a_row", "shape_in_a_row", "through"]

Back = Callable[[Array], tuple[list[Params], Array]]  # dy -> (dparams nested like the parameters, dx)


def through(
    layers: Sequence[Layer],
    params: Sequence[Params],
    x: Array,
    ctx: Context,
    states: dict[int, State],
    all_go_on: bool = False,
) -> tuple[Array, Array | None, Back]:
    """The output, the mask that holds for it, and the way back.

    states     by place: where stateful layers go on from (with `all_go_on` every recurrent layer), and where they leave
               their last ones. Others begin anew, and so does one whose state has another number of rows
    """
    pullbacks: list[Pullback] = []
    for k, (layer, weights) in enumerate(zip(layers, params, strict=True)):
        here, before = ctx.inside(str(k)), x
        if k == 0 and not ctx.dx and layer.spares_dx:
            here = here.but(dx=False)
        if isinstance(layer, Recurrent) and (layer.stateful or all_go_on):
            state = states.get(k)
            if state is not None and len(next(iter(state.values()))) != len(x):
                state = None
            x, states[k], pullback = layer.run(weights, x, state, here)
        else:
            x, pullback = _called(layer, weights, x, here)
        pullbacks.append(pullback)
        mask = layer.next_mask(ctx.mask, before)
        reset = None if ctx.reset is None else layer.next_reset(ctx.reset, before)
        reset = reset if x.ndim > 2 else None
        if mask is not ctx.mask or reset is not ctx.reset:
            ctx = ctx.but(mask=mask, reset=reset)
    y = x

    def back(dy: Array) -> tuple[list[Params], Any]:
        if dy.shape != y.shape:
            raise ValueError(f"dy is dL/dy, of the shape of y, {y.shape}; got {dy.shape}")
        dparams: list[Params] = [{}] * len(pullbacks)
        for k in reversed(range(len(pullbacks))):
            dparams[k], dy = pullbacks[k](dy)
            if dparams[k].keys() != params[k].keys():
                raise ValueError(
                    f"the pullback of layer {k} {type(layers[k]).__name__} returns gradients of "
                    f"{', '.join(dparams[k]) or 'nothing'}; its weights are {', '.join(params[k]) or 'none'}"
                )
        return dparams, dy

    return y, ctx.mask if y.ndim > 2 else None, back  # where no steps are left, none is masked


def shape_in_a_row(layers: Iterable[Layer], shape: Shape) -> Shape:
    """What comes out of layers one after another for x of that shape, batch included; nothing is drawn."""
    for layer in layers:
        shape = layer.plan(shape)[1]
    return shape


def reach_in_a_row(layers: Iterable[Layer]) -> tuple[float, int]:
    """The reach of layers one after another: each sees its steps at the distance that the strides before it leave."""
    seen: float = 1
    apart = 1
    for layer in layers:
        more, stride = layer.reach
        seen, apart = seen + (more - 1) * apart, apart * stride
    return seen, apart


def _called(layer: Layer, params: Params, x: Array, ctx: Context) -> tuple[Array, Pullback]:
    found: Any = layer(params, x, ctx)
    if not isinstance(found, tuple) or len(found) != 2 or not callable(found[1]):
        raise TypeError(
            f"{type(layer).__name__} should return y and a pullback, dy -> (dparams, dx); got {type(found).__name__}"
        )
    return found
