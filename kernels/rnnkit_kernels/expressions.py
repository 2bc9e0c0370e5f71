"""Expressions: what a step is made of when it is read instead of run.

A cell's `step` sees values. Given arrays it computes; given the nodes of a `Graph` it writes down what it would do.
Equal expressions are one node, constants fold, and every node remembers the line of the cell that made it.
There are no shapes here, and no time: one step, pointwise, with three operations that look beyond a unit
(`matmul`, `standardize`, `mean`) and `softmax`, which is one of them in disguise.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from . import activations
from . import simplify as simplification
from .simplify import simplify

__all__ = ["CUTS", "POINTWISE", "Graph", "Node", "substitute"]

POINTWISE = frozenset(
    "add sub mul div neg sigmoid tanh relu exp log sqrt rsqrt abs erf softplus maximum minimum where less given".split()
)
# These need a whole row, or a product, before any unit can go on: they cut a step into levels.
CUTS = frozenset("matmul matmul_t standardize mean sum softmax".split())

_COMMUTE = frozenset("add mul maximum minimum".split())
_HERE = (__file__, activations.__file__, simplification.__file__)


def _source() -> str:
    """'file.py:12' of the nearest caller outside the tracer: the cell's own line."""
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename in _HERE:
        frame = frame.f_back
    return "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"


class Node:
    """One value of a step: an operation on other nodes, a named leaf, or a constant.

    op      an operation of `POINTWISE` or `CUTS`, "leaf" (attr: its name), "const" (attr: a float),
            or "part" (attr: which of the results of a `standardize`)
    args    the nodes it is made of
    attr    what the operation needs beside its arguments: a gate's name, an epsilon, an activation
    source  file and line of the cell that wrote it
    """

    __slots__ = ("args", "attr", "graph", "index", "op", "source")

    def __init__(self, graph: Graph, op: str, args: tuple[Node, ...], attr: Any, index: int) -> None:
        self.graph, self.op, self.args, self.attr, self.index = graph, op, args, attr, index
        self.source = _source()

    def __add__(self, other: Any) -> Node:
        return self.graph.make("add", self, other)

    def __sub__(self, other: Any) -> Node:
        return self.graph.make("sub", self, other)

    def __rsub__(self, other: Any) -> Node:
        return self.graph.make("sub", other, self)

    def __mul__(self, other: Any) -> Node:
        return self.graph.make("mul", self, other)

    def __truediv__(self, other: Any) -> Node:
        return self.graph.make("div", self, other)

    def __rtruediv__(self, other: Any) -> Node:
        return self.graph.make("div", other, self)

    def __neg__(self) -> Node:
        return self.graph.make("neg", self)

    def __lt__(self, other: Any) -> Node:
        return self.graph.make("less", self, other)

    def __gt__(self, other: Any) -> Node:
        return self.graph.make("less", other, self)

    def __pow__(self, power: Any) -> Node:
        if not isinstance(power, int) or power < 1:
            raise TypeError(f"a power in a step is a whole number from 1 up, got {power!r} at {_source()}")
        return self if power == 1 else self * self ** (power - 1)

    __radd__, __rmul__ = __add__, __mul__

    def __bool__(self) -> bool:
        raise TypeError(
            f"{_source()}: a step is read once, before it has numbers, so it cannot branch on a value; "
            "write F.where(F.less(a, b), this, that) in place of `if a < b`"
        )

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Node:
        """NumPy's own functions trace too, so that an activation written with np.tanh needs no second spelling."""
        op = _UFUNCS.get(ufunc.__name__)
        if op is None or method != "__call__" or kwargs:
            raise TypeError(f"np.{ufunc.__name__} at {_source()} cannot stand in a step; use +, -, *, / and F.*")
        return op(self.graph, *inputs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Node:
        if function is np.where and len(args) == 3 and not kwargs:
            return self.graph.where(*args)
        raise TypeError(f"np.{function.__name__} at {_source()} cannot stand in a step; use +, -, *, / and F.*")

    def __repr__(self) -> str:
        from .equations import show

        return show(self)


class Graph:
    """The F of a step that is being traced. Every method gives a node; see `textbook.functions` for what each means."""

    def __init__(self) -> None:
        self._nodes: dict[tuple[Any, ...], Node] = {}
        self.applied: list[tuple[Any, Node, Node]] = []  # (activation, argument, value), where the user chose

    def make(self, op: str, *args: Any, attr: Any = None) -> Node:
        nodes = tuple(self.value(a) for a in args)
        simple = simplify(self, op, nodes)
        if simple is not None:
            return simple
        return self._intern(op, nodes, attr)

    def _intern(self, op: str, nodes: tuple[Node, ...], attr: Any) -> Node:
        which = [n.index for n in nodes]
        key = (op, *(sorted(which) if op in _COMMUTE else which), attr)
        node = self._nodes.get(key)
        if node is None:
            node = self._nodes[key] = Node(self, op, nodes, attr, len(self._nodes))
        return node

    def value(self, a: Any) -> Node:
        if isinstance(a, Node):
            return a
        try:
            number = float(a)
        except (TypeError, ValueError):
            raise TypeError(f"{_source()}: a step computes with its values and with numbers, got {a!r}") from None
        return self._intern("const", (), number)

    def leaf(self, name: str) -> Node:
        return self._intern("leaf", (), name)

    def sigmoid(self, a: Any) -> Node:
        return self.make("sigmoid", a)

    def tanh(self, a: Any) -> Node:
        return self.make("tanh", a)

    def relu(self, a: Any) -> Node:
        return self.make("relu", a)

    def exp(self, a: Any) -> Node:
        return self.make("exp", a)

    def log(self, a: Any) -> Node:
        return self.make("log", a)

    def sqrt(self, a: Any) -> Node:
        return self.make("sqrt", a)

    def rsqrt(self, a: Any) -> Node:
        return self.make("rsqrt", a)

    def abs(self, a: Any) -> Node:
        return self.make("abs", a)

    def erf(self, a: Any) -> Node:
        return self.make("erf", a)

    def softplus(self, a: Any) -> Node:
        return self.make("softplus", a)

    def softmax(self, a: Any) -> Node:
        return self.make("softmax", a)

    def maximum(self, a: Any, b: Any) -> Node:
        return self.make("maximum", a, b)

    def minimum(self, a: Any, b: Any) -> Node:
        return self.make("minimum", a, b)

    def less(self, a: Any, b: Any) -> Node:
        return self.make("less", a, b)

    def where(self, condition: Any, a: Any, b: Any) -> Node:
        return self.make("where", condition, a, b)

    def matmul(self, a: Any, gate: str) -> Node:
        return self.make("matmul", a, attr=gate)

    def matmul_t(self, a: Any, gate: str) -> Node:
        return self.make("matmul_t", a, attr=gate)

    def mean(self, *values: Any) -> Node:
        return self.make("mean", *values)

    def sum(self, a: Any) -> Node:
        return self.make("sum", a)

    def standardize(self, *values: Any, epsilon: float = 1e-5) -> tuple[tuple[Node, ...], Node]:
        whole = self.make("standardize", *values, attr=epsilon)
        parts = tuple(self.make("part", whole, attr=k) for k in range(len(values) + 1))
        return parts[:-1], parts[-1]

    def back(self, activation: Any, y: Any, a: Any, d: Any) -> Node:
        from .replay import back

        return self.value(back(self, activation, y, a, d))

    def apply(self, activation: Any, a: Any) -> Node:
        a = self.value(a)
        y = activations.expand(activation, self, a)
        if hasattr(activation, "derivative"):
            y = self.make("given", y, a, attr=activation)
        self.applied.append((activation, a, y))
        return y


def _maker(op: str) -> Callable[..., Node]:
    return lambda graph, *args: graph.make(op, *args)


_UFUNCS: dict[str, Callable[..., Node]] = {
    **{op: _maker(op) for op in "tanh exp log sqrt maximum minimum less".split()},
    "add": lambda g, a, b: g.make("add", a, b),
    "subtract": lambda g, a, b: g.make("sub", a, b),
    "multiply": lambda g, a, b: g.make("mul", a, b),
    "divide": lambda g, a, b: g.make("div", a, b),
    "negative": lambda g, a: g.make("neg", a),
    "absolute": lambda g, a: g.make("abs", a),
    "square": lambda g, a: g.make("mul", a, a),
    "reciprocal": lambda g, a: g.make("div", 1, a),
    "greater": lambda g, a, b: g.make("less", b, a),
}


def substitute(outputs: dict[str, Node], given: dict[Node, Node]) -> dict[str, Node]:
    """The same expressions with some nodes replaced, and what then is not needed left out."""
    made = dict(given)

    def replaced(node: Node) -> Node:
        if node not in made:
            args = tuple(replaced(a) for a in node.args)
            made[node] = node if args == node.args else node.graph.make(node.op, *args, attr=node.attr)
        return made[node]

    return {name: replaced(node) for name, node in outputs.items()}
