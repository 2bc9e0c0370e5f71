"""Layers that only rearrange numbers: Flatten, Reshape, RepeatVector."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from rnnkit_kernels.types import Array

from ..border import whole
from ..context import DETERMINISTIC, Context
from .base import Layer, Params, Pullback, Shape, check_cotangent, wrong_rank
from .streams import LayerStream

__all__ = ["Flatten", "RepeatVector", "Reshape"]


@dataclass(frozen=True, repr=False)
class _Rearranging(Layer):
    def stream(self, params: Params, rows: int, ctx: Context = DETERMINISTIC) -> LayerStream:
        raise ValueError(f"{type(self).__name__} cannot be streamed: it takes all steps of a sequence at once")


def _reshaped(kind: str, x: Array, shape: tuple[int, ...]) -> tuple[Array, Pullback]:
    def pullback(dy: Array) -> tuple[Params, Array]:
        check_cotangent(kind, dy, shape)
        return {}, dy.reshape(x.shape)

    return x.reshape(shape), pullback


@dataclass(frozen=True, repr=False)
class Flatten(_Rearranging):
    """All numbers of a sample in one row: x (B, ...) -> y (B, n). A row of single numbers (B,) becomes (B, 1).

    Here time ends, and with it the mask.
    """

    def plan(self, shape: Shape) -> tuple[dict[str, tuple[int, ...]], Shape]:
        return {}, (shape[0], _count(shape[1:]))

    def next_mask(self, mask: Array | None, x: Array) -> Array | None:
        return None

    def __call__(self, params: Params, x: Array, ctx: Context = DETERMINISTIC) -> tuple[Array, Pullback]:
        return _reshaped("Flatten", x, (len(x), prod(x.shape[1:])))


@dataclass(frozen=True, repr=False)
class Reshape(_Rearranging):
    """The numbers of a sample in another shape: x (B, ...) -> y (B, *target_shape), the last axis running fastest.

    target_shape  sizes without the batch; one of them may be -1, what is left for it
    A mask goes on where the steps do, from (B, T, ...) to (B, T, ...): then what stood in a step stands in it still.
    Everywhere else it ends. (Keras drops it here always.)
    Raises ValueError for a target that is no shape, and for a sample with another number of values.
    """

    target_shape: tuple[int, ...]

    def __post_init__(self) -> None:
        given = self.target_shape
        sizes = tuple(given) if isinstance(given, (tuple, list)) else ()
        known = all(isinstance(n, int) and not isinstance(n, bool) and (n >= 1 or n == -1) for n in sizes)
        if not sizes or not known or sizes.count(-1) > 1:
            raise ValueError(
                "Reshape takes the shape of one sample, sizes from 1 up of which one may be -1, such as (3, -1); "
                f"got {given!r}"
            )
        object.__setattr__(self, "target_shape", sizes)

    def plan(self, shape: Shape) -> tuple[dict[str, tuple[int, ...]], Shape]:
        return {}, (shape[0], *self._filled(shape))

    def _filled(self, shape: Shape) -> Shape:
        """The target with its -1 filled in for an input of that shape; None where a size of the input is free."""
        count, known = _count(shape[1:]), prod(n for n in self.target_shape if n != -1)
        if count is None:
            return tuple(None if n == -1 else n for n in self.target_shape)
        if count % known or (-1 not in self.target_shape and count != known):
            wanted = f"a multiple of {known}" if -1 in self.target_shape else str(known)
            raise ValueError(f"Reshape({self.target_shape}) takes {wanted} values a sample; got {count}, shape {shape}")
        return tuple(count // known if n == -1 else n for n in self.target_shape)

    def next_mask(self, mask: Array | None, x: Array) -> Array | None:
        target = self._filled(x.shape)
        return mask if x.ndim > 2 and len(target) > 1 and target[0] == x.shape[1] else None

    def __call__(self, params: Params, x: Array, ctx: Context = DETERMINISTIC) -> tuple[Array, Pullback]:
        return _reshaped("Reshape", x, (len(x), *(n for n in self._filled(x.shape) if n is not None)))


@dataclass(frozen=True, repr=False)
class RepeatVector(_Rearranging):
    """The same vector at n steps: x (B, F) -> y (B, n, F). Raises ValueError unless n is a whole number from 1 up."""

    n: int

    rank = 2

    def __post_init__(self) -> None:
        whole("RepeatVector: n", self.n, least=1)

    def plan(self, shape: Shape) -> tuple[dict[str, tuple[int, ...]], Shape]:
        if len(shape) != 2:
            raise wrong_rank("RepeatVector", shape, 2, hint="")
        return {}, (shape[0], self.n, shape[1])

    def next_mask(self, mask: Array | None, x: Array) -> Array | None:
        return None

    def __call__(self, params: Params, x: Array, ctx: Context = DETERMINISTIC) -> tuple[Array, Pullback]:
        if x.ndim != 2:
            raise wrong_rank("RepeatVector", x.shape, 2, hint="")

        def pullback(dy: Array) -> tuple[Params, Array]:
            check_cotangent("RepeatVector", dy, (len(x), self.n, x.shape[1]))
            return {}, dy.sum(axis=1)

        return x[:, None].repeat(self.n, axis=1), pullback


def _count(sizes: Shape) -> int | None:
    """How many numbers a sample has; None where a size is free."""
    known = [n for n in sizes if n is not None]
    return prod(known) if len(known) == len(sizes) else None
