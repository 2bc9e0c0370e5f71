"""A level of a cell as one CUDA kernel: product tiles from `sources/level.cuh`, and the level's program behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...levels import Level, Lowered, Product
from ...replay import Replay
from ..layout import Layout, member
from .places import Places
from .text import Text, TextFunctions
from .tile import Tile
from .twins import Twins

__all__ = ["kernels"]

# Threads that a multiprocessor holds at least, which leaves each 128 registers, of doubles twice as many; left open, or
# with as few for doubles, some kernels spill.
_THREADS = {"float": 512, "double": 256}


def kernels(places: Places, layout: Layout, tiles: Sequence[Tile], prefix: str) -> str:
    """The text of all levels' kernels, `<prefix>_level<k>(table, place)`: step t = table->t + place on the way there,
    table->t - place on the way back. tiles: one for each level."""
    levels = places.lowered.levels
    collected = {name: k for k, level in enumerate(levels) for name in level.sums}
    room = f"(call.units + {min(t.units for t in tiles) - 1}) / {min(t.units for t in tiles)}"
    texts = [_Level(places, level, k, tiles[k], tiles, collected, room).text(prefix) for k, level in enumerate(levels)]
    return "\n\n".join([layout.struct, *texts, _ADVANCE.format(prefix=prefix)])


_ADVANCE = """\
// What follows a run of launches that was captured once: the next run begins so many steps on.
extern "C" __global__ void {prefix}_advance(Call* table, int steps) {{ table[blockIdx.z].t += steps; }}"""


@dataclass(frozen=True)
class _Level:
    places: Places
    level: Level
    number: int
    tile: Tile
    tiles: Sequence[Tile]
    collected: dict[str, int]
    room: str

    @property
    def _twins(self) -> Twins:
        return Twins(self.places)

    def text(self, prefix: str) -> str:
        name, lowered = f"{prefix}_level{self.number}", self.places.lowered
        back = lowered.gradient is not None
        products, end = self._products(lowered)
        body = [
            "const Call call = told(table);",
            f"const long long t = call.t {'-' if back else '+'} place;",
            "if (t < 0 || t >= call.steps) return;",
            "const int rows = int(call.rows), units = int(call.units);",
            "const long long step = call.rows * call.units;",
            "real* shared = shared_memory();",
            *self._twins.sizes(),
            "Accumulators<L> sums_of = {};" if self.level.columns else "",
            *self._starts(),
            *products,
            *self._program(),
            end,
        ]
        lines = "\n".join(f"  {line}" for part in body if part for line in part.splitlines())
        bounds = f"__launch_bounds__({self.tile.threads}, {_THREADS[self.places.options.real] // self.tile.threads})"
        if self.tile.split > 1:
            bounds = f"__cluster_dims__({self.tile.split}, 1, 1) {bounds}"
        head = f'extern "C" __global__ void {bounds} {name}(const Call* table, int place)'
        return f"{self.tile.struct(f'{name}_tile')}\n\n{head} {{\n  using L = {name}_tile;\n{lines}\n}}"

    def _each(self, body: list[str]) -> list[str]:
        """The statements for every row and unit of the thread."""
        inner = "\n".join(f"    {line}" for line in body)
        return [
            f"""\
#pragma unroll
for (int i = 0; i < L::rows_each; ++i) {{
  const int row = first_row<L>() + i;
#pragma unroll
  for (int u = 0; u < L::units_each; ++u) {{
    const int unit = first_unit<L>() + u;
    if (row >= rows || unit >= units) continue;
    const long long at = (long long)row * units + unit;
{inner}
  }}
}}"""
        ]

    def _starts(self) -> list[str]:
        if self.places.lowered.gradient is not None or not self.level.columns:
            return []
        F = TextFunctions()
        values = [self.places.start(F, column) for column in self.level.columns]
        sets = [f"sums_of[i][u][{c}] = {value};" for c, value in enumerate(values)]
        return self._each([*F.lines, *sets])

    def _products(self, lowered: Lowered) -> tuple[list[str], str]:
        """The statements, and what comes last of all: no block of a cluster ends while others read its sums."""
        lines, waits = [], ""
        for j, product in enumerate(self.level.products):
            if product.operand == "x":
                continue
            panel = f"call.{member(f'panel.{self.number}.{j}')}"
            a, row, length = self._twins.operand(product) if self.tile.pairs else self._operand(product, lowered)
            condition = "if (t + 1 < call.steps) " if product.operand == "d" else ""
            lines += [
                waits,
                f"{condition}multiply<L, {product.first}, {product.last}>(sums_of, {a}, {row}, {length}, {panel}, "
                "rows, units, shared);",
            ]
            waits = f"{condition}wait_cluster();" if self.tile.split > 1 else ""
        return lines, waits

    def _operand(self, product: Product, lowered: Lowered) -> tuple[str, str, str]:
        """Where it begins, how far its rows are apart, how long they are."""
        kind, _, rest = product.operand.partition(".")
        if kind == "h":
            source = "call.met" if self.places.options.dropped else "call.h"
            return f"{source} + t * step", "units", "units"
        if kind == "v":
            return f"call.{member(product.operand)} + t * step", "units", "units"
        assert lowered.gradient is not None
        wide, (first, last) = lowered.gradient.columns, lowered.gradient.h_range
        if kind == "d":
            begin = f"call.gradients + (t + 1) * step * {wide} + {first} * call.units"
            return begin, f"{wide} * call.units", f"{last - first} * units"
        return f"call.gradients + t * step * {wide} + {rest} * call.units", f"{wide} * call.units", "units"

    def _program(self) -> list[str]:
        level, places = self.level, self.places
        F, program = TextFunctions(), Replay(level.outputs)
        at_column = {c.name: k for k, c in enumerate(level.columns)}
        sums = sorted({leaf[2:] for leaf in program.leaves if leaf.startswith("r.")}, key=int)
        head = []
        if places.options.masked:
            head.append("const bool live = call.mask[t * rows + row];")
        if "d.h" in at_column:
            after = " && call.mask[(t + 1) * rows + row]" if places.options.masked else ""
            head.append(f"const bool goes_on = t + 1 < call.steps{after};")
        leaves = {}
        for name in dict.fromkeys((*at_column, *program.leaves)):
            if name in at_column:
                leaves[name] = places.accumulated(F, name, f"sums_of[i][u][{at_column[name]}]")
            elif name.startswith("r."):
                leaves[name] = Text(F, f"row_sums[i][{sums.index(name[2:])}]")
            else:
                leaves[name] = places.load(F, name)
        values = program(F, leaves)
        made = {name: F.real(value) for name, value in values.items()}
        stores = []
        for name, value in made.items():
            if name in level.sums:
                how = "joined(true, {0}, {1})" if level.sums[name] == "rowmax" else "{0} + {1}"
                spot = f"mine[i][{list(level.sums).index(name)}]"
                stores.append(f"{spot} = {how.format(spot, value)};")
            else:
                stores += [*places.store(F, name, Text(F, value)), *self._twins.store(name)]
        return [*self._gather(sums), *self._mine(), *self._each([*head, *F.lines, *stores]), *self._collect()]

    def _gather(self, sums: list[str]) -> list[str]:
        """The row sums that the level reads, for the rows of the thread."""
        if not sums:
            return []
        lines = [f"real row_sums[L::rows_each][{len(sums)}];", "#pragma unroll"]
        lines += ["for (int i = 0; i < L::rows_each; ++i) {", "  const int row = min(first_row<L>() + i, rows - 1);"]
        for k, n in enumerate(sums):
            source = self.collected[f"r.{n}"]
            largest = "true" if self.places.lowered.levels[source].sums[f"r.{n}"] == "rowmax" else "false"
            width = self.tiles[source].units
            blocks = f"(units + {width - 1}) / {width}"
            lines.append(
                f"  row_sums[i][{k}] = gathered({largest}, {n}, row, rows, {blocks}, int({self.room}), call.sums);"
            )
        return ["\n".join([*lines, "}"])]

    def _mine(self) -> list[str]:
        """Room for the thread's part of the row sums that the level makes."""
        if not self.level.sums:
            return []
        rest = ", ".join("-INFINITY_" if how == "rowmax" else "0" for how in self.level.sums.values())
        return [
            f"const real nothing[{len(self.level.sums)}] = {{{rest}}};\n"
            f"real mine[L::rows_each][{len(self.level.sums)}];\n"
            "#pragma unroll\n"
            f"for (int i = 0; i < L::rows_each; ++i)\n"
            f"  for (int n = 0; n < {len(self.level.sums)}; ++n) mine[i][n] = nothing[n];"
        ]

    def _collect(self) -> list[str]:
        if not self.level.sums:
            return []
        count = len(self.level.sums)
        which = ", ".join(name[2:] for name in self.level.sums)
        largest = ", ".join("true" if how == "rowmax" else "false" for how in self.level.sums.values())
        return [
            f"const int which[{count}] = {{{which}}};\n"
            f"const bool largest[{count}] = {{{largest}}};\n"
            f"collect<L, {count}>(mine, which, largest, rows, int({self.room}), call.sums);"
        ]
