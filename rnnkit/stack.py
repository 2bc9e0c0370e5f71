"""Layers in a row with their parameters: building, running, weights in and out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnkit_kernels.backends import backend as backend_of
from rnnkit_kernels.types import Array

from . import trees
from .batches import Batch, Form, checked
from .chain import Back, reach_in_a_row, through
from .context import Context
from .layers.base import FEATURE_AXIS, Layer, Params, Shape, wrong_rank
from .layers.core import Input
from .layers.recurrent import State
from .placing import batch_there, handed_out, there
from .ready import Ready
from .weights import listed, taken

if TYPE_CHECKING:
    from .streaming import Stream

__all__ = ["Stack"]


class Stack(Ready):
    """What a `Sequential` is before it learns: a function with parameters. For the arguments see there."""

    def __init__(self, layers: Iterable[Layer], backend: str, dtype: str, seed: int | None) -> None:
        if dtype not in ("float32", "float64", np.float32, np.float64):
            raise ValueError(f"dtype is 'float32' or 'float64', got {dtype!r}")
        self.dtype = np.dtype(dtype)
        self.backend = backend_of(backend)
        sequence = np.random.SeedSequence(seed)
        self.seed = sequence.entropy
        self.weight_rng, self.order_rng, self.dropout_rng = map(np.random.default_rng, sequence.spawn(3))
        self.layers: list[Layer] = []
        self.params: list[Params] = []
        self.shapes: list[Shape] = []  # of the input, then of each layer's output; empty until built
        self._sample_shape: Shape | None = None
        self.states: dict[int, State] = {}
        self.optimizer_state: Any = None
        if isinstance(layers, Layer):
            raise TypeError(f"Sequential takes a list of layers; got the layer {layers!r}: write it in brackets")
        for layer in layers:
            self.add(layer)

    def __repr__(self) -> str:
        return f"{type(self).__name__}([{', '.join(map(repr, self.layers))}])"

    def add(self, layer: Layer) -> None:
        """Puts a layer at the end. Raises ValueError once the model has been built without it."""
        if not isinstance(layer, Layer):
            hint = ": write it with its brackets" if isinstance(layer, type) else ""
            raise TypeError(f"Sequential takes layers; got {layer!r}{hint}")
        first = not self.layers and self._sample_shape is None
        if isinstance(layer, Input):
            if not first:
                raise ValueError("Input stands first in a model")
            self._sample_shape = layer.shape
            return
        if self.shapes and self._sample_shape is None:
            raise ValueError("the model has been built from data; add layers before the first use")
        if not isinstance(layer.trainable, bool):
            raise TypeError(f"{type(layer).__name__}: trainable is True or False; got {layer.trainable!r}")
        if layer.several_outputs is not None:
            raise ValueError(
                f"{type(layer).__name__}({layer.several_outputs}) has several outputs and Sequential hands on one; "
                "use the layer by itself"
            )
        sample = self._sample_shape
        if first and layer.input_shape is not None:
            sample = Input(layer.input_shape).shape
        if sample is not None:
            with self._all_or_nothing():
                self.shapes = self.shapes or [(None, *sample)]
                self._init(layer, self.shapes[-1])
        self._sample_shape = sample
        self.layers.append(layer)
        self.states.clear()
        self.optimizer_state = None  # it was that of fewer weights

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Draws the parameters for inputs of that shape, the batch first: (None, 24, 1), or (B, T, F) as x has it.

        A built model is left as it is, if the shape fits it. Raises ValueError where it does not.
        """
        if not isinstance(input_shape, (tuple, list)):
            raise TypeError(f"build takes the shape of x, such as (None, 24, 1); got {input_shape!r}")
        rank = self.layers[0].rank if self.layers else None
        without_batch = len(input_shape) == 1 or (rank is not None and len(input_shape) == rank - 1)
        self.accept((None, *input_shape) if without_batch else tuple(input_shape))

    def accept(self, shape: Shape) -> None:
        """Builds the model for x of that shape, batch included, or refuses a shape that it was not built for."""
        if self.built:
            built = self.input_shape
            if not _fits(shape[1:], built[1:]):
                alone = _fits(shape, built[1:])  # one sample without its batch
                hint = "; add the batch axis with x[None]" if alone else FEATURE_AXIS if len(shape) == 2 else ""
                raise ValueError(f"the model was built for inputs {built}; got {shape}{hint}")
            return
        if not self.layers:
            raise ValueError("a model needs at least one layer")
        with self._all_or_nothing():
            self.shapes = [(None, *shape[1:])]
            for layer in self.layers:
                self._init(layer, self.shapes[-1])

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """Building that fails, or is interrupted, was not tried: the next attempt draws the same numbers."""
        shapes, params, stream = list(self.shapes), list(self.params), self.weight_rng.bit_generator.state
        try:
            yield
        except BaseException:
            self.shapes, self.params, self.weight_rng.bit_generator.state = shapes, params, stream
            raise

    def _init(self, layer: Layer, shape: Shape) -> None:
        kind = type(layer).__name__
        if layer.rank is not None and len(shape) != layer.rank:
            hint = "; the layer before it should return sequences" if self.params else FEATURE_AXIS
            raise wrong_rank(f"layer {len(self.params)} {kind}", shape, layer.rank, hint)
        try:
            params, out = layer.init(self.weight_rng, shape, self.dtype)
        except ValueError as error:
            raise ValueError(f"layer {len(self.params)} {kind}: {error}") from None
        self.params.append(there(self.backend, params))
        self.shapes.append(out)

    @property
    def built(self) -> bool:
        return bool(self.shapes)

    @property
    def input_shape(self) -> Shape:
        """What x must look like, None where a size is free. Built from data, the number of steps is free."""
        shape = self.shapes[0]
        steps = len(shape) > (1 if self.layers[0].takes_indices else 2)
        return (None, None, *shape[2:]) if self._sample_shape is None and steps else shape

    @property
    def output_shape(self) -> Shape:
        return self.shapes[-1]

    @property
    def form(self) -> Form:
        """What the border makes of what users hand in."""
        first = self.layers[0] if self.layers else None
        if first is not None and first.takes_indices:  # of any rank; in a list, samples are rows of indices
            return Form(np.dtype(np.int64), self.dtype, first.rank or 2)
        known = self.input_shape if self.built else None if self._sample_shape is None else (None, *self._sample_shape)
        return Form(self.dtype, self.dtype, len(known) if known else None if first is None else first.rank)

    def run(self, x: Array, ctx: Context, carried: dict[int, State] | None = None) -> tuple[Array, Array | None, Back]:
        """One pass of arrays of the model's dtypes: the output, the mask that holds for it, and the way back.

        carried  the states from which recurrent layers go on, by place, and where they leave their last ones. Without
                 it, stateful layers do so with `states`, and all others begin anew.
        """
        states = dict(self.states) if carried is None else carried
        passed = through(self.layers, self.params, x, ctx, states, all_go_on=carried is not None)
        if carried is None:
            self.states = states
        return passed

    def run_batch(
        self, batch: Batch, ctx: Context, carried: dict[int, State] | None = None
    ) -> tuple[Array, Array | None, Back]:
        """`run` for a batch: what a step of training calls, for models that read more of it than x."""
        return self.run(batch.x, ctx, carried)

    def learned(self, tree: Any) -> Any:
        """The part of a tree nested like `params` that training moves."""
        return [
            {name: part[name] for name in layer.learned(params)}
            for layer, params, part in zip(self.layers, self.params, tree, strict=True)
        ]

    def penalty(self) -> tuple[float, list[Params]]:
        """What all regularizers add to the loss, and the gradient of that, for the weights that have one."""
        found = [layer.penalty(params) for layer, params in zip(self.layers, self.params, strict=True)]
        return sum(value for value, _ in found), [slopes for _, slopes in found]

    def reset_states(self) -> None:
        """Stateful layers begin again from their initial states. (They do so too when the number of rows changes.)"""
        self.states.clear()

    def forward(
        self,
        x: Any,
        *,
        mask: Any = None,
        lengths: Any = None,
        reset: Any = None,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, Back]:
        """y, and pullback(dy) -> (dparams, dx), dparams nested like `params`. Nothing is random without `rng`.

        mask, lengths, reset: as in `Sequential.fit`. All are NumPy arrays, wherever the model lies.
        """
        data = checked(self.form, x, mask=mask, lengths=lengths, reset=reset)
        self.accept(data.x.shape)
        data = batch_there(self.backend, data)
        y, _, pullback = self.run(data.x, Context(self.backend, data.mask, rng, reset=data.reset))
        return (y, pullback) if self.backend.place is None else handed_out(self.backend, y, pullback)

    def get_weights(self, tree: Any = None) -> list[Array]:
        """Copies of all weights, in Keras' order and shapes; or of a gradient `tree` nested like `params`, likewise.

        Raises ValueError for an unbuilt model, and, naming the place, for a tree that is nested in another way.
        """
        self.check_built("get_weights")
        if tree is not None:
            trees.same_structure(self.params, tree)
        return [a for arrays in listed(self.layers, self.params if tree is None else tree) for a in arrays]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Takes weights in the order of `get_weights`; ValueError names the first that does not fit; none is taken."""
        self.check_built("set_weights")
        self.params = there(self.backend, taken(self.layers, self.params, weights, self.dtype))

    @property
    def receptive_field(self) -> float:
        """How many steps of the input one step of the output sees, itself included; infinite for recurrent models."""
        return reach_in_a_row(self.layers)[0]

    def stream(self, batch_size: int = 1) -> Stream:
        """The model fed one step at a time, `y_t = stream.step(x_t)`: see `Stream`."""
        from .streaming import Stream

        return Stream(self, batch_size)

    def check_built(self, what: str) -> None:
        """Raises ValueError unless there are weights."""
        if not self.built:
            raise ValueError(
                f"{what} needs a built model: call model.build((None, steps, features)) or use it on data first"
            )


def _fits(shape: Shape, like: Shape) -> bool:
    return len(shape) == len(like) and all(not a or not b or a == b for a, b in zip(shape, like, strict=True))
