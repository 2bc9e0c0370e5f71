"""Where the values of a level's program lie in the GPU's memory: loads, stores and the selections that masks ask for.

Every array is C-contiguous, (T, B, H) or (T + 1, B, H), so that one offset `at` of a row and unit serves all of one
step. In the text stand: call (the table), t, row, unit, at = row H + unit, step = B H, live (whether the row takes the
step).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...contract import Cell
from ...levels import Column, Lowered
from ..layout import member
from ..words import Rounding
from .text import Text, TextFunctions

__all__ = ["Options", "Places"]


@dataclass(frozen=True)
class Options:
    """What is compiled into a kernel: real "float" or "double"; whether there are a mask, and a drop on h; and what
    the factors of products are rounded to, for tensor cores (float only)."""

    real: str = "float"
    masked: bool = False
    dropped: bool = False
    rounding: Rounding = None

    @property
    def itemsize(self) -> int:
        """Bytes of a real."""
        return 4 if self.real == "float" else 8


@dataclass(frozen=True)
class Places:
    """The arrays of one step of a cell, there or back."""

    cell: Cell
    lowered: Lowered
    options: Options

    def start(self, F: TextFunctions, column: Column) -> Text:
        """What an accumulator of the way there begins with: x W_q with its biases, or the bias of u.q."""
        gates = dict(column.parts)
        wide, q = len(self.cell.gates), self.cell.gates.index(next(iter(gates.values())))
        if "x" in gates:
            return F.load(f"call.x_pre[(t * call.rows + row) * ({wide} * call.units) + {q} * call.units + unit]")
        if "h" in gates:
            return F.load(f"call.b_h[{q} * call.units + unit]")
        return F.value(0)

    def load(self, F: TextFunctions, name: str) -> Any:
        """A leaf of the program that is no accumulator."""
        kind, _, rest = name.partition(".")
        if name == "1/H":
            return F.load("real(1) / real(call.units)")
        if kind == "r":
            return F.load(f"sums[{rest}]")
        if kind == "p":
            return F.load(self.vector(rest))
        return F.load(self.address(name))

    def vector(self, name: str) -> str:
        """The element of one of the cell's own vectors, "gamma" or "gamma.i", for the unit."""
        vector, _, gate = name.partition(".")
        at = f"{self.cell.gates.index(gate)} * call.units + unit" if gate else "unit"
        return f"call.{member(f'p.{vector}')}[{at}]"

    def address(self, name: str) -> str:
        """The element of an array that belongs to this step, row and unit."""
        kind, _, rest = name.partition(".")
        if kind == "s" or kind == "n":
            array = "call.h" if rest == "h" else f"call.{member(f's.{rest}')}"
            return f"{array}[{'t' if kind == 's' else '(t + 1)'} * step + at]"
        if kind == "k" and name in self.lowered.uniform:
            return f"call.{member(name)}[t * call.rows + row]"
        if kind in "kv":
            return f"call.{member(name)}[t * step + at]"
        if kind == "w":
            return f"call.carried[{rest} * step + at]"
        if kind in "gt":
            return f"call.gradients[{self.gradient_at(int(rest))} + unit]"
        if kind in "de":
            return f"call.{member(f'd.{rest}')}[(t + 1) * step + at]"
        raise ValueError(f"a level names {name!r}, which lies nowhere")

    def gradient_at(self, column: int) -> str:
        """Where a column of this step's gradients begins for the row."""
        assert self.lowered.gradient is not None
        wide = self.lowered.gradient.columns
        return f"(t * call.rows + row) * ({wide} * call.units) + {column} * call.units"

    def dropped(self, value: str) -> str:
        """m * value."""
        return f"call.drop[at] * {value}" if self.options.dropped else value

    def accumulated(self, F: TextFunctions, name: str, sum_: str) -> Text:
        """What an accumulator stands for; `d.h` is everything that h owes, and is written down for later."""
        if name.startswith("m."):
            return F.load(self.dropped(sum_))
        if name != "d.h":
            return Text(F, sum_)
        met = self.lowered.gradient is not None and self.lowered.gradient.h_range[0] < self.lowered.gradient.h_range[1]
        through = f" + (goes_on ? {self.dropped(sum_)} : real(0))" if met else ""
        total = F.load(f"call.dh[t * step + at] + {self.address('d.h')}{through}")
        F.lines.append(f"{self.address('d.h')} = {total};")
        return total

    def store(self, F: TextFunctions, name: str, value: Any) -> list[str]:
        """The statements that write an output of the program; row sums are collected in `sum_N`."""
        kind, _, rest = name.partition(".")
        v = F.real(value)
        if kind == "r":
            return [f"collected[{rest}] = {v};"]
        if kind == "n":
            held = self._held(v, self.address(f"s.{rest}"))
            if rest != "h" or not self.options.dropped:
                return [f"{self.address(name)} = {held};"]
            met = f"call.met[(t + 1) * step + at] = call.drop[at] * {self.address(name)};"
            return [f"{self.address(name)} = {held};", met]
        if kind == "s":
            owed = self.address(f"d.{rest}")
            return [f"call.{member(f'd.{rest}')}[t * step + at] = {self._held(v, owed)};"]
        if kind == "v":
            return [f"{self.address(name)} = {self.dropped(self._held(v, 'real(0)'))};"]
        if kind in "gt":
            return [f"{self.address(name)} = {self._held(v, 'real(0)')};"]
        if kind == "k" and name in self.lowered.uniform:
            return [f"if (unit == 0) {self.address(name)} = {v};"]
        return [f"{self.address(name)} = {v};"]

    def _held(self, value: str, other: str) -> str:
        return f"(live ? {value} : {other})" if self.options.masked else value
