"""Residual: what some layers make of x is added to x."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rnnkit_kernels.types import Array

from ..chain import reach_in_a_row, through
from ..context import DETERMINISTIC, Context
from .base import Layer, Params, Pullback, Shape, check_cotangent
from .container import Container, refuse_stateful
from .streams import LayerStream

__all__ = ["PartStreams", "Residual"]

# A number of steps that stands for "any": no window is as long, and no stride or pooling leaves it as it is.
_ANY_LENGTH = 1 << 30


@dataclass(frozen=True, repr=False)
class Residual(Container):
    """y = x + f(x), f being one layer or several in a row. x, y: the same shape, whatever f takes.

    layers  a layer, or a list or tuple of them; they are kept as a tuple

    Weights: those of the layers, in their order, named "0.W", "1.W", ... The mask goes through the layers, and the one
    of x holds for y. Streams where all its layers do.

    Raises TypeError for what is no layer; ValueError for a layer that has several outputs, is stateful or takes
    indices, and, when weights are made, where the layers change the shape.
    Source: He et al. 2016, arXiv:1512.03385, eq. 1.
    """

    layers: Any = ()

    def __post_init__(self) -> None:
        given = (self.layers,) if isinstance(self.layers, Layer) else self.layers
        if not isinstance(given, (list, tuple)) or not given:
            raise TypeError(f"Residual takes a layer or a list of layers; got {self.layers!r}")
        for layer in given:
            if not isinstance(layer, Layer):
                hint = ": write it with its brackets" if isinstance(layer, type) else ""
                raise TypeError(f"Residual takes layers; got {layer!r}{hint}")
            if layer.several_outputs is not None:
                raise ValueError(
                    f"{type(layer).__name__}({layer.several_outputs}) has several outputs and Residual adds one to x"
                )
            refuse_stateful("Residual", layer, "a state goes on from batch to batch in a model's own layers only")
        if given[0].takes_indices:
            kind = type(given[0]).__name__
            raise ValueError(f"{kind} takes indices, to which nothing can be added: put it before Residual")
        object.__setattr__(self, "layers", tuple(given))

    def make_parts(self) -> dict[str, Layer]:
        return {str(k): self.as_part(layer) for k, layer in enumerate(self.layers)}

    @property
    def reach(self) -> tuple[float, int]:
        return reach_in_a_row(self.layers)

    def plan(self, shape: Shape) -> tuple[dict[str, tuple[int, ...]], Shape]:
        found: dict[str, dict[str, tuple[int, ...]]] = {}
        out = shape
        for part, layer in self.parts.items():
            try:
                found[part], out = layer.plan(out)
            except ValueError as error:
                raise ValueError(f"Residual: layer {part} {type(layer).__name__}: {error}") from None
        self._keeps(shape, out)
        if len(shape) > 1 and shape[-2] is None:  # any length: then one that is known must come out as it went in
            like = (*shape[:-2], _ANY_LENGTH, shape[-1])
            out = like
            for layer in self.layers:
                out = layer.plan(out)[1]
            self._keeps(like, out)
        return self.join(found), shape

    @staticmethod
    def _keeps(shape: Shape, out: Shape) -> None:
        if out != shape:
            raise ValueError(
                f"Residual adds f(x) to x: its layers must keep the shape, and they make "
                f"{_spelt(out)} of {_spelt(shape)}; pad with 'same' or 'causal', and end with as many features as x has"
            )

    def next_reset(self, reset: Array | None, x: Array) -> Array | None:
        """The flags of x hold for y; raises ValueError where one of the layers looks across them."""
        for layer in self.layers:
            layer.next_reset(reset, x)
        return reset

    def __call__(self, params: Params, x: Array, ctx: Context = DETERMINISTIC) -> tuple[Array, Pullback]:
        by_part = self.split(params)
        y, _, through_layers = through(list(self.parts.values()), list(by_part.values()), x, ctx.but(dx=True), {})
        self._keeps(x.shape, y.shape)

        def back(dy: Array) -> tuple[Params, Array]:
            check_cotangent("Residual", dy, x.shape)
            dparams, dx = through_layers(dy)
            return self.join(dict(zip(by_part, dparams, strict=True))), dx + dy

        return x + y, back

    def stream(self, params: Params, rows: int, ctx: Context = DETERMINISTIC) -> _ResidualStream:
        by_part = self.split(params)
        return _ResidualStream({k: layer.stream(by_part[k], rows, ctx) for k, layer in self.parts.items()})


def _spelt(shape: Shape) -> str:
    return f"({', '.join('steps' if n == _ANY_LENGTH else str(n) for n in shape)})"


class PartStreams:
    """The streams of a layer's parts: begun anew, and their states taken and given, together."""

    def __init__(self, streams: Mapping[str, LayerStream]) -> None:
        self._streams = streams

    def reset(self) -> None:
        for stream in self._streams.values():
            stream.reset()

    def through(self, part: str, x: Array, mask: Array | None) -> tuple[Array, Array | None]:
        """One step of a part that has an output at every step."""
        given = self._streams[part].step(x, mask)
        if given is None:
            raise ValueError(f"part {part} has no output at this step, and the layer around it needs one at every step")
        return given

    @property
    def state(self) -> dict[str, Array]:
        return Container.join({part: stream.state for part, stream in self._streams.items()})

    @state.setter
    def state(self, state: dict[str, Array]) -> None:
        for part, stream in self._streams.items():
            stream.state = {k.partition(".")[2]: v for k, v in state.items() if k.partition(".")[0] == part}


class _ResidualStream(PartStreams):
    def step(self, x: Array, mask: Array | None) -> tuple[Array, Array | None]:
        y, real = x, mask
        for part in self._streams:
            y, real = self.through(part, y, real)
        return x + y, mask
