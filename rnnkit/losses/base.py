"""What every loss shares: the mean over values, with weights and masks, and its gradient."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from rnnkit_kernels.devices import number
from rnnkit_kernels.types import Array

from ..foreign import UnderstandsKeras
from ..ranges import check_flags
from .comparison import Comparison, array, compare

__all__ = ["Averaged", "Loss", "PerRow", "PerValue"]


class Loss(Protocol):
    """What a model asks of a loss; any object that answers this call is one."""

    def __call__(
        self, y: Array, target: Array, *, sample_weight: Array | None = None, mask: Array | None = None
    ) -> tuple[float, Array]: ...


@dataclass(frozen=True)
class Averaged(metaclass=UnderstandsKeras):
    """A loss that is a mean over values; a subclass says what is compared with what, and gives values and slopes."""

    names: ClassVar[Sequence[str]]

    def __post_init__(self) -> None:
        check_flags(self)

    @abstractmethod
    def pair(self, y: Any, target: Any, *, sample_weight: Any = None, mask: Any = None) -> Comparison:
        """y and target as `terms` takes them. Raises ValueError or TypeError where they do not go together."""

    @abstractmethod
    def terms(self, y: Array, target: Array) -> tuple[Array, Array]:
        """y, target as `pair` has them -> (l, dl/dy) in y's dtype, neither summed nor weighed; dl/dy in y's shape."""

    @abstractmethod
    def example(self, rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[Array, Array]:
        """y of that shape, and a target that suits it, float64: where `gradcheck` differentiates unless told."""

    def __call__(
        self, y: Array, target: Array, *, sample_weight: Array | None = None, mask: Array | None = None
    ) -> tuple[float, Array]:
        """The mean and its gradient.

        y, target, sample_weight, mask: see `compare`, and `compare_rows` for a loss over classes.
        Returns the value as a float, summed in float64 (on a device it stays there, an array of no axes), and dL/dy in
        y's shape and dtype. Masked entries may hold NaN in y, target and weight: they count for nothing, their gradient
        is 0. With no real entry at all both are 0.
        Raises ValueError where shapes do not match, TypeError where dtypes do not.
        """
        y = array(y)
        pair = self.pair(y, target, sample_weight=sample_weight, mask=mask)
        values, slopes = self.terms(pair.y, pair.target)
        count = np.maximum(pair.count(), 1)
        gradient = pair.weighed(slopes) / count.astype(y.dtype)
        return number(pair.total(values) / count), gradient.reshape(y.shape)


@dataclass(frozen=True)
class PerValue(Averaged):
    """A mean over single values: l is a function of one entry of y and its target, in y's shape."""

    def pair(self, y: Any, target: Any, *, sample_weight: Any = None, mask: Any = None) -> Comparison:
        """See `compare`."""
        return compare(y, target, sample_weight=sample_weight, mask=mask)

    def example(self, rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[Array, Array]:
        """Normal numbers."""
        return rng.standard_normal(shape), rng.standard_normal(shape)


@dataclass(frozen=True)
class PerRow(Averaged):
    """A mean over rows: l, of shape (..., 1), is a function of a whole row of y (..., C), one number for each class."""
