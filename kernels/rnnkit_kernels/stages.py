"""Levels of a step: how often a row must wait for all of its units.

A level is a product tile with the pointwise program that follows it, begun where `matmul`, `standardize`, `mean` or
`softmax` needs a whole row. A compiled skeleton runs one level after the other; the textbook does not need to know.
"""

from __future__ import annotations

from dataclasses import dataclass

from .expressions import CUTS, Node
from .program import Step

__all__ = ["Stage", "stages"]


@dataclass(frozen=True)
class Stage:
    """One level of a step.

    columns     (gate, kind) of the product columns that this level is the first to use: "fused" where x.g + u.g is all
                that is asked of the two and one accumulator serves, else "x" and "u" apart, "inner" for F.matmul
    statistics  the operations over a row that stand before its pointwise part
    nodes       the pointwise part, in order
    """

    columns: tuple[tuple[str, str], ...]
    statistics: tuple[Node, ...]
    nodes: tuple[Node, ...]


def stages(step: Step) -> tuple[Stage, ...]:
    """The step's levels, first to last."""
    nodes = step.forward.nodes
    level: dict[Node, int] = {}
    users: dict[Node, list[Node]] = {node: [] for node in nodes}
    for node in nodes:
        level[node] = max((level[a] for a in node.args), default=0) + (node.op in CUTS)
        for a in node.args:
            users[a].append(node)
    leaves = {node.attr: node for node in nodes if node.op == "leaf"}
    # statistics read their rows in the tile before the level that they open
    first_use = {
        name: min(level[n] - (n.op in CUTS) for n in users[leaf]) for name, leaf in leaves.items() if users[leaf]
    }
    columns: dict[int, list[tuple[str, str]]] = {}
    for gate in step.cell.gates:
        x, u = leaves.get(f"x.{gate}"), leaves.get(f"u.{gate}")
        if x is not None and u is not None and users[x] == users[u] and [n.op for n in users[x]] == ["add"]:
            columns.setdefault(first_use[f"x.{gate}"], []).append((gate, "fused"))
            continue
        for kind, leaf in (("x", x), ("u", u)):
            if leaf is not None:
                columns.setdefault(first_use.get(f"{kind}.{gate}", 0), []).append((gate, kind))
        if gate in step.operands:
            product = next(n for n in nodes if n.op == "matmul" and n.attr == gate)
            columns.setdefault(level[product], []).append((gate, "inner"))
    last = max(level.values(), default=0)
    return tuple(
        Stage(
            columns=tuple(columns.get(k, ())),
            statistics=tuple(n for n in nodes if level[n] == k and n.op in CUTS and n.op != "matmul"),
            nodes=tuple(n for n in nodes if level[n] == k and n.op not in CUTS and n.op not in ("leaf", "const")),
        )
        for k in range(last + 1)
    )
