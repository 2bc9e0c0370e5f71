"""The way back in one kernel."""

from __future__ import annotations

from ...contract import Cell
from ...levels import Level, Lowered, Product
from ..layout import member
from .persistent import Persistent
from .text import Text

__all__ = ["PersistentBackward", "gates_back"]


def gates_back(cell: Cell, lowered: Lowered, product: Product) -> tuple[str, ...]:
    """The gates whose columns of U a product goes back through, in the order of their gradients."""
    if product.operand != "d":
        return product.gates
    assert lowered.gradient is not None
    columns = lowered.gradient.u
    inner = {q for level in lowered.levels for p in level.products if p.operand != "d" for q in p.gates}
    order = range(*lowered.gradient.h_range)
    return tuple(q for k in order for q in cell.gates if columns[q] == k and q not in inner)


class PersistentBackward(Persistent):
    """A block keeps the gradients of its own units in shared memory, sums them up for all units of h, and sends the
    sums to the blocks that own them. What the states are owed stays in registers."""

    prefix = "backward"
    steps = "long long t = call.steps - 1; t >= 0; --t"
    first, more, after = "call.steps - 1", "t > 0", "t - 1"

    def begin(self) -> None:
        for number, level in enumerate(self.lowered.levels):
            for j, product in enumerate(level.products):
                self.rooms(f"{number}_{j}", len(self.through(product)) * self.division.own)
        for name in self.cell.state:
            place = f"call.{member(f'd.{name}')}[call.steps * step + at]"
            self.before.append(f"real d_{name} = {place};")
            if name != "h":
                self.values[f"d.{name}"] = Text(self.F, f"d_{name}")
        self.before.append("bool goes_on = false;")
        if self.places.options.masked:
            self.ahead("live", "call.mask[t * rows + row]", "bool")

    def through(self, product: Product) -> list[int]:
        return [self.gate(q) for q in gates_back(self.cell, self.lowered, product)]

    def columns(self, number: int, level: Level) -> dict[str, Text]:
        through = {}
        for j, product in enumerate(level.products):
            through[product.first] = self.product(f"{number}_{j}", product)
        found = {}
        for c, column in enumerate(level.columns):
            if column.name != "d.h":
                found[column.name] = self.F.load(self.dropped(through[c]))
                continue
            total = f"{self.ahead('dh', 'call.dh[t * step + at]')} + d_h"
            if c in through:
                total += f" + (goes_on ? {self.dropped(through[c])} : real(0))"
            found["d.h"] = self.values["e.h"] = self.F.load(total)
            self.write(self.places.address("d.h"), found["d.h"])
        return found

    def rooms(self, name: str, length: int) -> None:
        """Shared memory of a product: the block's own gradients, so many in a row, and what blocks send."""
        d = self.division
        self.buffer(f"g{name}", d.rows * d.line(length, back=True))
        if d.cluster > 1:
            self.buffer(f"sent{name}", d.cluster * d.rows * d.own)

    def gradients(self, name: str, product: Product) -> str:
        """What a product goes back through: of the step that the way back comes from, or of this one."""
        return self.other(f"g{name}") if product.operand == "d" else f"g{name}"

    def weight(self, product: Product, k: str, m: str) -> str:
        """What joins unit k and gradient m of the block: 0 for what there is not."""
        gates = self.through(product)
        known = f"{k} < UNITS && {m} < {len(gates)} * OWN && rank * OWN + {m} % OWN < UNITS"
        return f"{known} ? {self.weight_at(gates, k, m)} : real(0)"

    def product(self, name: str, product: Product) -> str:
        """The sum for this row and unit over all gradients of the product."""
        d, length = self.division, len(self.through(product)) * self.division.own
        body = [
            "const int m = CHUNK * (thread % BACK_SPLIT + BACK_SPLIT * piece) + e, k = thread / BACK_SPLIT;",
            f"w{name}[piece][e][0] = {self.weight(product, 'k', 'm')};",
        ]
        self.kept(f"w{name}", d.pieces(length, back=True), 1, body)
        line = d.line(length, back=True)
        self.F.lines += [
            f"real back{name}[ROWS][1] = {{}};",
            f"accumulate<0, BACK_SPLIT>(back{name}, w{name}, {self.gradients(name, product)}, {line}, "
            "thread % BACK_SPLIT);",
            f"share_out<BACK_SPLIT>(back{name}, thread % BACK_SPLIT);",
        ]
        if d.cluster == 1:
            return f"back{name}[0][0]"
        self.F.lines += [
            f"send_back<BACK_SPLIT, ROWS, OWN, UNITS>(back{name}, sent{name}, rank, thread);",
            self.meet(True),
        ]
        return str(self.F.load(f"from_blocks<CLUSTER>(sent{name} + own_row * OWN + own_unit, ROWS * OWN)"))

    def leaf(self, name: str) -> Text:
        kind, _, rest = name.partition(".")
        if name == "1/H":
            return self.hoisted("real(1) / real(UNITS)")
        if kind == "p":
            return self.own_vector(rest)
        if kind in "ksn":
            return self.ahead(name, self.places.address(name))
        raise ValueError(f"the way back of {self.cell.name} reads {name!r} before it is made")

    def store(self, name: str, value: Text) -> bool:
        kind, _, rest = name.partition(".")
        if kind == "s":
            owed = self.values["e.h"] if rest == "h" else f"d_{rest}"
            self.values[name] = new = self.held(value, owed)
            if rest != "h":
                self.write(f"call.{member(f'd.{rest}')}[t * step + at]", new)
            return False
        column, now = self.held(value, "real(0)"), False
        self.values[name] = column
        self.write(self.places.address(name), column)
        for number, level in enumerate(self.lowered.levels):
            for j, product in enumerate(level.products):
                for c in self._spots(product, int(rest)):
                    place = f"g{number}_{j}[{self.spot(product, f'{c} * OWN + mine')}]"
                    self.F.lines.append(f"if (there && holder == 0) {place} = {self.factor(column)};")
                    now = now or product.operand != "d"
        return now

    def spot(self, product: Product, m: str) -> str:
        """Where the row's gradient m of a product lies."""
        return f"own_row * {self.division.line(len(self.through(product)) * self.division.own, back=True)} + {m}"

    def factor(self, value: Text) -> str:
        """A number as it is multiplied."""
        return str(value)

    def _spots(self, product: Product, column: int) -> list[int]:
        """Where a column of gradients stands among those of a product."""
        gradient = self.lowered.gradient
        assert gradient is not None
        if product.operand != "d":
            return [0] if product.operand == f"g.{column}" else []
        first, last = gradient.h_range
        return [column - first] if first <= column < last else []

    def end(self) -> None:
        self.F.lines += [f"d_{name} = {self.values[f's.{name}']};" for name in self.cell.state]
        self.F.lines.append("goes_on = ahead.live;" if self.places.options.masked else "goes_on = true;")
        self.F.lines.append(self.meet(False))

    def closing(self) -> str:
        return "  if (writes) call.d_h[at] = d_h;\n"
