"""Between the two: what of the encoder becomes the state that the decoder begins with, and the way back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np

from rnnkit_kernels.types import Array

from ..layers.base import Layer, Shape
from ..layers.recurrent import Recurrent, State

__all__ = ["Bridge", "States", "build_bridge", "recurrent_places"]

States = dict[int, State]  # by the place of a recurrent layer among the layers of its side


class Bridge(ABC):
    """From the encoder's output and last states to the decoder's first ones; `back` is the adjoint of `start`.

    handed  the places of the encoder's layers whose last states are read
    """

    handed: frozenset[int] = frozenset()

    @abstractmethod
    def start(self, y: Array, states: States) -> States:
        """y: the encoder's output; states: the last ones of the layers in `handed`."""

    @abstractmethod
    def back(self, y: Array, dstarts: States) -> tuple[Array | None, States]:
        """dL/d(first states) -> dL/dy, None where y is not read, and dL/d(last states)."""


@dataclass(frozen=True)
class _Handed(Bridge):
    """Last states as they are. giver: by the decoder's place, that of the encoder's layer whose state it takes."""

    giver: dict[int, int]

    @property
    def handed(self) -> frozenset[int]:  # type: ignore[override]
        return frozenset(self.giver.values())

    def start(self, y: Array, states: States) -> States:
        return {place: dict(states[giver]) for place, giver in self.giver.items()}

    def back(self, y: Array, dstarts: States) -> tuple[Array | None, States]:
        total: States = {}
        for place, giver in self.giver.items():
            before = total.get(giver)
            given = dstarts[place]
            total[giver] = given if before is None else {name: before[name] + given[name] for name in given}
        return None, total


@dataclass(frozen=True)
class _Vector(Bridge):
    """Columns of a vector (B, N).

    columns  (place, name, first column, end) of each state that is read; sizes: of all states, by place and name;
             those without columns begin with zeros
    """

    columns: tuple[tuple[int, str, int, int], ...]
    sizes: dict[int, dict[str, int]]

    def start(self, y: Array, states: States) -> States:
        zeros = {k: {n: np.zeros_like(y, shape=(len(y), H)) for n, H in s.items()} for k, s in self.sizes.items()}
        for place, name, first, end in self.columns:
            zeros[place][name] = y[:, first:end].copy()
        return zeros

    def back(self, y: Array, dstarts: States) -> tuple[Array | None, States]:
        dy = np.zeros_like(y)
        for place, name, first, end in self.columns:
            dy[:, first:end] += dstarts[place][name]
        return dy, {}


def recurrent_places(layers: Sequence[Layer]) -> list[int]:
    return [k for k, layer in enumerate(layers) if isinstance(layer, Recurrent)]


def build_bridge(encoder: Sequence[Layer], decoder: Sequence[Layer], shape: Shape | None) -> Bridge | None:
    """The bridge between two lists of layers.

    shape   that of the encoder's output, None where it is not known yet: then an encoder that gives a vector has no
            bridge, and None is returned
    raises  ValueError where the sizes do not fit, with those that would
    """
    sizes = {k: decoder[k].state_sizes for k in recurrent_places(decoder)}  # type: ignore[attr-defined]
    if isinstance(encoder[-1], Recurrent):
        return _Handed(_givers(encoder, sizes))
    return None if shape is None else _Vector(_columns(shape, sizes), sizes)


def _givers(encoder: Sequence[Layer], sizes: dict[int, dict[str, int]]) -> dict[int, int]:
    """Layer by layer where both sides have as many recurrent layers; else the encoder's last one gives to all."""
    givers = recurrent_places(encoder)
    if len(givers) != len(sizes):
        givers = [givers[-1]] * len(sizes)
    for (place, wanted), giver in zip(sizes.items(), givers, strict=True):
        given = encoder[giver].state_sizes  # type: ignore[attr-defined]
        if given != wanted:
            raise ValueError(
                f"the decoder's layer {place} begins from the state {_spelt(wanted)}, and the encoder's layer {giver} "
                f"{type(encoder[giver]).__name__} ends in {_spelt(given)}: give both the same kind and units, or end "
                "the encoder with a Dense layer as wide as the state"
            )
    return dict(zip(sizes, givers, strict=True))


def _columns(shape: Shape, sizes: dict[int, dict[str, int]]) -> tuple[tuple[int, str, int, int], ...]:
    if len(shape) != 2:
        raise ValueError(
            f"the encoder ends in an output {shape}, and the decoder begins from one vector a sample: end the encoder "
            "with a recurrent layer, whose last state is handed on, or with Flatten and Dense"
        )
    every = [(place, name, H) for place, states in sizes.items() for name, H in states.items()]
    ends = [0, *accumulate(H for _, _, H in every)]
    if shape[1] == ends[-1]:
        return tuple((place, name, *cut) for (place, name, _), cut in zip(every, pairwise(ends), strict=True))
    widths = {states["h"] for states in sizes.values()}
    if widths == {shape[1]}:
        return tuple((place, "h", 0, states["h"]) for place, states in sizes.items())
    one = f"{widths.pop()}, the h of every recurrent layer, or " if len(widths) == 1 else ""
    raise ValueError(
        f"the encoder gives {shape[1]} numbers a sample, and the decoder begins from {one}{ends[-1]}, "
        f"all its states one after another, {', '.join(f'{name} of layer {k}: {H}' for k, name, H in every)}"
    )


def _spelt(sizes: dict[str, int]) -> str:
    return "(" + ", ".join(f"{name}: {H}" for name, H in sizes.items()) + ")"
