"""What a kernel is told: one table of 64-bit words in the GPU's memory, sizes and addresses, by name. Where a launch
serves several calls there is one for each, and blockIdx.z says whose the block is.

The same table serves every kernel of a call, and a captured graph: what changes from call to call stands in the table
and not among the arguments. A kernel that is launched once for all steps gets it as its argument instead, which saves
the way through memory. In CUDA it is a struct, whose members are printed from the same list of names.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..contract import Cell
from ..levels import Lowered
from .words import Rounding

__all__ = ["NUMBERS", "Layout", "member", "twin_of", "twins"]

# t: the step at which a run of launches begins; then T, B and H
NUMBERS = ("t", "steps", "rows", "units")
_ARGUMENTS = 4096  # bytes, and nothing else but a number beside them
_FORWARD = ("x_pre", "b_h", "mask", "drop", "h", "met", "carried", "sums")
_BACKWARD = ("mask", "drop", "h", "dh", "gradients", "carried", "sums")


def member(name: str) -> str:
    """The struct's name for one of `levels`' names: "k.i" -> "k_i"."""
    return name.replace(".", "_")


def twin_of(name: str) -> str:
    """What holds the bf16 numbers of a product's operand, or of what is stored: twin.h, twin.v.i, or twin.g for all
    gradient columns."""
    kind = name.partition(".")[0]
    return f"twin.{name}" if kind == "v" else "twin.h" if name in ("h", "n.h") else "twin.g"


def twins(lowered: Lowered) -> tuple[str, ...]:
    """Those that the levels' products read."""
    operands = [product.operand for level in lowered.levels for product in level.products]
    return tuple(dict.fromkeys(twin_of(operand) for operand in operands if operand != "x"))


@dataclass(frozen=True)
class Layout:
    """arrays: whose addresses follow the numbers, in `levels`' names: s.c (all steps of a state), k.i, v.n, d.h and
    p.gamma; panel.L.J of product J of level L; and those that every cell has (h, met: all steps of h and of m * h).
    pairs: whether panels are pairs of bf16; there are `twins` then."""

    arrays: tuple[str, ...]
    pairs: bool = False

    @classmethod
    def make(
        cls,
        cell: Cell,
        lowered: Lowered,
        kept: tuple[str, ...],
        operands: tuple[str, ...],
        panels: bool = True,
        rounding: Rounding = None,
    ) -> Layout:
        """panels: whether weights are laid out for tiles, of numbers rounded so; else kernels read U itself."""
        back = lowered.gradient is not None
        names = list(_BACKWARD if back else _FORWARD)
        names += [f"s.{name}" for name in cell.state if name != "h"]
        names += [f"k.{name}" for name in kept] + [f"v.{q}" for q in operands]
        names += [f"d.{name}" for name in cell.state] if back else []
        names += [f"p.{name}" for name in (*cell.unit_vectors, *cell.gate_vectors)]
        if not panels:
            return cls((*names, "U"))
        for k, level in enumerate(lowered.levels):
            names += [f"panel.{k}.{j}" for j, product in enumerate(level.products) if product.operand != "x"]
        pairs = rounding == "bf16"
        return cls((*names, *(twins(lowered) if pairs else ())), pairs)

    @property
    def size(self) -> int:
        """Words of the table."""
        return len(NUMBERS) + len(self.arrays)

    @property
    def as_argument(self) -> bool:
        """Whether two tables go into what a kernel takes as arguments."""
        return 2 * 8 * self.size < _ARGUMENTS

    @property
    def struct(self) -> str:
        """The table in CUDA C++, and a function that reads it: a copy, which no store can change, of addresses that the
        compiler may take for those of the GPU's own memory."""
        lines = [f"  long long {name};" for name in NUMBERS]
        lines += [f"  {self._type(name)}* {member(name)};" for name in self.arrays]
        known = [f"  lies_in_memory(call.{member(name)});" for name in self.arrays]
        reader = ["__device__ __forceinline__ Call told(const Call* table) {", "  const Call call = table[blockIdx.z];"]
        return "\n".join(["struct Call {", *lines, "};", "", *reader, *known, "  return call;", "}"])

    def _type(self, name: str) -> str:
        kind = name.partition(".")[0]
        if kind == "panel" and self.pairs:
            return "unsigned"
        return {"mask": "unsigned char", "twin": "unsigned short"}.get(kind, "real")
