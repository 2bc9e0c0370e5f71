"""What every layer is: frozen configuration, and a function that returns the way back.

    layer.init(rng, shape, dtype) -> (params, shape)
    layer(params, x, ctx)         -> (y, pullback)
    pullback(dy)                  -> (dparams, dx)

A shape stands for a batch: (None, 24, 1), None where a size is free. Nothing is remembered between calls; what the way
back needs lives in the pullback, so a layer can be used twice, chunked, inspected and gone back through again. Nothing
is copied for it: x, params and y belong to the pullback too, and whoever writes into one of them changes its gradients.

Parameters are one flat dict of arrays by name. A layer made of layers names them by the way in: "forward.W".
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from rnnkit_kernels.types import Array

from .. import constraints, initializers, regularizers
from ..context import DETERMINISTIC, Context
from ..foreign import UnderstandsKeras
from ..ranges import check_flags
from .streams import LayerStream, StepByStep

__all__ = ["FEATURE_AXIS", "Layer", "Params", "Pullback", "Shape", "check_cotangent", "feature_count", "wrong_rank"]

Params = dict[str, Array]
Shape = tuple[int | None, ...]
Pullback = Callable[[Any], tuple[Params, Any]]


@dataclass(frozen=True)
class Layer(metaclass=UnderstandsKeras):
    """The base of all layers: no parameters, any input.

    input_shape  the shape of one sample, (24, 1) or (None, 1), on a model's first layer: builds it at once, as in Keras
    name         how the layer is called in summaries; its class where none is given
    trainable    False: training leaves the weights as they are, to the last bit
    """

    _: KW_ONLY
    input_shape: tuple[int | None, ...] | None = None
    name: str | None = None
    trainable: bool = True

    # How many axes the input has, the batch included; None where any number will do.
    rank: ClassVar[int | None] = None
    # Weights that no gradient moves, such as running statistics.
    fixed: ClassVar[tuple[str, ...]] = ()
    # What Keras calls a weight in its arguments: W is the "kernel" of `kernel_initializer`, `kernel_regularizer`, ...
    roles: ClassVar[dict[str, str]] = {}
    # Whether every step is treated by itself, so that the layer can be fed step by step as it is.
    stepwise: ClassVar[bool] = False
    # Whether the layer looks at `ctx.dx`, and hands back None for dL/dx where nobody asks for it.
    spares_dx: ClassVar[bool] = False

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name in ("get_weights", "set_weights"):
                raise AttributeError(
                    f"a layer holds no weights, its model does: model.{name}(); an Embedding starts from given ones as "
                    "Embedding(..., weights=[matrix]), and keeps them with trainable=False"
                )
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def takes_indices(self) -> bool:
        """Whether the input is whole numbers that choose something, and has no gradient."""
        return False

    @property
    def several_outputs(self) -> str | None:
        """The option because of which the layer returns a tuple; None where it returns one array."""
        return None

    @property
    def reach(self) -> tuple[float, int]:
        """How many input steps an output step sees, and how many steps lie between outputs; infinite: all before."""
        return (1, 1) if self.stepwise else (math.inf, 1)

    def plan(self, shape: Shape) -> tuple[dict[str, tuple[int, ...]], Shape]:
        """The shapes of the weights by name, and that of the output, for an input of that shape; nothing is drawn."""
        return {}, shape

    def first(self, name: str, shape: tuple[int, ...], rng: np.random.Generator, dtype: Any) -> Array:
        """What the weight of that name starts from: what its initializer draws."""
        initializer = self.option(name, "initializer")
        if initializer is None:
            raise NotImplementedError(f"{type(self).__name__} does not say what {name} starts from")
        return initializers.get(initializer)(rng, shape, dtype)

    def init(self, rng: np.random.Generator, shape: Shape, dtype: Any = "float32") -> tuple[Params, Shape]:
        """Draws parameters for inputs of that shape; returns them and the shape of the output."""
        sizes, out = self.plan(shape)
        return {name: self.first(name, size, rng, dtype) for name, size in sizes.items()}, out

    def __call__(self, params: Params, x: Array, ctx: Context = DETERMINISTIC) -> tuple[Any, Pullback]:
        raise NotImplementedError(f"{type(self).__name__} does not say what it computes")

    def next_mask(self, mask: Array | None, x: Array) -> Array | None:
        """The mask that holds for the output of x: the same where steps are kept, None where the layer ends time."""
        return mask

    def next_reset(self, reset: Array | None, x: Array) -> Array | None:
        """The flags of where rows begin anew that hold for the output of x, for a layer that keeps time.

        Raises ValueError where the layer looks across such places: it would mix what should be kept apart.
        """
        if reset is not None and not self.stepwise:
            raise ValueError(
                f"{type(self).__name__} looks across the steps where a row begins anew: reset goes with recurrent "
                "layers and layers that treat every step by itself"
            )
        return reset

    def option(self, weight: str, what: str) -> Any:
        """The argument `kernel_regularizer` for W and "regularizer", and so on; None where there is none."""
        return getattr(self, f"{self.roles.get(weight, weight)}_{what}", None)

    def _given(self, what: str, params: Params) -> dict[str, Any]:
        """By name, the regularizers or the constraints of those weights that have one."""
        key = what, *params
        if key not in self._options:
            self._options[key] = {name: found for name in params if (found := self.option(name, what)) is not None}
        return self._options[key]

    @cached_property
    def _options(self) -> dict[tuple[str, ...], dict[str, Any]]:
        """What `_given` has looked up: a layer's arguments never change, and are asked for at every step."""
        return {}

    def check_options(self) -> None:
        """Refuses, when a layer is made, what is no regularizer, constraint, initializer or flag."""
        check_flags(self)
        known: dict[str, Callable[[Any], Any]] = {
            "regularizer": regularizers.get,
            "constraint": constraints.get,
            "initializer": initializers.get,
        }
        for field in fields(self):
            what = field.name.rpartition("_")[2]
            given = getattr(self, field.name)
            if what in known and (given is not None or what == "initializer"):
                known[what](given)

    def learned(self, params: Params) -> tuple[str, ...]:
        """The names of the weights that training moves."""
        if not self.trainable:
            return ()
        return tuple([name for name in params if name not in self.fixed]) if self.fixed else tuple(params)

    def penalty(self, params: Params) -> tuple[float, Params]:
        """What the regularizers add to the loss, and its gradient by name, for the weights that have one.

        What does not learn costs nothing, as in Keras.
        """
        total, slopes = 0.0, {}
        if given := self._given("regularizer", params):
            for name in self.learned(params):
                if name in given:
                    value, slopes[name] = regularizers.get(given[name])(params[name])
                    total += value
        return total, slopes

    def constrained(self, params: Params) -> Params:
        """The weights after the constraints, applied when an optimizer has moved them."""
        given = self._given("constraint", params)
        return {name: constraints.get(given[name])(w) if name in given else w for name, w in params.items()}

    def stream(self, params: Params, rows: int, ctx: Context = DETERMINISTIC) -> LayerStream:
        """The layer, fed one step of `rows` rows at a time. Raises ValueError where an output needs later steps."""
        if self.stepwise:
            return StepByStep(self, params, ctx)
        raise ValueError(f"{type(self).__name__} cannot be streamed: what it gives at a step depends on later steps")

    def to_list(self, params: Params) -> list[Array]:
        """The parameters as Keras lists them."""
        return list(params.values())

    def from_list(self, arrays: list[Array], like: Params) -> Params:
        """The inverse of `to_list`; `like` has the names."""
        return dict(zip(like, arrays, strict=True))

    def __repr__(self) -> str:
        order = sorted(fields(self), key=lambda f: f.kw_only is True)  # by position first, as written
        given = [f"{f.name}={getattr(self, f.name)!r}" for f in order if f.repr and getattr(self, f.name) != f.default]
        return f"{type(self).__name__}({', '.join(given)})"

    def config(self) -> dict[str, Any]:
        """The arguments that make this layer again."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.init}


FEATURE_AXIS = "; add the feature axis with x[..., None]"


def wrong_rank(layer: str, shape: Shape, rank: int, hint: str = FEATURE_AXIS) -> ValueError:
    """The refusal of a shape with too many axes, or with too few: then with the hint."""
    axes = {2: "(batch, features)", 3: "(batch, time, features)"}[rank]
    return ValueError(f"{layer} takes {axes}; got shape {shape}{hint if len(shape) < rank else ''}")


def check_cotangent(layer: str, dy: Array, shape: Shape) -> None:
    """Refuses a dy of another shape than y: one that only spreads to it, or has as many numbers, would pass unseen."""
    if dy.shape != shape:
        raise ValueError(f"{layer}: dy is {shape}, as y; got {dy.shape}")


def feature_count(layer: str, shape: Shape, rank: int | None = None) -> int:
    """The size of the last axis; refuses, in a sentence, a shape that has none or too few axes."""
    if rank is not None and len(shape) not in (rank, rank - 1):
        raise wrong_rank(layer, shape, rank)
    if not shape or shape[-1] is None:
        raise ValueError(f"{layer} needs to know the size of the last axis, the features; got shape {shape}")
    return shape[-1]
