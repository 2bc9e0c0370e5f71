"""The way there in one kernel."""

from __future__ import annotations

from ...levels import Level, Product
from .persistent import Persistent
from .text import Text

__all__ = ["PersistentForward"]


class PersistentForward(Persistent):
    """h of the step before stands in shared memory, all units of it, times the drop; other states in registers."""

    prefix = "forward"
    steps = "long long t = 0; t < call.steps; ++t"
    first, more, after = "0", "t + 1 < call.steps", "t + 1"

    def begin(self) -> None:
        self._left: list[str] = []
        self.vectors("met")
        operands = sorted({p.operand for lv in self.lowered.levels for p in lv.products if p.operand.startswith("v.")})
        for operand in operands:
            self.vectors(operand.replace(".", "_"))
        for name in self.cell.state:
            self.before.append(f"real s_{name} = {self.places.address(f's.{name}').replace('t * step + at', 'at')};")
            self.values[f"s.{name}"] = Text(self.F, f"s_{name}")
        source = "call.met" if self.places.options.dropped else "call.h"
        self.before += [
            "meet_block();",
            "for (int i = thread; i < ROWS * UNITS; i += THREADS) {",
            "  const int r = min(first_row + i / UNITS, rows - 1);",
            f"  {self.place('met', '0')}[{self.spot('i / UNITS', 'i % UNITS')}] = "
            f"{self.factor(f'{source}[(long long)r * UNITS + i % UNITS]')};",
            "}",
        ]
        if self.places.options.masked:
            self.ahead("live", "call.mask[t * rows + row]", "bool")

    def write(self, address: str, value: Text | str, condition: str = "") -> None:
        """What the last level leaves in memory is written while the others are still on their way to the meeting."""
        if self.level is self.lowered.levels[-1]:
            self._left.append(f"if (writes{condition}) {address} = {value};")
        else:
            super().write(address, value, condition)

    def columns(self, number: int, level: Level) -> dict[str, Text]:
        products = {f"{number}_{j}": p for j, p in enumerate(level.products) if p.operand != "x"}
        if products:
            self.multiply(f"sums_of{number}", max(1, len(level.columns)), products)
        found = {}
        for c, column in enumerate(level.columns):
            found[column.name] = self._column(f"sums_of{number}[0][{c}]", dict(column.parts))
        return found

    def multiply(self, sums: str, wide: int, products: dict[str, Product]) -> None:
        """Fills {sums}[0][column]: what the products add up to for this row and unit."""
        d, lines = self.division, self.F.lines
        lines.append(f"real {sums}[ROWS][{wide}] = {{}};")
        for name, product in products.items():
            gates, gate_count = [self.gate(q) for q in product.gates], len(self.cell.gates)
            loads = [
                f"w{name}[piece][e][{c}] = k < UNITS && there ? "
                f"call.U[(long long)k * {gate_count} * UNITS + {gate} * UNITS + unit] : real(0);"
                for c, gate in enumerate(gates)
            ]
            place = "const int k = CHUNK * (part + SPLIT * piece) + e;"
            self.kept(f"w{name}", d.pieces(d.units), len(gates), [place, *loads])
            vectors, line = self.vectors_of(product), d.line(d.units)
            lines.append(f"accumulate<{product.first}, SPLIT>({sums}, w{name}, {vectors}, {line}, part);")
        lines.append(f"share_out<SPLIT>({sums}, part);")

    def vectors_of(self, product: Product) -> str:
        return "met" if product.operand == "h" else product.operand.replace(".", "_")

    def vectors(self, name: str) -> None:
        """Room for a vector of all units, of each row."""
        self.buffer(name, self.division.rows * self.division.line(self.division.units))

    def spot(self, row: str, k: str) -> str:
        """Where number k of a row's vector lies."""
        return f"{row} * {self.division.line(self.division.units)} + {k}"

    def factor(self, value: Text | str) -> str:
        """A number as it is multiplied."""
        return str(value)

    def _column(self, total: str, parts: dict[str, str]) -> Text:
        q = next(iter(parts.values()))
        if "x" not in parts:
            bias = f"call.b_h[{self.gate(q)} * UNITS + unit]"
            return self.F.load(f"{self.hoisted(bias)} + {total}") if "h" in parts else Text(self.F, total)
        wide = len(self.cell.gates)
        place = f"call.x_pre[(t * call.rows + row) * ({wide} * UNITS) + {self.gate(q)} * UNITS + unit]"
        start = self.ahead(f"x.{q}", place)
        return start if len(parts) == 1 else self.F.load(f"{start} + {total}")

    def leaf(self, name: str) -> Text:
        kind, _, rest = name.partition(".")
        if name == "1/H":
            return self.hoisted("real(1) / real(UNITS)")
        if kind == "p":
            return self.own_vector(rest)
        raise ValueError(f"the step of {self.cell.name} reads {name!r} before it is made")

    def store(self, name: str, value: Text) -> bool:
        kind, _, rest = name.partition(".")
        if kind == "n":
            new = self.values[name] = self.held(value, f"s_{rest}")
            self.write(self.places.address(name), new)
            if rest == "h":
                self._spread_h(new)
            return False
        operand = self.F.load(self.dropped(str(self.held(value, "real(0)"))))
        self.write(self.places.address(name), operand)
        self._spread(f"v_{rest}", operand)
        return True

    def _spread_h(self, h: Text) -> None:
        met = self.F.load(self.dropped(str(h)))
        if self.places.options.dropped:
            self.write("call.met[(t + 1) * step + at]", met)
        self._spread(self.other("met"), met)

    def _spread(self, vectors: str, value: Text) -> None:
        place = f"{vectors} + {self.spot('own_row', 'unit')}"
        self.F.lines.append(f"if (there) spread<CLUSTER, HOLDERS>({place}, {self.factor(value)}, holder);")

    def end(self) -> None:
        self.F.lines += [f"s_{name} = {self.values[f'n.{name}']};" for name in self.cell.state]
        if self.division.cluster > 1:
            self.F.lines += ["arrive_cluster();", *self._left, "wait_cluster();"]
        else:
            self.F.lines += ["meet_block();", *self._left]
