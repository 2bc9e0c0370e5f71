"""`Sequential`: the only object that owns numbers and changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Any

from rnnkit_kernels.types import Array

from . import losses, optimizers
from .batches import source
from .foreign import refuse
from .history import History
from .layers.base import Layer
from .metrics import get as metric_of
from .stack import Stack

__all__ = ["Sequential"]


class Sequential(Stack):
    """Layers in a row.

    layers   layers, first to last; an `Input`, or `input_shape=` on the first, builds the model at once
    backend  "auto", "numba", "numpy", or "cuda": what the kernels run on, and where the parameters lie
    dtype    "float32" or "float64", of parameters and of everything that goes through
    seed     decides weights, order of samples and dropout; None draws one, and `model.seed` tells it

    params   list of dicts, one for each layer
    Raises TypeError and ValueError for what is no layer, no backend, no dtype.
    """

    def __init__(
        self,
        layers: Iterable[Layer] = (),
        *,
        backend: str = "auto",
        dtype: str = "float32",
        seed: int | None = None,
        **other: Any,
    ) -> None:
        refuse("Sequential", other, ("layers", "backend", "dtype", "seed"))
        super().__init__(layers, backend, dtype, seed)
        self.optimizer: Any = None
        self.loss: Any = None
        self.metrics: list[Any] = []
        self.weighted_metrics: list[Any] = []
        self.stop_training = False
        self.history: History | None = None

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        metrics: Sequence[Any] | None = (),
        weighted_metrics: Sequence[Any] | None = (),
        **other: Any,
    ) -> None:
        """Chooses how to train: names as in Keras ("adam", "mse", "mae", ...) or objects. Begins the optimizer anew.

        metrics see the mask, weighted_metrics the sample weights too. What Keras takes beside (`run_eagerly`,
        `jit_compile`, `steps_per_execution`) is taken, and without effect.
        """
        refuse("compile", other, self.compile)
        chosen = optimizers.get(optimizer), None if loss is None else losses.get(loss)
        measured = [
            [metric_of(m) for m in (given if isinstance(given, (list, tuple)) else () if given is None else [given])]
            for given in (metrics, weighted_metrics)
        ]
        (self.optimizer, self.loss), (self.metrics, self.weighted_metrics) = chosen, measured
        self.optimizer_state = None

    def fit(
        self,
        x: Any,
        y: Any = None,
        batch_size: int | None = 32,
        epochs: int = 1,
        *,
        validation_data: Any = None,
        validation_split: float = 0.0,
        shuffle: bool = True,
        sample_weight: Any = None,
        class_weight: Any = None,
        mask: Any = None,
        lengths: Any = None,
        reset: Any = None,
        callbacks: Sequence[Any] = (),
        verbose: Any = "auto",
        tbptt: int | None = None,
        initial_epoch: int = 0,
        **other: Any,
    ) -> History:
        """Trains, and returns the history of loss and metrics by epoch.

        x, y             arrays, a row a sample; or x alone, any re-iterable of batches (x, y) or (x, y, sample_weight);
                         or x a list of samples of different length, padded once, and masked
        batch_size       rows of a batch; None is 32
        epochs           the epoch to end with, counted from 0; initial_epoch: the one to begin with
        validation_data  (x, y), (x, y, sample_weight), (x, y, sample_weight or None, mask), or an iterable of batches:
                         looked at after each epoch. `mask` and `lengths` of `fit` are of x alone
        validation_split the share of x, taken from its end before shuffling, that is kept out for validation
        shuffle          a new order of the samples each epoch, from the model's seed; an iterable keeps its own
        sample_weight    (B,), or (B, T) for outputs at each step;  class_weight: instead, class -> weight, in training
        mask             (B, T) bool, True where a step is real;  lengths: (B,) the real steps of each row, instead
        reset            (B, T) bool, True where a row begins anew: its state is the initial one before that step
        tbptt            reads every batch in pieces of so many steps: each is one step of the optimizer, from the state
                         that the piece before it ended in, through which no gradient goes; dropout is drawn for each
        verbose          "auto" (progress where there is a terminal), 0 silent, 1 a progress bar, 2 a line each epoch

        Keras' `validation_steps`, `steps_per_epoch` and the like are refused with what to do instead.
        On a GPU (backend="cuda") a batch goes up in every step and nothing comes down: the sums of the loss and the
        metrics do at the end of an epoch, in one transfer, and whether all weights are finite, in another; the loss of
        the first step of a run, too. Where a number is not finite, the epoch is done again by somebody who looks at
        every step, so that the error is the same, and the weights are as before that step. A callback that reads the
        logs of a batch waits for the GPU, as does each piece with a mask under `tbptt`.

        Ctrl-C ends training, and the step in hand is left out: the model keeps its weights (or gets the best ones back,
        with an `EarlyStopping` that says so), the history what was done, and `history.interrupted` is True.
        Raises ValueError and TypeError for data that does not fit, FloatingPointError, with the layer, gate, sample and
        step, where a number stops being finite; the weights stay as they were before.
        """
        from .training import fit, watchers

        refuse("fit", other, self.fit)
        batch_size = 32 if batch_size is None else batch_size
        validation = (validation_data, validation_split)
        data = {"x": x, "y": y, "batch_size": batch_size, "sample_weight": sample_weight, "class_weight": class_weight}
        data |= {"mask": mask, "lengths": lengths, "reset": reset}
        span = initial_epoch, epochs
        return fit(self, data, validation, span, shuffle, tbptt, watchers(callbacks), verbose)

    def train_on_batch(
        self,
        x: Any,
        y: Any,
        sample_weight: Any = None,
        class_weight: Any = None,
        mask: Any = None,
        lengths: Any = None,
        reset: Any = None,
        **other: Any,
    ) -> dict[str, float]:
        """One step of the optimizer; returns the loss before it, and the metrics. Arguments: `fit`.

        Always by name: what Keras returns with `return_dict=True`.
        """
        from .training import train_on_batch

        refuse("train_on_batch", other, self.train_on_batch)
        beside = {"sample_weight": sample_weight, "class_weight": class_weight, "mask": mask, "lengths": lengths}
        return train_on_batch(self, x, y, **beside, reset=reset)

    def evaluate(
        self,
        x: Any,
        y: Any = None,
        batch_size: int | None = 256,
        verbose: Any = 0,
        *,
        sample_weight: Any = None,
        mask: Any = None,
        lengths: Any = None,
        reset: Any = None,
        **other: Any,
    ) -> dict[str, float]:
        """Loss and metrics by name, without dropout; arguments as in `fit`.

        Always a dict, what Keras returns with `return_dict=True`: the loss first, then the metrics in the order of
        `compile`; `evaluate(x, y)[1]` is the first of them too. With a mask the loss is a mean of each batch's mean
        over its real values, as in Keras, and depends on batch_size, 256 or None for it (Keras: 32).
        Raises FloatingPointError where an output is not finite.
        """
        from .using import evaluate

        refuse("evaluate", other, self.evaluate)
        batch_size = 256 if batch_size is None else batch_size
        self.check_compiled()
        beside = {"sample_weight": sample_weight, "mask": mask, "lengths": lengths, "reset": reset}
        return evaluate(self, source(x, y, form=self.form, batch_size=batch_size, **beside), verbose)

    def predict(
        self,
        x: Any,
        batch_size: int | None = 256,
        verbose: Any = 0,
        *,
        mask: Any = None,
        lengths: Any = None,
        reset: Any = None,
        **other: Any,
    ) -> Array:
        """The outputs for x, an array or an iterable of batches, without dropout; `verbose=1` shows progress.

        mask, lengths, reset, and a list of samples of different length: as in `fit`. Raises FloatingPointError where an
        output is not finite.
        """
        from .using import predict

        refuse("predict", other, self.predict)
        batch_size = 256 if batch_size is None else batch_size
        beside = {"mask": mask, "lengths": lengths, "reset": reset}
        return predict(self, source(x, form=self.form, batch_size=batch_size, labelled=False, **beside), verbose)

    @property
    def trainable(self) -> bool:
        """Whether training moves any layer. It is said of each when it is made: `Dense(1, trainable=False)`."""
        return any(layer.trainable for layer in self.layers)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        raise AttributeError("a layer is frozen when it is made, Dense(1, trainable=False): set nothing on the model")

    def check_compiled(self) -> None:
        """Raises ValueError unless there is a loss to train with."""
        if self.loss is None:
            raise ValueError("the model does not know its loss; call model.compile(optimizer, loss) first")

    def summary(self) -> str:
        """Layers, output shapes and parameter counts, as text that shows itself in a notebook or a prompt."""
        from .summary import summary

        return summary(self)

    def count_params(self) -> int:
        """How many numbers the model's weights are, learned or not."""
        self.check_built("count_params")
        return sum(w.size for params in self.params for w in params.values())

    def save(self, path: str | PathLike[str]) -> None:
        """Writes weights and configuration to one safetensors file, whole or not at all; `rnnkit.load` reads it."""
        from .saving import save

        save(self, path)
