"""What can be asked of an encoder-decoder before it is used: its tables, its kernels, and to have them made."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..accounts import filled
from ..border import whole
from ..explain import Side, explain_sides
from ..layers.recurrent import Recurrent
from ..placing import here, stepping
from ..summary import Summary
from ..warming import warm_layers, warm_optimizer, warm_shape
from .pair import Pair

__all__ = ["Ready"]


class Ready(Pair):
    """A pair that does for both sides what `rnnkit.ready` does for layers in a row."""

    def summary(self) -> str:
        """Both sides, each as a table."""
        return Summary(f"encoder\n{self.encoder.summary()}\n\ndecoder\n{self.decoder.summary()}")

    def count_params(self) -> int:
        """How many numbers the model's weights are."""
        return self.encoder.count_params() + self.decoder.count_params()

    def explain(
        self, batch_size: int = 32, steps: int | None = None, training: bool = True, measure: bool = False,
        *, length: int | None = None,
    ) -> str:  # fmt: skip
        """Which kernel runs and why, layer by layer, first the encoder's and then the decoder's: see
        `Sequential.explain`.

        steps     of x; None takes those that the encoder was built for
        length    tokens of y; None takes as many as x has steps
        training  as `fit` runs it; else as `evaluate` does, where the decoder reads the truth too

        Raises ValueError as `Sequential.explain`, and where `length` is not given and x has no steps.
        """
        self.check_built("explain")
        steps = None if steps is None else whole("steps", steps, 1)
        x = filled(self.encoder, whole("batch_size", batch_size, 1), steps)
        if length is None and isinstance(self.encoder.layers[-1], Recurrent):
            length = x[1]
        if length is None:
            raise ValueError("x has no steps that would tell how many tokens y has: say how many, such as length=20")
        y = filled(self.decoder, batch_size, whole("length", length, 1))
        sides = [Side("encoder", self.encoder, x), Side("decoder", self.decoder, y)]
        return explain_sides(
            sides, "fit: forward and back" if training else "evaluate: forward alone", training, measure
        )

    def warmup(
        self, batch_size: int = 32, steps: int | None = None, training: bool = True, verbose: Any = "auto",
        *, length: int | None = None,
    ) -> None:  # fmt: skip
        """Compiles what both sides need, or finds it compiled, by one pass over zeros, and one step of decoding.

        steps, length  of x and y, as they will be; two where the model takes any number. The rest: `Sequential.warmup`
        Nothing of the model changes. Raises ValueError for an unbuilt model and for steps that are too few.
        """
        self.check_built("warmup")
        shape = warm_shape(self.encoder, batch_size, steps)
        written = warm_shape(self.decoder, batch_size, None if length is None else whole("length", length, 1))
        warm_layers([("encoder ", self.encoder, shape), ("decoder ", self.decoder, written)], training, verbose)
        x = self.backend.xp.zeros([n or 1 for n in shape], self.form.x)
        kernels, params = stepping(self.backend, self.decoder.params)
        writing = self.steps(here(self.starts(x, None)), kernels, params)
        writing.log_probabilities(np.full(len(x), self.vocabulary.start))
        if training:
            warm_optimizer(self)
