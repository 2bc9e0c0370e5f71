"""`EncoderDecoder`: reads a whole sequence, or a vector, and writes another sequence token by token."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from typing import Any

import numpy as np

from rnnkit_kernels.types import Array

from .. import losses, optimizers, ragged
from ..batches import checked, from_arrays, source
from ..border import whole
from ..chain import Back
from ..context import Context
from ..foreign import refuse
from ..history import History
from ..metrics import get as metric_of
from ..placing import batch_there, handed_out, here, stepping
from .decoding import Decoded, beam, greedy
from .forcing import Forcing
from .ready import Ready
from .steps import Steps

__all__ = ["EncoderDecoder"]


class EncoderDecoder(Ready):
    """An encoder's last state begins a decoder, which writes a sequence of tokens (Cho et al. 2014, arXiv:1406.1078;
    Sutskever, Vinyals & Le 2014, arXiv:1409.3215).

    encoder  a layer, a list of layers or a `Sequential`; a built one brings its weights. It ends in a recurrent layer,
             whose last state is handed on, layer by layer where both sides have as many recurrent layers and to all of
             the decoder's otherwise; or in a vector (B, N), such as that of a Dense layer over an image: N numbers for
             all states of the decoder one after another, or as wide as h, for the h of each of its layers
    decoder  layers that look at one step and recurrent ones with return_sequences=True, the last one as wide as there
             are tokens: [Embedding(V, 16), GRU(64, return_sequences=True), Dense(V, "softmax")]. Without an Embedding
             it reads one-hot rows. Without the softmax its output is taken for logits
    start    the token that is read before the first is written;  end: the one written after the last, None where all
             outputs are as long as `max_length`;  pad: what fills targets up at their end, None where none does
    backend, dtype, seed  as of a `Sequential`; the seed decides the tokens drawn for teacher forcing too

    x is what the encoder takes, y tokens (B, T), the end token among them: `start` is put before it by the model.
    `model.encoder` and `model.decoder` are `Sequential`s of their own.
    On a GPU (backend="cuda") it learns and is evaluated as a `Sequential` is, see its `fit`: nothing comes down in a
    step, those included in which the decoder reads its own choices. Where it writes, the encoder reads on the GPU, and
    the decoder takes its steps on the CPU: parameters and first states are brought down, a step of a few rows being
    done sooner there than it is asked of the GPU.
    Raises TypeError and ValueError, in a sentence, for layers and tokens that do not go together.
    """

    def __init__(
        self,
        encoder: Any,
        decoder: Any,
        *,
        start: int = 1,
        end: int | None = 2,
        pad: int | None = 0,
        backend: str = "auto",
        dtype: str = "float32",
        seed: int | None = None,
    ) -> None:
        super().__init__(encoder, decoder, start, end, pad, backend, dtype, seed)
        self.optimizer: Any = None
        self.optimizer_state: Any = None
        self.loss: Any = None
        self.metrics: list[Any] = []
        self.weighted_metrics: list[Any] = []
        self.stop_training = False
        self.history: History | None = None

    def __repr__(self) -> str:
        return f"EncoderDecoder({self.encoder!r}, {self.decoder!r})"

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Draws the parameters for x of that shape, batch included. Raises ValueError for one that does not fit."""
        self.accept(tuple(input_shape))

    def compile(
        self, optimizer: Any = "adam", loss: Any = None, metrics: Sequence[Any] | None = ("accuracy", "exact_match"),
        weighted_metrics: Sequence[Any] | None = (), **other: Any,
    ) -> None:  # fmt: skip
        """Chooses how to train. loss: None is the cross-entropy of the tokens, from logits where there is no softmax.

        "accuracy" is the share of tokens that are right, "exact_match" of whole rows, see `metrics.ExactMatch`.
        Raises ValueError where the loss takes logits and the decoder has a softmax, or the reverse.
        """
        refuse("compile", other, self.compile)
        chosen = self.loss_of(loss)
        measured = [[metric_of(m) for m in given or ()] for given in (metrics, weighted_metrics)]
        self.optimizer, self.loss = optimizers.get(optimizer), chosen
        (self.metrics, self.weighted_metrics), self.optimizer_state = measured, None

    def loss_of(self, given: Any) -> Any:
        """The loss that `compile` makes of what it is given, None for the usual one; raises what it raises."""
        usual = losses.SparseCategoricalCrossentropy(from_logits=self.logits)
        chosen = losses.get(usual if given is None else given)
        if getattr(chosen, "from_logits", self.logits) != self.logits:
            has, takes = ("no softmax", "probabilities") if self.logits else ("a softmax", "logits")
            raise ValueError(f"the decoder ends in {has} and {chosen!r} takes {takes}: leave the loss out")
        return chosen

    def check_compiled(self) -> None:
        """Raises ValueError unless there is a loss to train with."""
        if self.loss is None:
            raise ValueError("the model does not know its optimizer; call model.compile(optimizer) first")

    def fit(
        self,
        x: Any,
        y: Any = None,
        batch_size: int | None = 32,
        epochs: int = 1,
        *,
        teacher_forcing: float | Callable[[int], float] = 1.0,
        validation_data: Any = None,
        validation_split: float = 0.0,
        shuffle: bool = True,
        sample_weight: Any = None,
        mask: Any = None,
        lengths: Any = None,
        callbacks: Any = (),
        verbose: Any = "auto",
        initial_epoch: int = 0,
        **other: Any,
    ) -> History:
        """Trains, and returns the history by epoch. What is not named here is as in `Sequential.fit`.

        x, y             sources and targets: arrays, lists of rows of different length, or x alone, batches (x, y)
        teacher_forcing  the share of steps at which the decoder reads the true token before, the rest reads its own
                         likeliest choice (scheduled sampling, Bengio et al. 2015, arXiv:1506.03099); a function of the
                         epoch, from 0, such as `schedules.PolynomialDecay(1.0, 10, 0.5)`, is asked before each
        mask, lengths    of the sources; targets have their padding
        """
        from ..training import fit, watchers

        refuse("fit", other, self.fit)
        x, y, lengths = self.border(x, y, lengths)
        if isinstance(validation_data, (tuple, list)) and len(validation_data) == 2:
            vx, vy, seen = self.border(validation_data[0], validation_data[1], None)
            validation_data = (vx, vy) if seen is None else (vx, vy, None, np.arange(vx.shape[1]) < seen[:, None])
        data = {"x": x, "y": y, "batch_size": 32 if batch_size is None else batch_size, "sample_weight": sample_weight}
        data |= {"class_weight": None, "mask": mask, "lengths": lengths, "reset": None}
        watching = (Forcing(teacher_forcing), *watchers(callbacks))
        model: Any = self
        return fit(
            model, data, (validation_data, validation_split), (initial_epoch, epochs), shuffle, None, watching, verbose
        )

    def train_on_batch(
        self, x: Any, y: Any, sample_weight: Any = None, *, mask: Any = None, lengths: Any = None
    ) -> dict[str, float]:
        """One step of the optimizer, at the present `teacher_forcing`; returns the loss before it, and the metrics."""
        from ..training import train_on_batch

        x, y, lengths = self.border(x, y, lengths)
        model: Any = self
        return train_on_batch(model, x, y, sample_weight=sample_weight, mask=mask, lengths=lengths)

    def evaluate(
        self, x: Any, y: Any = None, batch_size: int = 256, verbose: Any = 0,
        *, sample_weight: Any = None, mask: Any = None, lengths: Any = None,
    ) -> dict[str, float]:  # fmt: skip
        """Loss and metrics by name, reading the truth, without dropout: the tokens' accuracy given those before, and
        the share of rows that `greedy` writes exactly."""
        from ..using import evaluate

        self.check_compiled()
        x, y, lengths = self.border(x, y, lengths)
        data = source(
            x, y, form=self.form, batch_size=batch_size, sample_weight=sample_weight, mask=mask, lengths=lengths
        )
        model: Any = self
        return evaluate(model, data, verbose)

    def greedy(
        self, x: Any, max_length: int, *, batch_size: int = 256, mask: Any = None, lengths: Any = None
    ) -> Decoded:
        """Writes the likeliest token at each step, until the end token or `max_length` tokens; rows that have ended
        are held. Raises ValueError for x that does not fit, FloatingPointError where a number stops being finite."""
        limit = whole("max_length", max_length, least=1)
        parts = [greedy(steps, rows, limit) for steps, rows in self._decoders(x, 1, batch_size, mask, lengths)]
        return Decoded(*map(np.concatenate, zip(*parts, strict=True)))

    def predict(self, x: Any, max_length: int, **beside: Any) -> Array:
        """The sequences of `greedy` alone: (B, max_length)."""
        return self.greedy(x, max_length, **beside).sequences

    def beam(
        self, x: Any, width: int, max_length: int, *, length_penalty: float = 0.0, batch_size: int = 256,
        mask: Any = None, lengths: Any = None,
    ) -> Decoded:  # fmt: skip
        """The `width` likeliest sequences that a beam of that width finds, best first (Graves 2012, Sutskever 2014).

        length_penalty  sequences are ranked by log p / length^length_penalty: 0 for log p itself, which favours short
                        ones, 1 for the mean over the tokens
        returns         sequences (B, width, max_length), log probabilities and lengths (B, width): see `Decoded`
        raises          as `greedy`, and ValueError for a width below 1 or a negative penalty
        """
        width, limit = whole("width", width, least=1), whole("max_length", max_length, least=1)
        if isinstance(length_penalty, bool) or not 0 <= length_penalty < np.inf:
            raise ValueError(f"length_penalty is a number from 0 up, got {length_penalty!r}")
        decoders = self._decoders(x, width, batch_size, mask, lengths)
        parts = [beam(steps, rows, width, limit, length_penalty) for steps, rows in decoders]
        return Decoded(*map(np.concatenate, zip(*parts, strict=True)))

    def forward(
        self, x: Any, y: Any, *, mask: Any = None, lengths: Any = None, rng: np.random.Generator | None = None
    ) -> tuple[Array, Back]:
        """The output (B, T, V) where the decoder reads y, and pullback(dy) -> (dparams, dx). With `rng` as in training:
        dropout, and its own choices where `teacher_forcing` is below 1."""
        x, y, lengths = self.border(x, y, lengths)
        data = checked(self.form, x, y, mask=mask, lengths=lengths)
        self.accept(data.x.shape)
        data = batch_there(self.backend, data)
        out, _, pullback = self.run_batch(data, Context(self.backend, data.mask, rng))
        return (out, pullback) if self.backend.place is None else handed_out(self.backend, out, pullback)

    def save(self, path: str | PathLike[str]) -> None:
        """Writes weights and configuration to one safetensors file, whole or not at all; `rnnkit.load` reads it."""
        from .saving import save

        save(self, path)

    def border(self, x: Any, y: Any, lengths: Any) -> tuple[Any, Any, Any]:
        """Lists of rows of different length as arrays, and targets checked while their rows have their places."""
        x = ragged.as_list(x)
        if lengths is None and ragged.is_ragged(x, self.form.rank):
            x, _, lengths = ragged.pad(x)
        if y is not None:
            y = self.vocabulary.padded(y)
            self.vocabulary.targets(y)
        return x, y, lengths

    def _decoders(self, x: Any, width: int, batch_size: int, mask: Any, lengths: Any) -> Iterator[tuple[Steps, int]]:
        """For each batch of x the decoder at its first states, `width` rows a sample, and the number of samples."""
        x, _, lengths = self.border(x, None, lengths)
        data = checked(self.form, x, mask=mask, lengths=lengths)
        self.accept(data.x.shape)
        kernels, params = stepping(self.backend, self.decoder.params)
        for given in from_arrays(data, batch_size).batches(None):
            batch = batch_there(self.backend, given)
            starts = here(self.starts(batch.x, batch.mask))
            wide = {k: {n: a.repeat(width, axis=0) for n, a in state.items()} for k, state in starts.items()}
            yield self.steps(wide, kernels, params), len(batch.x)
