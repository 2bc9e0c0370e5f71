"""Arithmetic that needs no operation: what reverse mode would otherwise leave behind in its programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .expressions import Graph, Node

__all__ = ["simplify"]


def simplify(graph: Graph, op: str, args: tuple[Node, ...]) -> Node | None:
    """What reverse mode would otherwise leave behind: additions of 0, products with 0, 1 and -1, double signs."""
    number = [a.attr if a.op == "const" else None for a in args]
    if op in _FOLD and None not in number:
        return graph.value(_FOLD[op](*number))
    if op == "add":
        if 0 in number:
            return args[1] if number[0] == 0 else args[0]
        for k in (1, 0):
            if args[k].op == "neg":
                return graph.make("sub", args[1 - k], args[k].args[0])
    if op == "sub" and number[1] == 0:
        return args[0]
    if op == "sub" and number[0] == 0:
        return graph.make("neg", args[1])
    if op == "sub" and args[1].op == "neg":
        return graph.make("add", args[0], args[1].args[0])
    if op == "neg" and args[0].op == "neg":
        return args[0].args[0]
    if op == "mul" and 0 in number:
        return graph.value(0)
    if op == "mul" and (1 in number or -1 in number):
        k = 1 if number[1] in (1, -1) else 0
        return args[1 - k] if number[k] == 1 else graph.make("neg", args[1 - k])
    if op == "div" and number[1] == 1:
        return args[0]
    if op == "where" and args[1] is args[2]:
        return args[1]
    return None


_FOLD: dict[str, Callable[..., float]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda a: -a,
}
