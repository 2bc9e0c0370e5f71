"""Where the gradients of a step stand beside each other in a compiled way back."""

from __future__ import annotations

from dataclasses import dataclass

from .contract import Cell
from .expressions import Node

__all__ = ["Gradient", "gradient_columns"]


@dataclass(frozen=True)
class Gradient:
    """The gradient columns of a step, H wide each, in the order they are stored in; and what each stands for.

    columns   how many there are
    stored    how many of them a product asks for, so that each step and row has its own; the rest, gradients of vectors
              and nothing else, are only summed
    x, u, p   the column of each gate's x.q, of its u.q or inner product, and of each vector ("p.name"), by name
    x_range, h_range    first and last + 1 of the columns that go back through W, and through U to h
    """

    columns: int
    stored: int
    x: dict[str, int]
    u: dict[str, int]
    p: dict[str, int]
    x_range: tuple[int, int]
    h_range: tuple[int, int]


def gradient_columns(cell: Cell, flat: dict[str, Node], inner: tuple[str, ...]) -> tuple[Gradient, list[Node]]:
    """An order of the distinct gradients in which those that go through W lie together, and those that go through U."""
    x, u = ({q: flat[f"{kind}.{q}"] for q in cell.gates} for kind in "xu")
    met = [q for q in cell.gates if q not in inner]
    through_h = list(dict.fromkeys(u[q] for q in met))
    through_x = list(dict.fromkeys(x[q] for q in cell.gates))
    if len(through_h) < len(met) or len(through_x) < len(cell.gates):
        # two gates with one gradient: each gets a column, so that columns and gates correspond
        through_h, through_x = [u[q] for q in met], [x[q] for q in cell.gates]
        shared = through_h == through_x
        order: list[Node] = through_x if shared else through_x + through_h
        x_range = (0, len(through_x))
        h_range = (0, len(through_h)) if shared else (len(through_x), len(order))
        at_x = dict(zip(cell.gates, range(*x_range), strict=True))
        at_u = dict(zip(met, range(*h_range), strict=True))
    else:
        both = [n for n in through_h if n in through_x]
        only_x = [n for n in through_x if n not in through_h]
        order = only_x + both + [n for n in through_h if n not in through_x]
        x_range = (0, len(through_x))
        h_range = (len(only_x), len(order))
        at_x = {q: order.index(x[q]) for q in cell.gates}
        at_u = {q: order.index(u[q]) for q in met}
    for q in inner:
        if u[q] in order:
            at_u[q] = order.index(u[q])
        else:
            at_u[q] = len(order)
            order.append(u[q])
    at_p, stored = {}, len(order)
    for name, node in flat.items():
        if name.startswith("p.") and node.op != "const":
            if node not in order:
                order.append(node)
            at_p[name] = order.index(node)
    return Gradient(len(order), stored, at_x, at_u, at_p, x_range, h_range), order
