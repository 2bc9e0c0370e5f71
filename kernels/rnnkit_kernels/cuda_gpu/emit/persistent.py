"""All steps of a cell in one kernel, weights in registers: what `sources/persistent.cuh` describes, printed for a cell.

A step is one straight list of statements. The values of a row and unit stay in the thread that made them, from level to
level and from step to step; only what others need goes through shared memory: h, the operands and gradients of
products, row sums. What a step reads from the tape is asked for one step before.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from ...levels import Level
from ...replay import Replay
from ..layout import Layout
from .division import CHUNK, Division
from .places import Places
from .text import Text, TextFunctions

__all__ = ["Persistent"]


class Persistent(ABC):
    """The text of a kernel `<prefix>_persistent(table, place)` for one direction, and what its launch asks for."""

    prefix: str
    steps: str  # the head of the loop over time

    def __init__(self, places: Places, layout: Layout, division: Division) -> None:
        self.places, self.layout, self.division = places, layout, division
        self.cell, self.lowered = places.cell, places.lowered
        self.F = TextFunctions()
        self.values: dict[str, Text] = {}  # of this step, by `levels`' names
        self.before: list[str] = []  # statements before the first step
        self.shared = 0  # numbers of shared memory
        self._buffers: dict[str, tuple[int, bool]] = {}
        self._rooms: dict[str, int] = {}
        self._ahead: dict[str, tuple[str, str]] = {}
        self._hoisted: dict[str, Text] = {}
        self.begin()
        for number, level in enumerate(self.lowered.levels):
            self._level(number, level)
        self.end()

    @property
    def text(self) -> str:
        d = self.division
        fields = " ".join(f"{kind} {name};" for name, (kind, _) in self._ahead.items())
        asks = " ".join(f"ahead.{name} = {expression};" for name, (_, expression) in self._ahead.items())
        kinds = {name: "Factor" if rounded else "real" for name, (_, rounded) in self._buffers.items()}
        choose = [f"{kind}* const {name} = {self.place(name, 't')};" for name, kind in kinds.items()]
        rooms = [f"real* const {name} = shared + {at};" for name, at in self._rooms.items()]
        body = "\n".join(f"    {line}" for line in [*choose, *self.F.lines])
        head = "\n".join(f"  {line}" for line in [*rooms, *self.before])
        shape = f" __cluster_dims__({d.cluster}, 1, 1)" if d.cluster > 1 else ""
        tables = "TABLES(Call)" if self.layout.as_argument else "const Call*"
        bounds = f"__launch_bounds__({d.threads}, 1)"  # one block at once: for more, weights would move to memory
        return f"""\
{self.layout.struct}

{d.constants}

struct Ahead {{ {fields} }};

extern "C" __global__ void{shape} {bounds} {self.prefix}_persistent({tables} tables, int) {{
  const Call call = told(first_table(tables));
  const int thread = threadIdx.x, rank = cluster_rank();
  const int part = thread % SPLIT, mine = thread / SPLIT, own_row = first_of<SPLIT, ROWS>(part), holder = part / ROWS;
  const int first_row = int(blockIdx.x) / CLUSTER * ROWS, rows = int(call.rows), units = UNITS;
  const bool there = mine < OWN && rank * OWN + mine < UNITS;
  const bool writes = there && holder == 0 && first_row + own_row < rows;
  const int own_unit = min(mine, OWN - 1);
  const int unit = min(rank * OWN + own_unit, UNITS - 1), row = min(first_row + own_row, rows - 1);
  const long long at = (long long)row * UNITS + unit, step = call.rows * UNITS;
  real* const shared = shared_memory();
  for (int i = thread; i < {self.shared}; i += THREADS) shared[i] = real(0);
{head}
  {self.meet(True)}
  Ahead coming;
  const auto ask = [&](long long t, Ahead& ahead) {{ {asks} }};
  ask({self.first}, coming);
  for ({self.steps}) {{
    const Ahead ahead = coming;
    if ({self.more}) ask({self.after}, coming);
{body}
  }}
{self.closing()}}}"""

    def shared_bytes(self) -> int:
        return self.shared * self.places.options.itemsize

    # what stands ready before a step

    def room(self, name: str, size: int) -> None:
        """Shared memory for so many numbers."""
        self._rooms[name] = self.shared
        self.shared += -(-size // CHUNK) * CHUNK

    def buffer(self, name: str, size: int, rounded: bool = False) -> None:
        """Shared memory in two places, for odd and for even steps; `name` is this step's, `name_both` both. rounded:
        whether factors of products lie there."""
        size = -(-size // CHUNK) * CHUNK
        self.room(f"{name}_both", 2 * size)
        self._buffers[name] = (size, rounded)

    def place(self, name: str, step: str) -> str:
        """Where a buffer's numbers of that step lie."""
        size, rounded = self._buffers[name]
        return f"{'factors' if rounded else ''}({name}_both + int({step} & 1) * {size})"

    def other(self, name: str) -> str:
        """The place of the steps beside this one."""
        return self.place(name, "(t + 1)")

    def ahead(self, name: str, expression: str, kind: str = "real") -> Text:
        """A number of this step that was asked for one step before; `t` stands in the expression."""
        field = name.replace(".", "_")
        self._ahead[field] = (kind, expression)
        return Text(self.F, f"ahead.{field}")

    def kept(self, name: str, pieces: int, wide: int, body: list[str]) -> None:
        """Weights that stay in registers: `body` sets {name}[piece][e][0 .. wide - 1]."""
        self.before += [
            f"real {name}[{pieces}][CHUNK][{wide}];",
            "#pragma unroll",
            f"for (int piece = 0; piece < {pieces}; ++piece) {{",
            "#pragma unroll",
            "  for (int e = 0; e < CHUNK; ++e) {",
            *(f"    {line}" for line in body),
            "  }",
            "}",
        ]

    def hoisted(self, expression: str) -> Text:
        """A number that no step changes."""
        if expression not in self._hoisted:
            name = f"c{len(self._hoisted)}"
            self._hoisted[expression] = Text(self.F, name)
            self.before.append(f"const real {name} = {expression};")
        return self._hoisted[expression]

    def dropped(self, value: str) -> str:
        """m * value."""
        return f"{self.hoisted('call.drop[at]')} * {value}" if self.places.options.dropped else value

    # a level

    def _level(self, number: int, level: Level) -> None:
        self.level = level
        F, program = self.F, Replay(level.outputs)
        columns = self.columns(number, level)
        leaves: dict[str, Any] = dict(columns)
        for name in program.leaves:
            if name not in leaves:
                leaves[name] = self.values[name] if name in self.values else self.leaf(name)
        needed = False
        for name in level.sums:
            self.buffer(f"sums{name[2:]}", self.division.cluster * self.division.warps * self.division.rows)
        for name, value in program(F, leaves).items():
            needed = self._store(name, F.value(value), level) or needed
        if level.sums or needed:
            F.lines.append(self.meet(bool(level.sums) or self.lowered.gradient is None))
        for name, how in level.sums.items():
            largest = "true" if how == "rowmax" else "false"
            count = "CLUSTER * WARPS"
            self.values[name] = F.load(f"over_blocks<{count}, ROWS>({largest}, sums{name[2:]}, own_row)")

    def _store(self, name: str, value: Text, level: Level) -> bool:
        """An output of the program; returns whether threads must meet before the next level."""
        if name.startswith("r."):
            self._collect(name, value, level.sums[name])
            return False
        if name.startswith("w."):
            self.values[name] = value
            return False
        if name.startswith("k."):
            self.values[name] = value
            one = " && unit == 0" if name in self.lowered.uniform else ""
            self.write(self.places.address(name), value, one)
            return False
        return self.store(name, value)

    def _collect(self, name: str, value: Text, how: str) -> None:
        nothing, largest = ("real(-INFINITY_)", "true") if how == "rowmax" else ("real(0)", "false")
        total = self.F.load(f"over_warp<SPLIT>({largest}, there ? {value} : {nothing})")
        place = f"sums{name[2:]} + (rank * WARPS + thread / 32) * ROWS + own_row"
        self.F.lines.append(f"if (thread % 32 < SPLIT) spread<CLUSTER, HOLDERS>({place}, {total}, holder);")

    def write(self, address: str, value: Text | str, condition: str = "") -> None:
        self.F.lines.append(f"if (writes{condition}) {address} = {value};")

    def held(self, value: Text | str, other: Text | str) -> Text:
        """The value where the row takes the step."""
        if not self.places.options.masked:
            return Text(self.F, str(value))
        return self.F.load(f"ahead.live ? {value} : {other}")

    def meet(self, everybody: bool) -> str:
        """Of the block, or of all that exchange numbers."""
        return "meet_cluster();" if everybody and self.division.cluster > 1 else "meet_block();"

    # what the two directions do differently

    first: str
    more: str
    after: str

    @abstractmethod
    def begin(self) -> None:
        """Shared memory and registers before the first step, and what a step begins with."""

    @abstractmethod
    def columns(self, number: int, level: Level) -> dict[str, Text]:
        """The accumulators of a level."""

    @abstractmethod
    def leaf(self, name: str) -> Text:
        """A value that was not made in this step."""

    @abstractmethod
    def store(self, name: str, value: Text) -> bool:
        """Outputs other than sums, kept and carried values; returns whether others wait for it in this step."""

    @abstractmethod
    def end(self) -> None:
        """What a step ends with."""

    def closing(self) -> str:
        """What follows the last step."""
        return ""

    def own_vector(self, name: str) -> Text:
        """p.gamma or p.gamma.i."""
        return self.hoisted(self.places.vector(name))

    def gate(self, q: str) -> int:
        return self.cell.gates.index(q)

    def weight_at(self, gates: list[int], k: str, m: str) -> str:
        """The element of U that joins unit k and number m of the block, OWN of each of the gates behind each other."""
        chosen = str(gates[-1])
        for c, gate in reversed(list(enumerate(gates[:-1]))):
            chosen = f"({m} / OWN == {c} ? {gate} : {chosen})"
        wide = len(self.cell.gates)
        return f"call.U[(long long){k} * {wide} * UNITS + {chosen} * UNITS + rank * OWN + {m} % OWN]"
