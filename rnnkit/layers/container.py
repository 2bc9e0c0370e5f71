"""Layers made of layers: one flat dict of parameters, named by the way in, "forward.W"."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from rnnkit_kernels.types import Array

from .base import Layer, Params

__all__ = ["Container", "layers_within", "refuse_stateful"]

Part = TypeVar("Part", bound=Layer)


@dataclass(frozen=True, repr=False)
class Container(Layer):
    """The base of layers made of layers: `make_parts` names them, in the order of their weights.

    With `trainable=False` no part learns, whatever it says itself.
    """

    @cached_property
    def parts(self) -> dict[str, Layer]:
        """What it is made of, by name; made once, so that a pass makes no layers, and whoever looks on knows them."""
        return self.make_parts()

    def make_parts(self) -> dict[str, Layer]:
        raise NotImplementedError(f"{type(self).__name__} does not say what it is made of")

    def as_part(self, layer: Part) -> Part:
        """The layer as one of the parts: it does not learn, and its statistics rest, where this one does not learn."""
        return layer if self.trainable or not layer.trainable else replace(layer, trainable=False)

    def split(self, params: Params) -> dict[str, Params]:
        """The parameters of each part, by the names that it knows."""
        found: dict[str, Params] = {part: {} for part in self.parts}
        for name, weight in params.items():
            part, _, inner = name.partition(".")
            found[part][inner] = weight
        return found

    @staticmethod
    def join(by_part: dict[str, Any]) -> dict[str, Any]:
        """The inverse of `split`, for parameters, gradients and shapes alike."""
        return {f"{part}.{name}": value for part, values in by_part.items() for name, value in values.items()}

    def first(self, name: str, shape: tuple[int, ...], rng: np.random.Generator, dtype: Any) -> Array:
        part, _, inner = name.partition(".")
        return self.parts[part].first(inner, shape, rng, dtype)

    def learned(self, params: Params) -> tuple[str, ...]:
        if not self.trainable:
            return ()
        by_part = {part: self.parts[part].learned(inner) for part, inner in self.split(params).items()}
        return tuple(f"{part}.{name}" for part, names in by_part.items() for name in names)

    def penalty(self, params: Params) -> tuple[float, Params]:
        if not self.trainable:
            return 0.0, {}
        found = {part: self.parts[part].penalty(inner) for part, inner in self.split(params).items()}
        return sum(value for value, _ in found.values()), self.join({k: slopes for k, (_, slopes) in found.items()})

    def constrained(self, params: Params) -> Params:
        return self.join({part: self.parts[part].constrained(inner) for part, inner in self.split(params).items()})

    def to_list(self, params: Params) -> list[Array]:
        return [w for part, inner in self.split(params).items() for w in self.parts[part].to_list(inner)]

    def from_list(self, arrays: list[Array], like: Params) -> Params:
        given, fresh = list(arrays), {}
        for part, inner in self.split(like).items():
            count = len(self.parts[part].to_list(inner))
            fresh[part], given = self.parts[part].from_list(given[:count], inner), given[count:]
        if given:
            raise ValueError(f"{type(self).__name__} has {len(arrays) - len(given)} weights; got {len(arrays)} arrays")
        return self.join(fresh)


def layers_within(layer: Layer) -> Iterator[Layer]:
    """The layer and all that it is made of, outside first."""
    yield layer
    if isinstance(layer, Container):
        for part in layer.parts.values():
            yield from layers_within(part)


def refuse_stateful(owner: str, layer: Layer, why: str) -> None:
    """Raises ValueError where the layer, or one inside it, keeps its state from batch to batch."""
    for found in layers_within(layer):
        if getattr(found, "stateful", False):
            raise ValueError(
                f"{owner} takes no stateful layer, and {type(found).__name__} has stateful=True: {why}; leave it out"
            )
