"""A program rewritten in what compiled kernels have: norms, means and softmax as sums over the units of a row."""

from __future__ import annotations

from typing import Any

from .expressions import Graph, Node

__all__ = ["ROW_SUMS", "Lowering"]

ROW_SUMS = ("rowsum", "rowmax")


class Lowering:
    """Lowers one value after the other; what two of them share is lowered once. See `levels` for the names."""

    def __init__(self, graph: Graph) -> None:
        self.F = graph
        self._made: dict[Node, Any] = {}

    def __call__(self, node: Node) -> Node:
        made = self._made.get(node)
        if made is None:
            made = self._made[node] = self._lower(node)
        return made

    def _lower(self, node: Node) -> Any:
        F = self.F
        if node.op in ("leaf", "const"):
            return node
        if node.op == "given":
            return self(node.args[0])
        if node.op == "part":
            self(node.args[0])
            return self._made[node.args[0]][node.attr]
        args = [self(a) for a in node.args]
        if node.op == "standardize":
            middle = self._mean(args)
            centred = [a - middle for a in args]
            rstd = F.rsqrt(self._mean([a * a for a in centred]) + node.attr)
            return (*(a * rstd for a in centred), rstd)
        if node.op == "mean":
            return self._mean(args)
        if node.op == "sum":
            return self._sum(args[0])
        if node.op == "softmax":
            e = F.exp(args[0] - F.make("rowmax", args[0]))
            return e / self._sum(e)
        return F.make(node.op, *args, attr=node.attr)

    def _sum(self, a: Node) -> Node:
        if a.op == "const":
            return a / self.F.leaf("1/H") if a.attr else a
        return self.F.make("rowsum", a)

    def _mean(self, args: list[Node]) -> Node:
        total = args[0]
        for a in args[1:]:
            total = total + a
        return self._sum(total) * (self.F.leaf("1/H") * (1 / len(args)))
