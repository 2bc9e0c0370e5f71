"""Expressions as text, in the notation of the cells."""

from __future__ import annotations

from .contract import Cell
from .expressions import Node

__all__ = ["explain", "lines", "show"]

_INFIX = {"add": (" + ", 1), "sub": (" - ", 1), "mul": (" * ", 2), "div": (" / ", 2)}


def show(node: Node, names: dict[Node, str] | None = None) -> str:
    """One expression; nodes found in `names` appear by name."""
    return _show(node, names or {}, 0)


def lines(outputs: dict[str, Node], names: dict[Node, str]) -> list[str]:
    """Numbered equations for the outputs. What is used twice, or has a name, gets a line of its own."""
    from .program import reachable

    nodes = reachable(outputs.values())
    uses = dict.fromkeys(nodes, 0)
    for node in nodes:
        for a in node.args:
            uses[a] += 1
    named = dict(names)
    for name, node in outputs.items():
        if node.op not in ("leaf", "const") and node not in named:
            named[node] = name
    count = 0
    for node in nodes:
        computed = node.op not in ("leaf", "const", "part", "given")
        if computed and uses[node] > 1 and node not in named:
            count += 1
            named[node] = f"v{count}"
    text = []
    for node in nodes:
        if node in named:
            rest = {other: name for other, name in named.items() if other is not node}
            text.append((named[node], _show(node, rest, 0)))
    plain = {"k.", "n."}
    for name, node in outputs.items():
        if node in named and named[node] != name and name[:2] not in plain:
            text.append((name, named[node]))
        elif node not in named:
            text.append((name, _show(node, named, 0)))
    width = max((len(left) for left, _ in text), default=0)
    return [f"{number:4d}  {left:<{width}} = {right}" for number, (left, right) in enumerate(text, 1)]


def explain(cell: Cell) -> str:
    """See `Cell.explain`."""
    from .program import derive, trace
    from .stages import stages

    step, backward = trace(cell), derive(cell)
    text = [f"{cell.name}: {len(stages(step))} level(s), kept: {' '.join(step.kept) or 'nothing but the state'}", ""]
    text += [f"step, {step.forward.operations} operations"]
    text += lines(
        step.forward.outputs, {n: k for k, n in step.kept.items()} | {n: f"{k}'" for k, n in step.state.items()}
    )
    text += ["", f"adjoint, {backward.operations} operations; d.q is dL/dq', q' the new state"]
    text += lines({f"d{name}": node for name, node in backward.outputs.items()}, {})
    return "\n".join(text)


def _show(node: Node, names: dict[Node, str], outer: int) -> str:
    if node in names:
        return names[node]
    if node.op == "leaf":
        return str(node.attr)
    if node.op == "const":
        return f"{node.attr:g}"
    if node.op == "given":
        return _show(node.args[0], names, outer)
    if node.op == "neg":
        return f"-{_show(node.args[0], names, 3)}"
    if node.op in _INFIX:
        sign, strength = _INFIX[node.op]
        left, right = node.args
        # a - (b + c) and a / (b * c) keep their brackets
        text = _show(left, names, strength) + sign + _show(right, names, strength + (node.op in ("sub", "div")))
        return f"({text})" if outer > strength else text
    if node.op == "part":
        whole = node.args[0]
        which = "rstd" if node.attr == len(whole.args) else str(node.attr)
        return f"{_show(whole, names, 0)}[{which}]"
    if node.op in ("matmul", "matmul_t"):
        transposed = "^T" if node.op == "matmul_t" else ""
        return f"{_show(node.args[0], names, 3)} @ U_{node.attr}{transposed}"
    return f"{node.op}({', '.join(_show(a, names, 0) for a in node.args)})"
