"""`Sequential`: the only object that owns numbers and changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from os import PathLike
from typing import Any

import numpy as np

from rnnkit_kernels.backends import backend as backend_of
from rnnkit_kernels.types import Array

from . import losses, metrics, optimizers
from .batches import Batch, source
from .border import check_finite, to_array, to_mask
from .context import Context
from .layers.base import Layer, Params, Pullback, Shape
from .layers.core import Input
from .layers.recurrent import Recurrent, State

__all__ = ["Sequential"]


class Sequential:
    """Layers in a row.

    layers   layers, first to last; an `Input`, or `input_shape=` on the first, builds the model at once
    backend  "auto" or "numpy": what the kernels run on
    dtype    "float32" or "float64", of parameters and of everything that goes through
    seed     decides weights, order of samples and dropout; None draws one, and `model.seed` tells it

    params   list of dicts, one for each layer
    Raises TypeError and ValueError for what is no layer, no backend, no dtype.
    """

    def __init__(
        self, layers: Iterable[Layer] = (), *, backend: str = "auto", dtype: str = "float32", seed: int | None = None
    ) -> None:
        if np.dtype(dtype) not in (np.dtype("float32"), np.dtype("float64")):
            raise ValueError(f"dtype is 'float32' or 'float64', got {dtype!r}")
        self.dtype = np.dtype(dtype)
        self.backend = backend_of(backend)
        sequence = np.random.SeedSequence(seed)
        self.seed = sequence.entropy
        self._weight_rng, self.order_rng, self.dropout_rng = map(np.random.default_rng, sequence.spawn(3))
        self.layers: list[Layer] = []
        self.params: list[Params] = []
        self.shapes: list[Shape] = []  # of the input, then of each layer's output; empty until built
        self.optimizer: Any = None
        self.loss: Any = None
        self.metrics: list[Any] = []
        self.optimizer_state: Any = None
        self.stop_training = False
        self._sample_shape: Shape | None = None
        self._states: dict[int, State] = {}
        for layer in layers:
            self.add(layer)

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
        if isinstance(layer, Recurrent) and layer.return_state:
            raise ValueError(
                f"{type(layer).__name__}(return_state=True) has several outputs and Sequential hands on one; "
                "use the layer by itself, or its scan"
            )
        if first and layer.input_shape is not None:
            self._sample_shape = layer.input_shape
        self.layers.append(layer)
        self._states.clear()
        if self._sample_shape is not None:
            shape = self.shapes[-1] if self.shapes else (None, *self._sample_shape)
            self.shapes = self.shapes or [shape]
            self._init(layer, shape)

    def build(self, shape: Sequence[int | None]) -> None:
        """Draws the parameters for inputs of that shape, the batch first: (None, 24, 1), or (B, T, F) as x has it.

        A built model is left as it is, if the shape fits it. Raises ValueError where it does not.
        """
        full = self._with_batch(tuple(shape))
        if self.shapes:
            built = self.shapes[0]
            if len(full) != len(built) or any(a and b and a != b for a, b in zip(full[1:], built[1:], strict=True)):
                raise ValueError(f"the model was built for inputs {built}; got {tuple(shape)}")
            return
        if not self.layers:
            raise ValueError("a model needs at least one layer")
        # time stays free: parameters do not depend on it
        self.shapes = [(None, None, *full[2:]) if len(full) > 2 else (None, *full[1:])]
        try:
            for layer in self.layers:
                self._init(layer, self.shapes[-1])
        except Exception:
            self.shapes, self.params = [], []
            raise

    def _with_batch(self, shape: Shape) -> Shape:
        rank = self.layers[0].rank if self.layers else None
        if (rank is not None and len(shape) == rank - 1) or len(shape) == 1:
            return (None, *shape)
        return shape

    def _init(self, layer: Layer, shape: Shape) -> None:
        try:
            params, out = layer.init(self._weight_rng, shape, self.dtype)
        except ValueError as error:
            raise ValueError(f"layer {len(self.params)}: {error}") from None
        self.params.append(params)
        self.shapes.append(out)

    @property
    def built(self) -> bool:
        return bool(self.shapes)

    def run(self, x: Array, ctx: Context) -> tuple[Array, Array | None, Pullback]:
        """One pass of arrays of the model's dtype: the output, the mask that holds for it, and the way back."""
        pullbacks: list[Pullback] = []
        for k, (layer, params) in enumerate(zip(self.layers, self.params, strict=True)):
            if isinstance(layer, Recurrent) and layer.stateful:
                state = self._states.get(k)
                if state is not None and len(state["h"]) != len(x):
                    state = None
                x, self._states[k], pullback = layer.run(params, x, state, ctx)
            else:
                x, pullback = layer(params, x, ctx)
            pullbacks.append(pullback)
            ctx = replace(ctx, mask=layer.next_mask(ctx.mask))

        def back(dy: Array) -> tuple[Any, Array]:
            dparams: list[Params] = [{}] * len(pullbacks)
            for k in reversed(range(len(pullbacks))):
                dparams[k], dy = pullbacks[k](dy)
            return dparams, dy

        return x, ctx.mask, back

    def reset_states(self) -> None:
        """Stateful layers begin again from zeros. (They do so too when the number of rows changes.)"""
        self._states.clear()

    def prepare(self, x: Any, mask: Any = None) -> tuple[Array, Array | None]:
        """x and mask through the border: arrays of the model's dtype, finite, of the shape it was built for."""
        array = to_array("x", x, self.dtype)
        flags = None if mask is None else to_mask(mask, array)
        check_finite("x", array, flags)
        self.fit_shape(array)
        return array, flags

    def fit_shape(self, x: Array) -> None:
        """Builds the model for x if that has not been done; refuses x if it is not what the model was built for."""
        if not self.built:
            self.build(x.shape)
            return
        built = self.shapes[0]
        if x.ndim != len(built) or any(b and a != b for a, b in zip(x.shape[1:], built[1:], strict=True)):
            hint = "; add the feature axis with x[..., None]" if x.ndim == len(built) - 1 else ""
            raise ValueError(f"the model was built for inputs {built}; got x of shape {x.shape}{hint}")

    def forward(self, x: Any, *, mask: Any = None, rng: np.random.Generator | None = None) -> tuple[Array, Pullback]:
        """y, and pullback(dy) -> (dparams, dx), dparams nested like `params`. Nothing is random without `rng`."""
        array, flags = self.prepare(x, mask)
        y, _, pullback = self.run(array, Context(self.backend, flags, rng))
        return y, pullback

    def predict(self, x: Any, *, batch_size: int = 256, mask: Any = None, verbose: Any = 0) -> Array:
        """The outputs for x, an array or an iterable of batches, without dropout; `verbose=1` shows progress."""
        from .callbacks import progress

        batches = source(x, batch_size=batch_size, mask=mask, dtype=self.dtype, labelled=False)
        outputs = []
        for batch in progress(batches.batches(None), batches.length, "predict", verbose):
            self.fit_shape(batch.x)
            outputs.append(self.run(batch.x, Context(self.backend, batch.mask))[0])
        return np.concatenate(outputs)

    def compile(self, optimizer: Any = "rmsprop", loss: Any = None, metrics: Sequence[Any] | None = ()) -> None:
        """Chooses how to train: names as in Keras ("adam", "mse", "mae", ...) or objects. Begins the optimizer anew."""
        self.optimizer = optimizers.get(optimizer)
        self.loss = None if loss is None else losses.get(loss)
        self.metrics = [_metric(m) for m in (metrics or ())]
        self.optimizer_state = None

    def fit(self, x: Any, y: Any = None, **options: Any) -> Any:
        raise NotImplementedError

    def check_compiled(self) -> None:
        if self.loss is None:
            raise ValueError("the model does not know its loss; call model.compile(optimizer, loss) first")


def _metric(given: Any) -> Any:
    return metrics.get(given)
