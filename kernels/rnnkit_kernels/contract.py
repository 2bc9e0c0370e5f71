"""The contract between cells and recurrences: what a cell is, what goes in, what comes back, and the law of layout.

Arrays are time-major and C-contiguous, of one dtype; T steps, B rows, F features, H units, G gates.

    forward (weights, x, state0, *, mask=None, drop=None) -> (h, state, tape)
    backward(tape, dh, dstate=None) -> Gradients

    weights  dict: W (F, G*H), U (H, G*H); where there are biases b (G*H,), b_h (G*H,); the cell's own vectors
    x        (T, B, F)
    state0   dict of (B, H) by name; state, after the last step, likewise
    mask     (T, B) bool: False holds the state of that row over that step
    drop     (B, H): multiplies h_{t-1} before its products, the same at every step (Gal & Ghahramani 2016)
    h        (T, B, H), the state "h" after each step
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from . import activations
from .types import Array

__all__ = ["Adjoint", "Cell", "Gradients", "Tape", "check_call", "names"]


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
        for field in ("activation", "recurrent_activation"):
            if hasattr(self, field):
                activations.check(getattr(self, field))

    def step(self, F: Any, x: Any, u: Any, s: Any, p: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        raise NotImplementedError(f"{self.name} has no step: write step(self, F, x, u, s, p) -> (new state, kept)")

    @property
    def name(self) -> str:
        return type(self).__name__

    def weight_shapes(self, features: int, units: int, bias: bool = True) -> dict[str, tuple[int, ...]]:
        """The shapes of all weights of the cell, by name, in their order; without biases where `bias` is False."""
        columns = len(self.gates) * units
        shapes: dict[str, tuple[int, ...]] = {"W": (features, columns), "U": (units, columns)}
        if bias:
            shapes["b"] = (columns,)
            if self.recurrent_bias:
                shapes["b_h"] = (columns,)
        shapes |= {name: (columns,) for name in self.gate_vectors if name != "b"}
        return shapes | dict.fromkeys(self.unit_vectors, (units,))

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
    kept    by name, (T, B, H), or (T, B, 1) for a number per row
    """

    cell: Cell
    weights: dict[str, Array]
    x: Array
    mask: Array | None
    drop: Array | None
    states: dict[str, Array]
    kept: dict[str, Array]


@dataclass(frozen=True, eq=False)
class Gradients:
    """dL/d everything that went in, and dL/d everything on the way.

    weights  by name, as the weights;  x (T, B, F);  state0 by name, (B, H)
    states   by name, (T+1, B, H): dL/dstate_t. Index 0 is dL/dstate0; index t+1 counts what the loss owes to the state
             after step t through the emitted h_t and through every later step
    x_pre, u_pre  (T, B, G*H): dL/d(input pre-activation) and dL/d(recurrent pre-activation)
    vectors  by name, (T, H) or (T, G*H): the part of each step in the gradient of the cell's own vectors
    """

    weights: dict[str, Array]
    x: Array
    state0: dict[str, Array]
    states: dict[str, Array]
    x_pre: Array
    u_pre: Array
    vectors: dict[str, Array]


def check_call(
    cell: Cell, weights: dict[str, Array], x: Array, state0: dict[str, Array], mask: Array | None, drop: Array | None
) -> None:
    """Refuses, in a sentence, arrays that do not belong together. Costs a few comparisons of shapes."""
    if x.ndim != 3:
        raise ValueError(f"{cell.name}: x is (T, B, F), time first; got shape {x.shape}")
    steps, rows, features = x.shape
    if "W" not in weights or "U" not in weights:
        raise ValueError(f"{cell.name}: weights need W and U, got {', '.join(sorted(weights)) or 'none'}")
    units, columns = weights["U"].shape
    if columns != len(cell.gates) * units:
        raise ValueError(
            f"{cell.name}: U is (H, {len(cell.gates)} H) for the gates {' '.join(cell.gates)}; got {weights['U'].shape}"
        )
    expected = cell.weight_shapes(features, units)
    for name in (*cell.gate_vectors, *cell.unit_vectors):
        if name not in weights and name != "b":
            raise ValueError(f"{cell.name}: weights lack {name!r}, of shape {expected[name]}")
    for name, weight in weights.items():
        if name not in expected:
            raise ValueError(f"{cell.name} has no weight {name!r}; it has {' '.join(expected)}")
        if weight.shape != expected[name]:
            raise ValueError(
                f"{cell.name}: {name} should have shape {expected[name]} for x {x.shape}; got {weight.shape}"
            )
    for name in cell.state:
        if name not in state0:
            raise ValueError(f"{cell.name}: state0 needs {' and '.join(cell.state)}; {name!r} is missing")
        if state0[name].shape != (rows, units):
            raise ValueError(f"{cell.name}: state {name!r} is (B, H) = {(rows, units)}; got {state0[name].shape}")
    if mask is not None and (mask.shape != (steps, rows) or mask.dtype != bool):
        raise ValueError(f"{cell.name}: mask is (T, B) = {(steps, rows)} of bool; got {mask.shape} of {mask.dtype}")
    if drop is not None and drop.shape != (rows, units):
        raise ValueError(f"{cell.name}: drop is (B, H) = {(rows, units)}; got {drop.shape}")
