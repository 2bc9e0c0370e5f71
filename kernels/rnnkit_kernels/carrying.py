"""Which level each value of a program belongs to, and what has to be carried from one level to the next.

A level's program gets again, from what lies in memory, whatever it can; only what went through an accumulator, and is
not an operation or two away from something that lies there, is stored for a later level.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .expressions import Graph, Node, substitute
from .lowering import ROW_SUMS
from .program import reachable

if TYPE_CHECKING:
    from .levels import Column

__all__ = ["Carrying"]

_CUTS = (*ROW_SUMS, "matmul", "matmul_t")
_NEAR = 2  # operations that cost less than a store and a load


class Carrying:
    """Places every node of a program, and finds what has to be carried from one level to the next."""

    def __init__(
        self, roots: Iterable[Node], columns: dict[Node, Column], late: frozenset[str], shared: Iterable[Node] = ()
    ) -> None:
        self.columns, self._shared = columns, frozenset(shared)
        nodes = reachable(roots)
        self.of: dict[Node, int] = {}
        for node in nodes:
            below = max((self.of[a] for a in node.args), default=0)
            cut = node.op in _CUTS
            self.of[node] = below + cut + (node.op == "leaf" and node.attr in late)
        self.last = max(self.of.values(), default=0)
        # an accumulator belongs to the level that first uses it
        for node, column in columns.items():
            at = [self.of[n] - (n.op in _CUTS) for n in nodes if node in n.args]
            if at and all(operand in ("x", "h") for operand, _ in column.parts):
                self.of[node] = max(self.of[node], min(at))
        self.sums = [n for n in nodes if n.op in ROW_SUMS]
        self._again: dict[Node, bool] = {}
        self.carried: list[Node] = []

    def again(self, node: Node) -> bool:
        """Whether a later level can make the value from what lies in memory."""
        if node not in self._again:
            free = node not in self.columns and node.op not in ("matmul", "matmul_t")
            self._again[node] = free and (node.op in ROW_SUMS or all(self.again(a) for a in node.args))
        return self._again[node]

    def cut(self, outputs: list[dict[str, Node]], stored: dict[Node, str], F: Graph) -> list[dict[str, Node]]:
        """The outputs of each level in values that the level has."""
        final: list[dict[str, Node]] = [{} for _ in outputs]
        for k in reversed(range(len(outputs))):
            for number, node in enumerate(self.sums):
                if self.of[node] == k + 1:
                    outputs[k][f"r.{number}"] = node.args[0]
            given: dict[Node, Node] = {}
            for root in outputs[k].values():
                self._reach(root, k, given, stored, outputs, F)
            final[k] = substitute(outputs[k], given)
        return final

    def _reach(
        self,
        node: Node,
        level: int,
        given: dict[Node, Node],
        stored: dict[Node, str],
        outputs: list[dict[str, Node]],
        F: Graph,
    ) -> None:
        if node in given or node.op == "const":
            return
        if node.op in ROW_SUMS:
            given[node] = F.leaf(f"r.{self.sums.index(node)}")
        elif self.of[node] < level and not self.again(node) and not self._cheap(node, stored):
            given[node] = F.leaf(self._carry(node, stored, outputs))
        elif node in self.columns:
            given[node] = F.leaf(self.columns[node].name)
        else:
            for a in node.args:
                self._reach(a, level, given, stored, outputs, F)

    def _cheap(self, node: Node, stored: dict[Node, str]) -> bool:
        """Whether the value is an operation or two away from one that lies in memory or is carried in its place: an
        accumulator, or one that several values are made of."""
        for _ in range(_NEAR):
            dear = [a for a in node.args if not self.again(a)]
            if len(dear) != 1 or node in stored or node in self._shared or node.op not in ("add", "sub", "mul"):
                return False
            node = dear[0]
            if node in self.columns or node in stored or node in self._shared:
                return True
        return False

    def _carry(self, node: Node, stored: dict[Node, str], outputs: list[dict[str, Node]]) -> str:
        if node in stored:
            return stored[node]
        name = f"w.{len(self.carried)}"
        self.carried.append(node)
        stored[node] = name
        outputs[self.of[node]][name] = node
        return name
