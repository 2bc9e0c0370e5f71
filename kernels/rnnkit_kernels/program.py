"""A step read once: a straight-line program, its adjoint, its levels, its equations, its cost.

`trace(cell)` runs `cell.step` on the nodes of a graph. Every backend replays what comes out, so the equations stand in
one place. `derive(cell)` differentiates the traced step by reverse mode and cuts the result at what is kept: the values
in `keep`, the old state and the new one become inputs, everything else is computed again from them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from . import adjoint as reverse
from .contract import Adjoint, Cell
from .cut import available_from, separate
from .equations import show
from .expressions import CUTS, POINTWISE, Graph, Node, substitute
from .replay import needs_argument

__all__ = ["Program", "Step", "derive", "trace", "trace_adjoint"]


@dataclass(frozen=True, eq=False)
class Program:
    """A straight line of operations: `nodes`, each after its arguments, and which of them are the results.

    Leaves are named x.g u.g (pre-activations), s.h (old state), n.h (new state), k.i (kept), d.h (dL/d new state),
    p.gamma or p.gamma.i (vectors).
    """

    outputs: dict[str, Node]
    nodes: tuple[Node, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", tuple(reachable(self.outputs.values())))

    @property
    def operations(self) -> int:
        """How many operations a unit costs: every node that computes; leaves, constants and parts are free."""
        return sum(node.op in POINTWISE | CUTS and node.op != "given" for node in self.nodes)

    @property
    def leaves(self) -> tuple[str, ...]:
        return tuple(node.attr for node in self.nodes if node.op == "leaf")


@dataclass(frozen=True, eq=False)
class Step:
    """A traced step. `forward` gives n.* and k.*; `operands` holds what each inner product multiplies, by gate."""

    cell: Cell
    graph: Graph
    state: dict[str, Node]
    kept: dict[str, Node]
    operands: dict[str, Node]

    @property
    def forward(self) -> Program:
        return Program({f"n.{k}": v for k, v in self.state.items()} | {f"k.{k}": v for k, v in self.kept.items()})

    @property
    def arguments(self) -> dict[str, Node]:
        """The arguments a_q of kept activations that the way back asks for and that are not kept but can be had."""
        name = {node: k for k, node in self.kept.items()}
        return {
            f"a_{name[y]}": a
            for activation, a, y in self.graph.applied
            if y in name and a not in name and needs_argument(activation)
        }

    @property
    def products(self) -> tuple[str, ...]:
        """The gates whose columns of U meet h_{t-1}; the others have an inner product of their own."""
        return tuple(g for g in self.cell.gates if g not in self.operands)


def reachable(roots: Iterable[Node]) -> list[Node]:
    """All nodes that the roots are made of, each after its arguments."""
    found: set[Node] = set()
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting.extend(node.args)
    return sorted(found, key=lambda node: node.index)


def namespace(graph: Graph, prefix: str, members: Iterable[str]) -> SimpleNamespace:
    return SimpleNamespace(**{m: graph.leaf(f"{prefix}.{m}") for m in members})


def vectors(cell: Cell, value: Callable[[str], Any]) -> SimpleNamespace:
    """The namespace p of a step: p.p_i, p.gamma_x.i where a vector has a part for each gate; `value` by leaf name."""
    p = SimpleNamespace(**{name: value(f"p.{name}") for name in cell.unit_vectors})
    for name in cell.gate_vectors:
        setattr(p, name, SimpleNamespace(**{q: value(f"p.{name}.{q}") for q in cell.gates}))
    return p


@lru_cache(maxsize=256)
def trace(cell: Cell) -> Step:
    """Reads the cell's step. Raises ValueError, naming the cell, when it returns what its declarations do not say."""
    graph = Graph()
    x, u = namespace(graph, "x", cell.gates), namespace(graph, "u", cell.gates)
    given = (graph, x, u, namespace(graph, "s", cell.state), vectors(cell, graph.leaf))
    result, variables = _call_and_watch(cell.step, given)
    if not (isinstance(result, tuple) and len(result) == 2 and all(isinstance(part, tuple) for part in result)):
        raise ValueError(f"{cell.name}.step returns ((new state), (kept)), two tuples; got {result!r}")
    new, kept = ([graph.value(v) for v in part] for part in result)
    if "h" not in cell.state:
        raise ValueError(f"{cell.name}: one state is called h, the one that is emitted and meets U; got {cell.state}")
    if len(new) != len(cell.state):
        raise ValueError(f"{cell.name}.step returns {len(new)} states, the cell names {' '.join(cell.state)}")
    declared = cell.keep or ()
    if len(kept) != len(declared):
        raise ValueError(
            f"{cell.name}.step returns {len(kept)} values to keep, the cell names {' '.join(declared) or 'none'}"
        )
    if twice := set(declared) & set(cell.state):
        raise ValueError(f"{cell.name}: {' '.join(twice)} is a state and needs no place in keep")
    inner = [node for node in reachable([*new, *kept]) if node.op == "matmul"]
    operands = {node.attr: node.args[0] for node in inner}
    if len(operands) < len(inner):
        raise ValueError(f"{cell.name}: one gate has two inner products; a gate's columns of U are used once")
    for gate in operands:
        if gate not in cell.gates or graph.leaf(f"u.{gate}") in reachable([*new, *kept]):
            raise ValueError(
                f"{cell.name}: F.matmul(..., {gate!r}) needs a gate of the cell whose u.{gate} is not used"
            )
    state = dict(zip(cell.state, new, strict=True))
    return _complete(Step(cell, graph, state, dict(zip(declared, kept, strict=True)), operands), variables)


def _call_and_watch(step: Any, given: tuple[Any, ...]) -> tuple[Any, dict[Node, str]]:
    """The step's result, and what its author called each value: a cell that declares no `keep` still has names."""
    variables: dict[Node, str] = {}
    code = getattr(step, "__code__", None)

    def watch(frame: Any, event: str, _: Any) -> None:
        if event == "return" and frame.f_code is code:
            variables.update({v: name for name, v in frame.f_locals.items() if isinstance(v, Node)})

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        result = step(*given)
    finally:
        sys.setprofile(before if callable(before) else None)
        if before is not None and not callable(before):
            before.enable()  # cProfile's own, which until Python 3.11 cannot be set back in the way it was got
    return result, variables


def _complete(step: Step, variables: dict[Node, str]) -> Step:
    """Adds to what is kept whatever the adjoint lacks.

    A cell that declares no `keep` gets the smallest set that will do. One that does is trusted, but for the arguments
    of activations that the user chose: whether tanh or swish stands there is not the cell's to know.
    """
    forward_nodes = len(step.graph._nodes)
    known = available_from(step)
    cell = step.cell
    arguments = {a: f"a_{_name_of(step, y)}" for _, a, y in step.graph.applied}

    def free(node: Node) -> bool:
        return node.index < forward_nodes and node.op not in ("less", "const", "standardize")

    def chosen(node: Node) -> bool:
        return free(node) and node in arguments

    needed = [*reverse.run(step).values(), *step.operands.values()]
    extra = separate(needed, known, free if cell.keep is None else chosen)
    if extra is None:
        wanted = ", ".join(show(node) for node in separate(needed, known, free) or [])
        raise ValueError(f"{cell.name}: the adjoint needs {wanted}: add it to keep")
    for node in sorted(extra, key=lambda n: n.index):
        name = node.attr.replace(".", "") if node.op == "leaf" else f"v{node.index}"
        step.kept[(variables if cell.keep is None else arguments).get(node, name)] = node
    return step


def _name_of(step: Step, value: Node) -> str:
    for name, node in (step.kept | step.state).items():
        if node is value:
            return name
    return f"v{value.index}"


def derive(cell: Cell) -> Program:
    """The derived adjoint of the cell's step.

    From k.* (kept), s.* (old state), n.* (new state), p.* and d.* (dL/d new state) it gives x.g, u.g (dL/d
    pre-activation, or dL/d inner product), s.* (dL/d old state, but for the way through u) and p.*, a value a row.
    """
    return _derived(trace(cell))


@lru_cache(maxsize=256)
def _derived(step: Step) -> Program:
    """Kept for the step and not for the cell: a cell that is read again, because too many others came between, has new
    nodes, and its adjoint is made of those."""
    return Program(cut_at_kept(step, reverse.run(step)))


def cut_at_kept(step: Step, outputs: dict[str, Node]) -> dict[str, Node]:
    """The same values, computed from what a backward pass has at hand."""
    return substitute(outputs, {node: step.graph.leaf(name) for node, name in available_from(step).items()})


def trace_adjoint(cell: Any) -> Program:
    """The adjoint by hand, read the same way: for its equations and its operation count."""
    step = trace(cell)
    graph = Graph()
    kept = adjoint_names(graph, step)
    old, new, d = (namespace(graph, prefix, cell.state) for prefix in "snd")
    result: Adjoint = cell.adjoint(graph, kept, old, new, d, vectors(cell, graph.leaf))
    return Program({name: graph.value(value) for name, value in flatten(cell, result).items()})


def adjoint_names(graph: Graph, step: Step) -> SimpleNamespace:
    """The kept values as the adjoint by hand sees them; the argument of an activation that needs none reads None."""
    absent = {f"a_{name}": None for name in (*step.kept, *step.cell.state)}
    return SimpleNamespace(**(absent | vars(namespace(graph, "k", (*step.kept, *step.arguments)))))


def flatten(cell: Cell, result: Adjoint) -> dict[str, Any]:
    """An `Adjoint` by the names of `derive`'s outputs."""
    flat: dict[str, Any] = {}
    for prefix, members, values in (
        ("x", cell.gates, result.x),
        ("u", cell.gates, result.u),
        ("s", cell.state, result.s),
    ):
        flat |= {f"{prefix}.{m}": v for m, v in zip(members, values, strict=True)}
    for name in cell.unit_vectors:
        flat[f"p.{name}"] = result.p[name]
    for name in cell.gate_vectors:
        flat |= {f"p.{name}.{g}": v for g, v in zip(cell.gates, result.p[name], strict=True)}
    return flat
