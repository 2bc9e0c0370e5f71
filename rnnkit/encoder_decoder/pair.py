"""Two stacks of layers as one function with parameters: what an `EncoderDecoder` is before it learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rnnkit_kernels.backends import Backend
from rnnkit_kernels.backends import backend as backend_of
from rnnkit_kernels.types import Array

from ..batches import Batch, Form
from ..chain import Back, shape_in_a_row
from ..context import Context
from ..layers.base import Layer, Params, Shape
from ..layers.container import refuse_stateful
from ..layers.recurrent import Recurrent
from ..model import Sequential
from ..placing import there
from ..weights import listed, taken
from .bridge import Bridge, States, build_bridge
from .forcing import mixed
from .passes import decode, encode, giving
from .steps import Steps
from .tokens import Vocabulary

__all__ = ["Pair", "decoder_shape"]


class Pair:
    """Encoder, bridge and decoder. For the arguments see `EncoderDecoder`."""

    def __init__(
        self, encoder: Any, decoder: Any, start: int, end: int | None, pad: int | None,
        backend: str, dtype: str, seed: int | None,
    ) -> None:  # fmt: skip
        backend_of(backend)  # told of the model, and not of its first side, where there is none
        sequence = np.random.SeedSequence(seed)
        self.seed = sequence.entropy
        seeds = (int(n) for n in sequence.generate_state(2, np.uint64))
        self.order_rng, self.dropout_rng = map(np.random.default_rng, sequence.spawn(2))
        self.encoder, self.decoder = (
            _stack(side, given, backend, dtype, number)
            for side, given, number in zip(("encoder", "decoder"), (encoder, decoder), seeds, strict=True)
        )
        self.dtype = self.encoder.dtype
        _check_decoder(self.decoder.layers)
        first = self.decoder.layers[0]
        self.one_hot = not first.takes_indices
        shape = decoder_shape(self.decoder.layers)
        self.decoder.accept(shape)
        size = self.decoder.output_shape[-1]
        assert size is not None
        known = size if self.one_hot else getattr(first, "input_dim", size)
        self.vocabulary = Vocabulary(size, known, start, end, pad)
        self.bridge: Bridge | None = build_bridge(self.encoder.layers, self.decoder.layers, None)
        self.teacher_forcing = 1.0
        self.states: States = {}
        if self.encoder.built:
            self.accept(self.encoder.input_shape)

    def accept(self, shape: Shape) -> None:
        """Builds the model for x of that shape, batch included, or refuses a shape that it was not built for."""
        if self.bridge is None:
            out = shape_in_a_row(self.encoder.layers, shape)
            self.bridge = build_bridge(self.encoder.layers, self.decoder.layers, out)
        self.encoder.accept(shape)

    @property
    def built(self) -> bool:
        return self.encoder.built and self.bridge is not None

    @property
    def layers(self) -> list[Layer]:
        """Those of the encoder, then those of the decoder."""
        return [*self.encoder.layers, *self.decoder.layers]

    @property
    def params(self) -> list[Params]:
        """A dict for each layer."""
        return [*self.encoder.params, *self.decoder.params]

    @params.setter
    def params(self, params: Sequence[Params]) -> None:
        at = len(self.encoder.params)
        self.encoder.params, self.decoder.params = list(params[:at]), list(params[at:])

    @property
    def form(self) -> Form:
        """What the border makes of what users hand in."""
        form = self.encoder.form
        return form if self.backend.place is None else replace(form, targets=self.vocabulary.targets)

    @property
    def backend(self) -> Backend:
        """Where both sides run."""
        return self.encoder.backend

    @backend.setter
    def backend(self, backend: Backend) -> None:
        self.encoder.backend = self.decoder.backend = backend

    @property
    def sides(self) -> tuple[Sequential, ...]:
        """The rows of layers that the model is made of."""
        return self.encoder, self.decoder

    @property
    def logits(self) -> bool:
        """Whether the decoder ends without a softmax, and gives what one would be taken of."""
        return getattr(self.decoder.layers[-1], "activation", None) != "softmax"

    def run_batch(self, batch: Batch, ctx: Context, carried: Any = None) -> tuple[Array, Array | None, Back]:
        """One pass over sources and targets: the output (B, T, V), where targets are real, and the way back.

        With `ctx.rng` the decoder reads a share `teacher_forcing` of the truth and its own choices else; without it the
        truth. The gradient is that for what was read: a choice has none.
        """
        tokens, mask = self.vocabulary.targets(batch.y)
        y, starts, back_encoder = self._encode(batch.x, ctx)
        read = self.vocabulary.shifted(tokens, mask)
        if ctx.rng is not None and self.teacher_forcing < 1:
            steps = self.steps(starts, ctx.kernels, self.decoder.params)
            read = mixed(steps, read, self.teacher_forcing, ctx.rng, ctx.kernels)
        rows = self.vocabulary.rows(read, self.dtype) if self.one_hot else read
        here, first = replace(ctx, mask=mask), len(self.encoder.layers)
        out, back_decoder = decode(self.decoder.layers, self.decoder.params, rows, starts, here, first)

        def back(dy: Array) -> tuple[list[Params], Array]:
            if dy.shape != out.shape:
                raise ValueError(f"dy is dL/dy, of the shape of y, {out.shape}; got {dy.shape}")
            dparams, dstarts = back_decoder(dy)
            assert self.bridge is not None
            before, dx = back_encoder(*self.bridge.back(y, dstarts))
            return [*before, *dparams], dx

        return out, mask, back

    def _encode(self, x: Array, ctx: Context) -> tuple[Array, States, Any]:
        assert self.bridge is not None
        layers = giving(self.encoder.layers, self.bridge.handed)
        y, states, back = encode(layers, self.encoder.params, x, ctx)
        return y, self.bridge.start(y, states), back

    def starts(self, x: Array, mask: Array | None) -> States:
        """The decoder's first states for x, without dropout and without a way back; all lie where the model does."""
        return self._encode(x, Context(self.backend, mask, tape=False))[1]

    def steps(self, starts: States, kernels: Backend, params: list[Params]) -> Steps:
        """The decoder with those parameters, fed one token at a time from there; all lie where the kernels run."""
        ctx = Context(kernels, tape=False)
        return Steps(self.decoder.layers, params, starts, ctx, self.vocabulary, self.one_hot, self.logits)

    def learned(self, tree: Any) -> Any:
        """The part of a tree nested like `params` that training moves."""
        at = len(self.encoder.layers)
        return [*self.encoder.learned(tree[:at]), *self.decoder.learned(tree[at:])]

    def penalty(self) -> tuple[float, list[Params]]:
        """What all regularizers add to the loss, and the gradient of that, for the weights that have one."""
        (one, slopes), (other, more) = self.encoder.penalty(), self.decoder.penalty()
        return one + other, [*slopes, *more]

    def get_weights(self) -> list[Array]:
        """Copies of all weights, the encoder's first, each layer's in Keras' order and shapes."""
        self.check_built("get_weights")
        return [a for arrays in listed(self.layers, self.params) for a in arrays]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Takes weights in the order of `get_weights`; ValueError names the first that does not fit; none is taken."""
        self.check_built("set_weights")
        self.params = there(self.backend, taken(self.layers, self.params, weights, self.dtype))

    def check_built(self, what: str) -> None:
        """Raises ValueError unless there are weights."""
        if not self.built:
            raise ValueError(f"{what} needs a built model: call model.build(shape of x) or use it on data first")


def _stack(side: str, given: Any, backend: str, dtype: str, seed: int) -> Sequential:
    """A layer, several, or a Sequential, as a model of our own; one that is built brings its weights."""
    layers = [given] if isinstance(given, Layer) else given.layers if isinstance(given, Sequential) else given
    if not isinstance(layers, (list, tuple)) or not layers:
        raise TypeError(f"the {side} is a layer, a list of layers or a Sequential; got {given!r:.60}")
    built = given if isinstance(given, Sequential) and given.built else None
    try:
        stack = Sequential(layers, backend=backend, dtype=dtype, seed=seed)
        for layer in stack.layers:
            refuse_stateful(f"the {side}", layer, "every sample begins anew")
        if built is not None:
            stack.accept(built.input_shape)
            stack.set_weights(built.get_weights())
    except (TypeError, ValueError) as error:
        raise type(error)(f"{side}: {error}") from None
    return stack


def _check_decoder(layers: Sequence[Layer]) -> None:
    """Refuses, in a sentence, a decoder that cannot write one token after another."""
    if not any(isinstance(layer, Recurrent) for layer in layers):
        raise ValueError("the decoder has no recurrent layer, and nothing that could begin in the encoder's state")
    for k, layer in enumerate(layers):
        kind = f"layer {k} {type(layer).__name__} of the decoder"
        if not isinstance(layer, Recurrent):
            if not layer.stepwise:
                raise ValueError(f"{kind} looks at other steps: it takes recurrent layers and what looks at one step")
            continue
        if layer.go_backwards:
            raise ValueError(f"{kind} reads from the end, which is not written yet: leave go_backwards out")
        if not layer.return_sequences:
            raise ValueError(f"{kind} returns its last step alone: pass return_sequences=True")
        if layer.initial_state == "learned":
            raise ValueError(f"{kind} begins in the encoder's state: leave initial_state='learned' out")


def decoder_shape(layers: Sequence[Layer]) -> Shape:
    """What a decoder takes: tokens (None, None), or one-hot rows (None, None, V), as wide as its output.

    Raises ValueError where the last layer does not say how wide that is.
    """
    if layers[0].takes_indices:
        return (None, None)
    size = shape_in_a_row(layers, (None, None, 1))[-1]  # whatever it reads, its last layer writes as many
    if shape_in_a_row(layers, (None, None, 2))[-1] != size:
        raise ValueError("the decoder's last layer does not say how many tokens there are: end it with Dense(tokens)")
    return (None, None, size)
