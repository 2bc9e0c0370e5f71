"""An encoder-decoder with its loss, as a function of its parameters, its input and the states beside its bridge."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnkit_kernels.types import Array

from ..batches import checked
from ..encoder_decoder.bridge import Bridge, States
from ..encoder_decoder.forcing import share_of
from ..encoder_decoder.model import EncoderDecoder
from ..placing import there
from .compare import Element, Report, Settings
from .models import Part, Point, check_parts, refuse_float32

__all__ = ["check_pair"]


def check_pair(
    model: EncoderDecoder,
    settings: Settings,
    x: Any,
    y: Any,
    loss: Any = None,
    *,
    mask: Any = None,
    lengths: Any = None,
    sample_weight: Any = None,
    teacher_forcing: float = 1.0,
) -> Report:
    """An encoder-decoder that reads the truth, with its loss (None: the compiled one, or the usual) and its penalties.

    What the encoder hands to the bridge, and the states in which the decoder begins, are arguments too: where the one
    is wrong and the other right, the bridge is to blame.
    With a share `teacher_forcing` below 1 the decoder reads its own choices between, drawn from the seed, and dropout
    is on: the gradient is that for what is read.
    """
    refuse_float32(model)
    measure = model.loss_of(model.loss if loss is None else loss)
    x, y, lengths = model.border(x, y, lengths)
    data = checked(model.form, x, y, mask=mask, lengths=lengths, sample_weight=sample_weight)
    model.accept(data.x.shape)
    titles = [
        f"{side} layer {k} {type(layer).__name__}"
        for side, stack in (("encoder", model.encoder), ("decoder", model.decoder))
        for k, layer in enumerate(stack.layers)
    ]
    bridge, share = model.bridge, model.teacher_forcing
    assert bridge is not None
    model.teacher_forcing = share_of(teacher_forcing)
    model.bridge = probe = _Probe(bridge, titles, len(model.encoder.layers))
    try:
        model.starts(*there(model.backend, (data.x, data.mask)))  # shows the probe what is handed over
        parts: list[Part] = [(data, slice(None), None)]
        return check_parts(
            model, titles, data.x, parts, measure, settings, inner=probe, drawn=model.teacher_forcing < 1
        )
    finally:
        model.bridge, model.teacher_forcing = bridge, share


class _Probe(Bridge):
    """A bridge with something added to what goes in and to what comes out, and what was met on the way back.

    given, begun   names of what the encoder hands over and of the decoder's first states
    """

    def __init__(self, bridge: Bridge, titles: list[str], first: int) -> None:
        self._bridge, self._titles, self._first = bridge, titles, first
        self.point: Point = {}
        self.met: Point = {}
        self._added: Point | None = None
        self.given: set[str] = set()
        self.begun: set[str] = set()

    @property
    def handed(self) -> frozenset[int]:  # type: ignore[override]
        return self._bridge.handed

    def put(self, at: Point) -> None:
        self._added = at

    def start(self, y: Array, states: States) -> States:
        y = y if self.handed else self._add(self.given, _OUTPUT, y)
        given = {k: {n: self._add(self.given, self._last(k, n), a) for n, a in s.items()} for k, s in states.items()}
        begun = self._bridge.start(y, given)
        return {k: {n: self._add(self.begun, self._begins(k, n), a) for n, a in s.items()} for k, s in begun.items()}

    def back(self, y: Array, dstarts: States) -> tuple[Array | None, States]:
        self.met = {self._begins(k, n): d for k, s in dstarts.items() for n, d in s.items()}
        dy, dstates = self._bridge.back(y, dstarts)
        self.met |= {self._last(k, n): d for k, s in dstates.items() for n, d in s.items()}
        self.met |= {} if dy is None else {_OUTPUT: dy}
        return dy, dstates

    def suspect(self, wrong: tuple[Element, ...]) -> str | None:
        arrays = {element.array for element in wrong}
        if begun := sorted(arrays & self.begun):
            return f"the decoder: {begun[0]}, where it begins, has a wrong gradient"
        if given := sorted(arrays & self.given):
            return f"the bridge: {given[0]} has a wrong gradient, and the decoder's first states have right ones"
        if any(name.startswith("encoder") for name in arrays):
            return "the encoder: what it hands to the decoder has a right gradient"
        return None

    def _add(self, side: set[str], name: str, a: Array) -> Array:
        if self._added is None:
            self.point[name] = np.zeros(a.shape)
            side.add(name)
            return a
        return a + self._added[name]

    def _last(self, place: int, name: str) -> str:
        return f"{self._titles[place]}, last {name}"

    def _begins(self, place: int, name: str) -> str:
        return f"{self._titles[self._first + place]}, first {name}"


_OUTPUT = "encoder output"
