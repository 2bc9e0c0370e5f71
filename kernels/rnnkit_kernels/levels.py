"""A cell's step and its adjoint cut into levels for compiled kernels: product tiles, each with a pointwise program.

A level is what a kernel does for all rows and units before anything may need a whole row: some accumulators filled by
products, then pointwise operations on them, then stores. Between two levels stand inner products and sums over the
units of a row; norms, means and softmax are made of such sums here.

Values are named by where a kernel finds them:

    x.q u.q    accumulators: x W_q and (m * h) U_q, with their biases; a.q their sum, where only the sum is used
    i.q        the accumulator of the inner product (m * v) U_q
    s.* n.*    state before and after the step          k.*  kept           p.*  the cell's own vectors
    d.*        dL/d(new state)                          m.q  v's share of dL/d(inner product): d U_q^T
    v.q        the operand of an inner product          g.N  column N of the gradients of a step; t.N where it is only
                                                             added to a total over rows and steps
    r.N        row sum N, the same for all units of a row
    w.N        a value that a later level needs and that cannot be had again
    1/H        one over the number of units

A level's program gets again, from what lies in memory, whatever it can; only what went through an accumulator is
carried from level to level.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from .carrying import Carrying
from .contract import Cell
from .expressions import Node
from .gradient_columns import Gradient, gradient_columns
from .lowering import Lowering
from .program import derive, reachable, trace

__all__ = ["Column", "Gradient", "Level", "Lowered", "Product", "backward_levels", "forward_levels", "is_uniform"]

_WIDE = 5  # accumulators of a tile beyond which the products with x and with h are two levels


@dataclass(frozen=True)
class Product:
    """operand ("x", "h", "v.q", "d": all recurrent gradient columns of the step after, "g.q": one of this step's) times
    its weights, added to the accumulators first .. last - 1 of the level."""

    operand: str
    first: int
    last: int
    gates: tuple[str, ...]


@dataclass(frozen=True)
class Column:
    """One accumulator of a level. parts: (operand, gate) of each product that it sums."""

    name: str
    parts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Level:
    """columns, products  the accumulators and what fills them
    outputs  what is stored, by place: n.* k.* v.q g.N t.N s.* w.N; and row sums, by r.N
    sums     which of two operations each r.N collects by: "rowsum" or "rowmax"
    """

    columns: tuple[Column, ...]
    products: tuple[Product, ...]
    outputs: dict[str, Node]
    sums: dict[str, str]


@dataclass(frozen=True)
class Lowered:
    """levels, and how many row sums and carried values they use; `gradient` for the way back."""

    levels: tuple[Level, ...]
    sums: int
    carried: int
    uniform: frozenset[str]
    gradient: Gradient | None = None


def _products(columns: list[Column], order: tuple[str, ...]) -> tuple[tuple[Column, ...], tuple[Product, ...]]:
    """Columns arranged so that those of one operand lie side by side, and the products that fill them."""
    operands = list(dict.fromkeys(operand for c in columns for operand, _ in c.parts))

    def place(column: Column) -> tuple[int, int]:
        at = [operands.index(operand) for operand, _ in column.parts] or [0]
        gates = [order.index(gate) for _, gate in column.parts if gate] or [0]
        return min(at) + max(at), gates[0]

    arranged = sorted(columns, key=place)
    products = []
    for operand in operands:
        at = [k for k, c in enumerate(arranged) if operand in dict(c.parts)]
        runs = [at] if at == list(range(at[0], at[-1] + 1)) else [[k] for k in at]
        for run in runs:
            gates = tuple(dict(arranged[k].parts)[operand] for k in run)
            products.append(Product(operand, run[0], run[-1] + 1, gates))
    return tuple(arranged), tuple(products)


def _uniform(levels: Iterable[Level], known: frozenset[str]) -> frozenset[str]:
    """Names of the kept values that are one number for a row."""
    found = set(known)
    for level in levels:
        for name, root in level.outputs.items():
            if name.startswith("k.") and is_uniform(root, frozenset(found)):
                found.add(name)
    return frozenset(found)


def is_uniform(root: Node, known: frozenset[str]) -> bool:
    """Whether a value is the same for all units of a row."""
    return all(
        node.op != "leaf" or node.attr == "1/H" or node.attr.startswith("r.") or node.attr in known
        for node in reachable([root])
    )


@lru_cache(maxsize=256)
def forward_levels(cell: Cell) -> Lowered:
    """The levels of the cell's step."""
    step = trace(cell)
    lower = Lowering(step.graph)
    outputs = {name: lower(node) for name, node in step.forward.outputs.items()}
    operands = {f"v.{q}": lower(node) for q, node in step.operands.items()}
    nodes = reachable([*outputs.values(), *operands.values()])
    columns = _forward_columns(cell, nodes)
    apart = len(columns) > _WIDE and all(len(c.parts) == 1 for c in columns.values())
    late = frozenset(f"u.{q}" for q in cell.gates) if apart else frozenset()
    levels = Carrying([*outputs.values(), *operands.values()], columns, late)
    wanted: list[dict[str, Node]] = [{} for _ in range(levels.last + 1)]
    for name, node in (outputs | operands).items():
        wanted[levels.of[node]][name] = node
    stored = {node: name for name, node in outputs.items() if node.op not in ("const", "leaf")}
    return _lowered(cell, levels, levels.cut(wanted, stored, step.graph), frozenset())


def _forward_columns(cell: Cell, nodes: list[Node]) -> dict[Node, Column]:
    users: dict[Node, list[Node]] = {node: [] for node in nodes}
    for node in nodes:
        for a in node.args:
            users[a].append(node)
    leaves = {node.attr: node for node in nodes if node.op == "leaf"}
    inner = {node.attr: node for node in nodes if node.op == "matmul"}
    columns = {}
    for q in cell.gates:
        x, u = leaves.get(f"x.{q}"), inner.get(q, leaves.get(f"u.{q}"))
        operand = f"v.{q}" if q in inner else "h"
        if x is not None and u is not None and users[x] == users[u] and [n.op for n in users[x]] == ["add"]:
            columns[users[x][0]] = Column(f"a.{q}", (("x", q), (operand, q)))
            continue
        if x is not None:
            columns[x] = Column(f"x.{q}", (("x", q),))
        if u is not None:
            columns[u] = Column(f"i.{q}" if q in inner else f"u.{q}", ((operand, q),))
    return columns


def _lowered(
    cell: Cell,
    levels: Carrying,
    outputs: list[dict[str, Node]],
    known: frozenset[str],
    gradient: Gradient | None = None,
) -> Lowered:
    made = []
    for k, wanted in enumerate(outputs):
        mine = [c for node, c in levels.columns.items() if levels.of[node] == k]
        columns, products = _products(mine, cell.gates)
        sums = {f"r.{j}": node.op for j, node in enumerate(levels.sums) if levels.of[node] == k + 1}
        made.append(Level(columns, products, wanted, sums))
    return Lowered(tuple(made), len(levels.sums), len(levels.carried), _uniform(made, known), gradient)


@lru_cache(maxsize=256)
def backward_levels(cell: Cell) -> Lowered:
    """The levels of the cell's derived adjoint. Uses what `forward_levels` found to be one number a row."""
    step, adjoint = trace(cell), derive(cell)
    F = step.graph
    lower = Lowering(F)
    flat = {name: lower(node) for name, node in adjoint.outputs.items()}
    gradient, stored_as = gradient_columns(cell, flat, tuple(step.operands))
    nodes = reachable(flat.values())
    columns: dict[Node, Column] = {}
    met = gradient.h_range[0] < gradient.h_range[1]
    columns[F.leaf("d.h")] = Column("d.h", (("d", ""),) if met else ())
    for node in nodes:
        if node.op == "matmul_t":
            columns[node] = Column(f"m.{node.attr}", ((f"g.{gradient.u[node.attr]}", node.attr),))
    levels = Carrying(flat.values(), columns, frozenset(), stored_as[gradient.stored :])
    levels.of[F.leaf("d.h")] = 0
    wanted: list[dict[str, Node]] = [{} for _ in range(levels.last + 1)]
    for number, node in enumerate(stored_as):
        wanted[levels.of[node]][f"{'g' if number < gradient.stored else 't'}.{number}"] = node
    for name in cell.state:
        wanted[-1][f"s.{name}"] = flat[f"s.{name}"]
    kept = forward_levels(cell).uniform
    apart = enumerate(stored_as[: gradient.stored])
    stored = {node: f"g.{number}" for number, node in apart if node.op not in ("const", "leaf")}
    stored[F.leaf("d.h")] = "e.h"  # what d.h came to is written back to memory by the first level
    return _lowered(cell, levels, levels.cut(wanted, stored, F), kept, gradient)
