"""The bf16 twins of what products read: where they lie, what writes them, and where a product finds its left side.

A level that stores what a product will read stores it once more, rounded to bf16: two bytes a number, so that tiles
read half as much. A line of a row is filled up with zeros to `padded` numbers, a multiple of 8, and is read as pairs,
`half` of them: (2, B, padded) of m * h and (2, B, columns, padded) of the gradient columns, for even and for odd steps,
since blocks write a step's own while others still read those of the step before; (B, padded) of an inner product's
operand, which is read by a later level of the same step.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...levels import Lowered, Product
from ..layout import member, twin_of
from .places import Places

__all__ = ["Twins"]


@dataclass(frozen=True)
class Twins:
    """Of a cell's kernels of single levels, one way."""

    places: Places

    @property
    def _lowered(self) -> Lowered:
        return self.places.lowered

    def sizes(self) -> list[str]:
        """The lengths of a line, in numbers and in pairs."""
        if self.places.options.rounding != "bf16":
            return []
        return ["const long long padded = (units + 7) / 8 * 8, half = padded / 2;"]

    def operand(self, product: Product) -> tuple[str, str, str]:
        """Where a product's left side begins, how far its rows are apart, how long they are; all in pairs."""
        kind, _, rest = product.operand.partition(".")
        begin = f"pairs_of(call.{member(twin_of(product.operand))})"
        if kind in ("h", "v"):
            return begin + " + (t & 1) * rows * half" * (kind == "h"), "half", "int(half)"
        assert self._lowered.gradient is not None
        wide, (first, last) = self._lowered.gradient.columns, self._lowered.gradient.h_range
        step, column, count = ("t + 1", first, last - first) if kind == "d" else ("t", int(rest), 1)
        return f"{begin} + (({step} & 1) * rows * {wide} + {column}) * half", f"{wide} * half", f"{count} * int(half)"

    def store(self, name: str) -> list[str]:
        """What a level writes behind the store of an output."""
        twin = twin_of(name)
        if self.places.options.rounding != "bf16" or not self._read(name):
            return []
        kind, _, rest = name.partition(".")
        source, row = self.places.address(name), "row"
        if kind == "n":
            row = "(t + 1 & 1) * rows + row"
            source = "call.met[(t + 1) * step + at]" if self.places.options.dropped else source
        if kind == "g":
            assert self._lowered.gradient is not None
            row = f"((t & 1) * rows + row) * {self._lowered.gradient.columns} + {rest}"
        return [f"call.{member(twin)}[({row}) * padded + unit] = bf16_of({source});"]

    def _read(self, name: str) -> bool:
        """Whether any product reads what is stored under that name."""
        operands = {product.operand for level in self._lowered.levels for product in level.products}
        kind, _, rest = name.partition(".")
        if kind == "g":
            assert self._lowered.gradient is not None
            first, last = self._lowered.gradient.h_range
            return name in operands or ("d" in operands and first <= int(rest) < last)
        return name in operands or (name == "n.h" and "h" in operands)
