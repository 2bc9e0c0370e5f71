"""Reverse mode over one traced step. Time is not here: the recurrence goes back from step to step.

The cotangent of a value is kept unreduced over units: a number per row that is used by every unit collects the
contributions of all of them as a row, and the mean or sum that made it adds them up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import activations
from .expressions import Graph, Node

if TYPE_CHECKING:
    from .program import Step

__all__ = ["pull", "run"]

_TWO_OVER_ROOT_PI = 1.1283791670955126


def run(step: Step) -> dict[str, Node]:
    """dL/d(leaf) by the leaf's name, for every x.g, u.g, s.* and p.*, given d.* = dL/d(new state).

    For a gate with an inner product, u.g stands for dL/d(that product).
    """
    F, cell = step.graph, step.cell
    seeds: dict[Node, Node] = {}
    for name, node in step.state.items():
        d = F.leaf(f"d.{name}")
        seeds[node] = seeds[node] + d if node in seeds else d
    owed, inner = pull(F, seeds)
    leaves = [f"{kind}.{g}" for kind in "xu" for g in cell.gates] + [f"s.{k}" for k in cell.state]
    leaves += [f"p.{v}" for v in cell.unit_vectors] + [f"p.{v}.{g}" for v in cell.gate_vectors for g in cell.gates]
    return {name: inner[name] if name in inner else owed.get(F.leaf(name), F.value(0)) for name in leaves}


def pull(F: Graph, seeds: dict[Node, Node]) -> tuple[dict[Node, Node], dict[str, Node]]:
    """Cotangents of all nodes under the seeds' nodes; and of the inner products, as u.g by gate."""
    from .program import reachable

    owed = dict(seeds)
    inner: dict[str, Node] = {}
    parts: dict[Node, dict[int, Node]] = {}

    def owe(node: Node, amount: Any) -> None:
        owed[node] = owed[node] + amount if node in owed else F.value(amount)

    for node in reversed(reachable(seeds)):
        if node.op == "standardize" and node in parts:
            for a, amount in zip(node.args, _standardize(F, node, parts[node]), strict=True):
                owe(a, amount)
        if node not in owed:
            continue
        d = owed[node]
        if node.op == "part":
            if node.attr == len(node.args[0].args):
                raise ValueError(
                    f"{node.source}: rstd is for keeping, not for equations; use F.mean for a norm of your own"
                )
            parts.setdefault(node.args[0], {})[node.attr] = d
        elif node.op == "matmul":
            inner[f"u.{node.attr}"] = d
            owe(node.args[0], F.matmul_t(d, node.attr))
        elif node.op not in ("leaf", "const", "standardize"):
            if node.op not in _RULES:
                raise ValueError(f"{node.source}: F.{node.op} has no derivative; use F.mean or F.standardize")
            for a, amount in zip(node.args, _RULES[node.op](F, d, node, *node.args), strict=True):
                if amount is not None:
                    owe(a, amount)
    return owed, inner


def _standardize(F: Graph, node: Node, d: dict[int, Node]) -> list[Any]:
    """y = (a - mean a) r with r = (var a + epsilon)^(-1/2), over the units of all arguments together:

    dL/da = r (dy - mean dy - y mean(dy y)): what is left of dy once its parts along 1 and along y are taken out.
    """
    count = len(node.args)
    y = [F.make("part", node, attr=k) for k in range(count)]
    r = F.make("part", node, attr=count)
    dy = [d.get(k, F.value(0)) for k in range(count)]
    along_one = F.mean(*dy)
    along_y = F.mean(*(a * b for a, b in zip(dy, y, strict=True)))
    return [r * (a - along_one - b * along_y) for a, b in zip(dy, y, strict=True)]


def _given(F: Graph, d: Node, y: Node, value: Node, a: Node) -> tuple[Any, ...]:
    return None, d * activations.slope(y.attr, F, a)


# d is dL/dy, y the value itself; one cotangent per argument, in argument order, None for what has no derivative.
_RULES: dict[str, Callable[..., tuple[Any, ...]]] = {
    "add": lambda F, d, y, a, b: (d, d),
    "sub": lambda F, d, y, a, b: (d, -d),
    "mul": lambda F, d, y, a, b: (d * b, d * a),
    "div": lambda F, d, y, a, b: (d / b, -d * y / b),
    "neg": lambda F, d, y, a: (-d,),
    "sigmoid": lambda F, d, y, a: (d * y * (1 - y),),
    "tanh": lambda F, d, y, a: (d * (1 - y * y),),
    "relu": lambda F, d, y, a: (F.where(F.less(0, y), d, 0),),
    "exp": lambda F, d, y, a: (d * y,),
    "log": lambda F, d, y, a: (d / a,),
    "sqrt": lambda F, d, y, a: (0.5 * d / y,),
    "rsqrt": lambda F, d, y, a: (-0.5 * d * y * y * y,),
    "abs": lambda F, d, y, a: (F.where(F.less(a, 0), -d, d),),
    "erf": lambda F, d, y, a: (d * _TWO_OVER_ROOT_PI * F.exp(-(a * a)),),
    "softplus": lambda F, d, y, a: (d * F.sigmoid(a),),
    "maximum": lambda F, d, y, a, b: (F.where(F.less(a, b), 0, d), F.where(F.less(a, b), d, 0)),
    "minimum": lambda F, d, y, a, b: (F.where(F.less(b, a), 0, d), F.where(F.less(b, a), d, 0)),
    "less": lambda F, d, y, a, b: (None, None),
    "where": lambda F, d, y, c, a, b: (None, F.where(c, d, 0), F.where(c, 0, d)),
    "given": _given,
    "mean": lambda F, d, y, *a: tuple(F.mean(d) / len(a) for _ in a),
    "softmax": lambda F, d, y, a: (y * (d - F.sum(d * y)),),
}
