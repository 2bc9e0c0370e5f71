"""Where a derived adjoint is cut: which values of the forward step the way back must be handed.

A minimum vertex cut, by augmenting paths (Ford & Fulkerson 1956). The graphs have some fifty nodes, so nothing here is
in a hurry.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from math import inf
from typing import TYPE_CHECKING

from .expressions import Node

if TYPE_CHECKING:
    from .program import Step

__all__ = ["available_from", "separate"]

_Vertex = tuple[Node | None, int]  # a node's entry (0) and exit (1)
_START: _Vertex = (None, 0)
_END: _Vertex = (None, 1)


def available_from(step: Step) -> dict[Node, str]:
    """What a backward pass has without computing: the leaf under which each such value reaches it."""
    kept = {node: f"k.{name}" for name, node in step.kept.items()}
    return kept | {node: f"n.{name}" for name, node in step.state.items() if node.op != "leaf"}


def separate(roots: Iterable[Node], available: dict[Node, str], may_keep: Callable[[Node], bool]) -> list[Node] | None:
    """The fewest values to keep so that `roots` can be computed from them and from what is available.

    Of several smallest sets it takes the one nearest to the roots, so that the least is computed twice. None when the
    values that may be kept are not enough.
    """
    order = _out_of_reach(roots, available)
    ends = set(roots) & set(order)
    room: defaultdict[_Vertex, dict[_Vertex, float]] = defaultdict(dict)  # what each way of the flow can still carry

    def way(a: _Vertex, b: _Vertex, capacity: float) -> None:
        room[a][b] = room[a].get(b, 0) + capacity
        room[b].setdefault(a, 0)

    for node in order:
        way((node, 0), (node, 1), 1 if may_keep(node) else inf)
        if _lost(node):
            way(_START, (node, 0), inf)
        else:
            for a in node.args:
                if a in order:
                    way((a, 1), (node, 0), inf)
        if node in ends:
            way((node, 1), _END, inf)
    while path := _path(room):
        width = min(room[a][b] for a, b in path)
        if width == inf:
            return None
        for start, end in path:
            room[start][end] -= width
            room[end][start] += width
    reaching = {_END}
    grown = True
    while grown:
        more = {a for a in room if a not in reaching and any(c > 0 and b in reaching for b, c in room[a].items())}
        grown = bool(more)
        reaching |= more
    return [n for n in order if (n, 1) in reaching and (n, 0) not in reaching]


def _path(room: dict[_Vertex, dict[_Vertex, float]]) -> list[tuple[_Vertex, _Vertex]]:
    """A shortest way from start to end on which there is room, as its steps; none gives []."""
    came: dict[_Vertex, _Vertex] = {}
    queue = [_START]
    vertex: _Vertex
    for vertex in queue:
        for following, capacity in room[vertex].items():
            if capacity > 0 and following not in came and following != _START:
                came[following] = vertex
                queue.append(following)
    path = []
    vertex = _END
    while vertex in came:
        path.append((came[vertex], vertex))
        vertex = came[vertex]
    return path


def _out_of_reach(roots: Iterable[Node], available: dict[Node, str]) -> list[Node]:
    """What the roots are made of, down to what is available or lost."""
    found: dict[Node, None] = {}
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        if node not in found and node not in available:
            found[node] = None
            if not _lost(node):
                waiting.extend(node.args)
    return list(found)


def _lost(node: Node) -> bool:
    """Whether a value is gone after the forward step, and dear or impossible to compute again."""
    return node.op == "matmul" or (node.op == "leaf" and node.attr[:2] in ("x.", "u."))
