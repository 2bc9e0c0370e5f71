"""The contract between cells and recurrences: what a cell is, what goes in, what comes back, and the law of layout.

Arrays are time-major, of one dtype; T steps, B rows, F features, H units, G gates. What comes out is C-contiguous; x,
mask, reset and dh may be views of any strides.

    forward (weights, x, state0, *, mask=None, drop=None, zone=None, reset=None, fresh=None) -> (h, state, tape)
    backward(tape, dh, dstate=None, *, clip=None) -> Gradients

    weights  dict: W (F, G*H), U (H, G*H); where there are biases b (G*H,), b_h (G*H,); the cell's own vectors;
             where h is projected P (H, Q): h = (the cell's h) P. Then U is (Q, G*H), and what is said of h is Q wide
    x        (T, B, F)
    state0   dict of (B, H) by name; state, after the last step, likewise
    mask     (T, B) bool: False holds the state of that row over that step
    drop     (B, H): multiplies h_{t-1} before its products, the same at every step (Gal & Ghahramani 2016)
    zone     dict by name of what a state keeps of its old value (Krueger et al. 2017): (T, B, H) bool, True keeps; or a
             share z: the state becomes z old + (1 - z) new
    reset    (T, B) bool: True begins that row anew before that step, masked or not, from `fresh`
    fresh    dict of (B, H) by name; zeros where it is not given
    clip     dL/dx.q and dL/du.q are limited to [-clip, clip] at every step before they go on through W, U and b
             (Graves 2013, section 2.1): what comes back is then no gradient of anything
    h        (T, B, H), the state "h" after each step
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from . import activations
from .types import Array

__all__ = ["Adjoint", "Cell", "Gradients", "Tape", "names"]


def names(text: str) -> tuple[str, ...]:
    """'i f g o' -> ('i', 'f', 'g', 'o')."""
    return tuple(text.split())


class Adjoint(NamedTuple):
    """What a step's adjoint returns, each in the cell's declared order.

    x  dL/d(input pre-activation) of each gate
    u  dL/d(recurrent pre-activation) of each gate, or dL/d(its inner product)
    s  dL/d(old state), without the way through u: the recurrence adds that
    p  dL/d(vector), by name, for each row; a tuple over gates where the vector has a part for each
    """

    x: tuple[Any, ...]
    u: tuple[Any, ...]
    s: tuple[Any, ...]
    p: dict[str, Any] = {}  # noqa: RUF012 - never written to


@dataclass(frozen=True)
class Cell:
    """A recurrent cell: its names and its equations. Subclass it, name the gates and the state, write `step`.

    gates         names of the column blocks of W and U, in their order
    state         names of what is carried from step to step; the one called "h" is what the cell emits and what meets U
    keep          names of what `step` returns for the way back; None (and an empty tuple returned) lets the derivation
                  choose
    gate_vectors  further weights with a part for each gate, (G*H,): `p.gamma_x.i`. A cell that lists "b" here adds the
                  input bias by itself; otherwise x.g comes with it
    unit_vectors  further weights over units, (H,): `p.p_i`
    recurrent_bias  whether u.g has a bias of its own, the weight `b_h` (G*H,)
    initial       what a vector starts from; zeros where it is not named

        step(self, F, x, u, s, p) -> (new state, kept)

    x.g = x_t W_g + b_g and u.g = (m * h_{t-1}) U_g + b_h are pre-activations, s the old state, p the vectors, F the
    functions.
    """

    gates: ClassVar[tuple[str, ...]]
    state: ClassVar[tuple[str, ...]]
    keep: ClassVar[tuple[str, ...] | None] = None
    gate_vectors: ClassVar[tuple[str, ...]] = ()
    unit_vectors: ClassVar[tuple[str, ...]] = ()
    recurrent_bias: ClassVar[bool] = False
    initial: ClassVar[dict[str, float]] = {}

    def __post_init__(self) -> None:
        for role in ("activation", "recurrent_activation"):
            if hasattr(self, role):
                activations.check(getattr(self, role))

    def step(self, F: Any, x: Any, u: Any, s: Any, p: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        raise NotImplementedError(f"{self.name} has no step: write step(self, F, x, u, s, p) -> (new state, kept)")

    @property
    def name(self) -> str:
        return type(self).__name__

    def weight_shapes(
        self, features: int, units: int, bias: bool = True, projection: int | None = None
    ) -> dict[str, tuple[int, ...]]:
        """The shapes of all weights of the cell, by name, in their order; without biases where `bias` is False.

        projection  how wide h is, where that is not `units`: "P" comes last
        """
        columns = len(self.gates) * units
        shapes: dict[str, tuple[int, ...]] = {"W": (features, columns), "U": (projection or units, columns)}
        if bias:
            shapes["b"] = (columns,)
            if self.recurrent_bias:
                shapes["b_h"] = (columns,)
        shapes |= {name: (columns,) for name in self.gate_vectors if name != "b"}
        shapes |= dict.fromkeys(self.unit_vectors, (units,))
        return shapes if projection is None else shapes | {"P": (units, projection)}

    def state_sizes(self, units: int, projection: int | None = None) -> dict[str, int]:
        """How wide each state is, by name."""
        return dict.fromkeys(self.state, units) | ({} if projection is None else {"h": projection})

    @property
    def projectable(self) -> bool:
        """Whether h may be projected: the step meets the old h nowhere but in u, so h may have a width of its own."""
        from .program import trace

        step = trace(self)
        read = {node.attr for node in step.forward.nodes if node.op == "leaf"}
        return not step.operands and "s.h" not in read

    @property
    def has_adjoint(self) -> bool:
        """Whether an adjoint by hand stands beside the step; without one it is derived."""
        return hasattr(self, "adjoint")

    def explain(self) -> str:
        """The step and its derived adjoint as numbered equations, with the level each belongs to and what is kept."""
        from .equations import explain

        return explain(self)


@dataclass(frozen=True, eq=False)
class Tape:
    """What a forward pass leaves for the way back. Read-only: it can be inspected, and gone back over more than once.

    states  by name, (T+1, B, H): index 0 is the initial state, t+1 the state after step t
    kept    by name, (T, B, H), or (T, B, 1) for a number per row; without meaning where a row is masked
    zone, reset  as they were handed in
    origin  which kernel made it: "textbook", "numba"
    began   by name, (T, B, H): what each step began from, where rows begin anew; else it is states[:-1]
    made    by name, (T, B, H): the cell's own new state, where it was projected or kept in part; else it is states[1:]
    """

    cell: Cell
    weights: dict[str, Array]
    x: Array
    mask: Array | None
    drop: Array | None
    states: dict[str, Array]
    kept: dict[str, Array]
    zone: dict[str, Any] = field(default_factory=dict)
    reset: Array | None = None
    began: dict[str, Array] = field(default_factory=dict)
    made: dict[str, Array] = field(default_factory=dict)

    origin: ClassVar[str] = "textbook"

    @property
    def units(self) -> int:
        """H, the width of a gate."""
        return self.weights["U"].shape[1] // len(self.cell.gates)

    @property
    def old(self) -> dict[str, Array]:
        """By name, (T, B, H): the state that each step of the cell was given."""
        return {name: self.began[name] if name in self.began else v[:-1] for name, v in self.states.items()}

    @property
    def new(self) -> dict[str, Array]:
        """By name, (T, B, H): the state that each step of the cell returned; without meaning where a row is masked."""
        return {name: self.made[name] if name in self.made else v[1:] for name, v in self.states.items()}


@dataclass(frozen=True, eq=False)
class Gradients:
    """dL/d everything that went in, and dL/d everything on the way.

    weights  by name, as the weights;  x (T, B, F), or None where nobody asked for it;  state0 by name, (B, H)
    states   by name, (T+1, B, H): dL/dstate_t. Index 0 is dL/dstate0; index t+1 counts what the loss owes to the state
             after step t through the emitted h_t and through every later step
    x_pre, u_pre  (T, B, G*H): dL/d(input pre-activation) and dL/d(recurrent pre-activation)
    vectors  by name, (T, H) or (T, G*H): the part of each step in the gradient of the cell's own vectors
    fresh    by name, (B, H): dL/d(the state that rows begin anew from); empty where none does
    """

    weights: dict[str, Array]
    x: Array | None
    state0: dict[str, Array]
    states: dict[str, Array]
    x_pre: Array
    u_pre: Array
    vectors: dict[str, Array]
    fresh: dict[str, Array] = field(default_factory=dict)
