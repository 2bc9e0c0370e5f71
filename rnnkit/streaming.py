"""A model fed one step at a time: what has just been measured goes in, the output for it comes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnkit_kernels.types import Array

from .border import surely_finite, to_array, to_finite, whole
from .context import Context
from .diagnosis import IN_USE, told_in_a_sentence
from .layers.recurrent_stream import RecurrentStream
from .layers.streams import LayerStream, StepByStep
from .placing import stepping

if TYPE_CHECKING:
    from .stack import Stack

__all__ = ["Stream"]


class Stream:
    """The model over time, for `batch_size` sequences side by side, with the weights that it has now.

        stream = model.stream()
        y_t = stream.step(x_t)

    The outputs are those of the full pass over everything fed so far: at every step where the model keeps time, and,
    where it ends time (a last layer without `return_sequences`, global pooling), what the full pass would give if the
    sequence ended here. A step costs the same however many went before; nothing but `state` is remembered. A
    model on a GPU is streamed on the CPU, where a step of a few rows is done sooner.
    Raises ValueError, naming the layer, for a model whose output at a step depends on later steps.
    """

    def __init__(self, model: Stack, batch_size: int = 1) -> None:
        self.batch_size = whole("batch_size", batch_size, least=1)
        model.check_built("stream")
        shape = model.input_shape
        self._form, self._dtype = model.form, model.form.x
        self._shape = (self.batch_size, *shape[2:])
        if len(shape) < (2 if self._form.x.kind == "i" else 3):
            raise ValueError(f"a model that is streamed takes sequences; this one takes inputs {shape}, without steps")
        backend, params_now = stepping(model.backend, model.params)
        ctx = Context(backend)
        self._layers: list[LayerStream] = []
        timed = True
        for k, (layer, params) in enumerate(zip(model.layers, params_now, strict=True)):
            if not timed:
                self._layers.append(_Afterwards(layer, params, ctx))
                continue
            try:
                self._layers.append(layer.stream(params, self.batch_size, ctx))
            except ValueError as error:
                raise ValueError(f"layer {k}: {error}") from None
            timed = len(model.shapes[k + 1]) > 2
        self._quiet = all(isinstance(layer, RecurrentStream) and layer.quiet for layer in self._layers)
        first = self._layers[0]
        quick = first.takes_finite if isinstance(first, RecurrentStream) and first.quiet else surely_finite
        self._surely_finite: Callable[[Array], bool] = quick

    def step(self, x: Any, mask: Any = None) -> Array | None:
        """The output for the step x (batch_size, F), or (batch_size,) where the first layer takes indices.

        mask     (batch_size,) bool, False where a row has nothing at this step: its states are held
        returns  (batch_size, ...), or None where no output step is complete yet: before the first window of a
                 convolution is full, and between the steps of a stride
        raises   ValueError and TypeError for other shapes, dtypes and numbers that are not finite; FloatingPointError,
                 naming the layer, where what comes out is not finite: the state may then be spoiled, see `reset`
        """
        if self._quiet:
            return self._through(*self._checked(x, mask))
        with told_in_a_sentence():
            return self._through(*self._checked(x, mask))

    def _through(self, array: Array, flags: Array | None) -> Array | None:
        for k, layer in enumerate(self._layers):
            found = layer.step(array, flags)
            if found is None:
                return None
            array, flags = found
            known = isinstance(layer, RecurrentStream) and layer.finite
            if not (known or surely_finite(array) or np.isfinite(array).all()):
                raise FloatingPointError(f"the output of layer {k} is not finite at this step. {IN_USE}")
        return array

    def _checked(self, x: Any, mask: Any) -> tuple[Array, Array | None]:
        if mask is None and type(x) is np.ndarray and x.dtype is self._dtype and x.shape == self._shape:
            return x if self._surely_finite(x) else to_finite("x", x), None
        flags = None if mask is None else self._flags(mask)
        array = to_array("x", x, self._form.x)
        if array.shape != self._shape:
            raise ValueError(f"a step is {self._shape}, one row for each sequence; got {array.shape}")
        return to_finite("x", array, flags), flags

    def _flags(self, mask: Any) -> Array:
        flags = np.asarray(mask)
        if flags.shape != (self.batch_size,) or flags.dtype != bool:
            raise ValueError(
                f"the mask of a step is ({self.batch_size},) of bool, True where a row is real; "
                f"got {flags.shape} {flags.dtype}"
            )
        return flags

    def reset(self) -> None:
        """Begins anew, as if nothing had been fed."""
        for layer in self._layers:
            layer.reset()

    @property
    def state(self) -> list[dict[str, Array]]:
        """Everything that the next step needs, a dict of arrays for each layer: copies, to be kept or saved."""
        return [layer.state for layer in self._layers]

    @state.setter
    def state(self, state: Any) -> None:
        now = self.state
        if not isinstance(state, (list, tuple)) or not all(isinstance(part, dict) for part in state):
            raise TypeError(f"the state of a stream is a list with a dict of arrays for each layer; got {state!r:.60}")
        given = [{name: np.asarray(a) for name, a in part.items()} for part in state]
        if len(given) != len(now) or not all(map(_alike, given, now)):
            raise ValueError(
                f"the state of this stream is {list(map(_sizes, now))}; got {list(map(_sizes, given))}: "
                "take it from a stream of the same model and batch_size"
            )
        for layer, part, like in zip(self._layers, given, now, strict=True):
            layer.state = {name: a.astype(like[name].dtype) if name in like else a for name, a in part.items()}


def _sizes(part: dict[str, Array]) -> dict[str, tuple[int, ...]]:
    return {name: a.shape for name, a in part.items()}


def _alike(one: dict[str, Array], other: dict[str, Array]) -> bool:
    """Whether both can be states of one layer. One that pools knows its features, and all its state, from step 1 on."""
    shared = one.keys() & other.keys()
    nested = shared in (one.keys(), other.keys()) and bool(shared) == bool(one or other)
    return nested and all(one[name].shape == other[name].shape for name in shared)


class _Afterwards(StepByStep):
    """A layer behind the one that ended time: it sees, at every step, what it would see if the sequence ended here."""

    def step(self, x: Array, mask: Array | None) -> tuple[Array, Array | None]:
        return self.layer(self.params, x, self.ctx)[0], None
