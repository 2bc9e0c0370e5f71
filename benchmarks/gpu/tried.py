"""What a sweep of divisions tries: a division, or levels, and what is rounded; each by a name that can be read back."""

from __future__ import annotations

from dataclasses import dataclass

from rnnkit_kernels.cuda_gpu.emit.division import Division
from rnnkit_kernels.cuda_gpu.emit.tensor_division import TensorDivision
from rnnkit_kernels.cuda_gpu.words import Rounding

from .ours import ROUNDINGS

__all__ = ["LEVELS", "Tried", "rounding_of"]

LEVELS = "levels"


@dataclass(frozen=True)
class Tried:
    """division: None stands for levels. rounding: what its products round to; None for one that is not on tensor cores,
    whatever may be rounded."""

    division: Division | None
    rounding: Rounding = None

    @classmethod
    def make(cls, division: Division | None, rounding: Rounding) -> Tried:
        plain = division is not None and not isinstance(division, TensorDivision)
        return cls(division, None if plain else rounding)

    @property
    def name(self) -> str:
        """What it rounds to; split, blocks of a cluster, rows, of which a division for tensor cores always has 8."""
        if self.division is None:
            words = [LEVELS]
        else:
            words = [f"s{self.division.split}", f"c{self.division.cluster}"]
            words += [] if isinstance(self.division, TensorDivision) else [f"r{self.division.rows}"]
        return " ".join([self.rounding, *words] if self.rounding else words)

    @classmethod
    def read(cls, name: str, units: int) -> Tried:
        """From its name."""
        rounding = rounding_of(name)
        words = name.split()[rounding is not None :]
        if words == [LEVELS]:
            return cls(None, rounding)
        sizes = [int(word[1:]) for word in words]
        return cls(TensorDivision(units, *sizes) if rounding else Division(units, *sizes), rounding)


def rounding_of(name: str) -> Rounding:
    first = name.partition(" ")[0]
    return first if first in ROUNDINGS.values() else None
