"""A traced program run again: on arrays, or on the nodes of another graph."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from . import activations
from .adjoint import pull
from .expressions import Graph, Node, substitute

__all__ = ["Replay", "back", "needs_argument"]

_OPERATORS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "neg": operator.neg,
}


class Replay:
    """`Replay(outputs)(F, leaves)` gives the outputs' values, by name, for the leaves' values, by name.

    What each operation means is F's to say: `textbook.functions.Arrays` computes, a `Graph` writes down.
    """

    def __init__(self, outputs: Mapping[str, Node]) -> None:
        from .program import reachable

        nodes = reachable(outputs.values())
        slot = {node: k for k, node in enumerate(nodes)}
        self._leaves = [(slot[n], n.attr) for n in nodes if n.op == "leaf"]
        self._constants = [(slot[n], n.attr) for n in nodes if n.op == "const"]
        # Numbers that meet only numbers must bring the dtype themselves: np.where(condition, 1.0, 0.0) makes doubles.
        met = [n.args[1:] if n.op == "where" else n.args for n in nodes]
        self._alone = sorted({slot[a] for args in met if all(a.op == "const" for a in args) for a in args})
        self._work = [(slot[n], n, [slot[a] for a in n.args]) for n in nodes if n.op not in ("leaf", "const")]
        self._outputs = [(name, slot[node]) for name, node in outputs.items()]
        self._size = len(nodes)

    @property
    def leaves(self) -> tuple[str, ...]:
        return tuple(name for _, name in self._leaves)

    def __call__(self, F: Any, leaves: Mapping[str, Any]) -> dict[str, Any]:
        value: list[Any] = [None] * self._size
        for k, name in self._leaves:
            value[k] = leaves[name]
        for k, number in self._constants:
            value[k] = number
        if self._alone:
            given = (getattr(v, "dtype", None) for v in leaves.values())
            cast = next((dtype.type for dtype in given if dtype is not None and dtype.kind == "f"), float)
            for k in self._alone:
                value[k] = cast(value[k])
        for k, node, args in self._work:
            value[k] = _compute(F, node, [value[a] for a in args])
        return {name: value[k] for name, k in self._outputs}


def _compute(F: Any, node: Node, args: list[Any]) -> Any:
    op = node.op
    function = _OPERATORS.get(op)
    if function is not None:
        return function(*args)
    if op == "part":
        return args[0][node.attr]
    if op == "given":
        return args[0]
    if op == "standardize":
        parts, rstd = F.standardize(*args, epsilon=node.attr)
        return (*parts, rstd)
    function = getattr(F, op)
    return function(*args) if node.attr is None else function(*args, node.attr)


@lru_cache(maxsize=256)
def _slope(activation: Any) -> Replay:
    """d, y -> dL/da where the activation's output y is enough; else d, y, a -> dL/da."""
    graph = Graph()
    a = graph.leaf("a")
    y = graph.apply(activation, a)
    owed = pull(graph, {y: graph.leaf("d")})[0].get(a, graph.value(0))
    return Replay(substitute({"da": owed}, {y: graph.leaf("y")} if y is not a else {}))


def needs_argument(activation: Any) -> bool:
    """Whether the derivative cannot be had from the activation's output: true of swish and gelu, false of tanh."""
    activations.check(activation)
    return "a" in _slope(activation).leaves


def back(F: Any, activation: Any, y: Any, a: Any, d: Any) -> Any:
    """d f'(a), from y = f(a) where that is enough and from a too where it is not (a may be None where it is)."""
    return _slope(activation)(F, {"y": y, "a": a, "d": d})["da"]
