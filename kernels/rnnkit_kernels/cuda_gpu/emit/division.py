"""How a recurrence is divided among the threads of a persistent kernel, and the frame that its text stands in."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CHUNK", "Division"]

CHUNK = 4  # as in `sources/persistent.cuh`
_WARP = 32


@dataclass(frozen=True)
class Division:
    """How `units` are divided. split: threads that share a sum; cluster: blocks that share the units; rows: of the
    batch, for each cluster. All three are powers of 2, neither cluster nor rows larger than the split, which is at most
    32.
    """

    units: int
    split: int
    cluster: int
    rows: int

    def __post_init__(self) -> None:
        powers = all(n > 0 and n & (n - 1) == 0 for n in (self.split, self.cluster, self.rows))
        if not powers or self.split > _WARP or max(self.cluster, self.rows) > self.split:
            raise ValueError(
                f"{self}: split, cluster and rows are powers of 2, the split at most {_WARP}, neither cluster nor rows "
                "larger than it"
            )

    @property
    def own(self) -> int:
        """Units of a block."""
        return -(-self.units // self.cluster)

    @property
    def threads(self) -> int:
        return -(-self.own * self.split // _WARP) * _WARP

    @property
    def warps(self) -> int:
        return self.threads // _WARP

    @property
    def back_split(self) -> int:
        """Threads that share a sum on the way back, where each block sums up for all units."""
        return self.split // self.cluster

    def pieces(self, length: int, back: bool = False) -> int:
        """Chunks of a thread in a sum over so many numbers."""
        return -(-length // (CHUNK * (self.back_split if back else self.split)))

    def line(self, length: int, back: bool = False) -> int:
        """Numbers that a row of so many takes in shared memory: whole chunks for every thread."""
        return self.pieces(length, back) * CHUNK * (self.back_split if back else self.split)

    @property
    def constants(self) -> str:
        """For CUDA C++."""
        sizes = {
            "UNITS": self.units, "SPLIT": self.split, "CLUSTER": self.cluster, "ROWS": self.rows, "OWN": self.own,
            "THREADS": self.threads, "WARPS": self.warps, "BACK_SPLIT": self.back_split,
            "HOLDERS": self.split // self.rows,
        }  # fmt: skip
        return "constexpr int " + ", ".join(f"{name} = {size}" for name, size in sizes.items()) + ";"
