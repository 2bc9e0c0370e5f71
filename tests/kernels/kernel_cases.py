"""Recurrences drawn at random, for every cell, and what the kernel tests ask of them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cache, partial
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from rnnkit_kernels import activations, cells
from rnnkit_kernels.contract import Cell, Gradients
from rnnkit_kernels.textbook.recurrence import backward, forward

EPS = float(np.finfo(np.float64).eps)
TINY = 1e-30  # of a complex step: nothing is subtracted, so the slope is as exact as the function

# The same examples in every run, and no stop-watch: a busy machine is not a failure.
steady = partial(settings, derandomize=True, deadline=None, database=None)


@dataclass(frozen=True, eq=False)
class Case:
    """Everything that goes into one forward and one backward pass; shapes as in `rnnkit_kernels.contract`.

    The loss is sum(h dh) + sum over states of sum(last dstate).
    """

    cell: Cell
    weights: dict[str, Any]
    x: Any
    state0: dict[str, Any]
    mask: Any
    drop: Any
    dh: Any
    dstate: dict[str, Any] | None

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """T, B, F, H."""
        return (*self.x.shape, self.weights["U"].shape[0])

    def forward(self) -> tuple[Any, dict[str, Any], Any]:
        with np.errstate(over="ignore"):  # as the layers call it: sigmoid's exp may pass through infinity
            return forward(self.cell, self.weights, self.x, self.state0, mask=self.mask, drop=self.drop)

    def gradients(self) -> Gradients:
        return self.back(self.forward()[2])

    def back(self, tape: Any) -> Gradients:
        with np.errstate(over="ignore"):
            return backward(tape, self.dh, self.dstate)

    def loss(self) -> Any:
        h, last, _ = self.forward()
        return (h * self.dh).sum() + sum((last[k] * d).sum() for k, d in (self.dstate or {}).items())

    @property
    def point(self) -> dict[str, Any]:
        """The arguments of the loss, by name."""
        return {"x": self.x} | self.weights | {f"state0 {k}": v for k, v in self.state0.items()}

    def at(self, point: dict[str, Any]) -> Case:
        """The case with other arguments."""
        return replace(
            self,
            x=point["x"],
            weights={k: point[k] for k in self.weights},
            state0={k: point[f"state0 {k}"] for k in self.state0},
        )

    def map(self, function: Any) -> Case:
        """The case with `function` of each of its arrays."""

        def of(value: Any) -> Any:
            if isinstance(value, dict):
                return {k: function(v) for k, v in value.items()}
            return value if value is None or isinstance(value, Cell) else function(value)

        return Case(*(of(getattr(self, f.name)) for f in fields(self)))


def gradient_point(grads: Gradients) -> dict[str, Any]:
    """The gradients of the arguments, named as in `Case.point`."""
    return {"x": grads.x} | grads.weights | {f"state0 {k}": v for k, v in grads.state0.items()}


def everything(grads: Gradients) -> dict[str, Any]:
    """Every array of the gradients, by field and name."""
    flat = {}
    for f in fields(grads):
        value = getattr(grads, f.name)
        flat |= {f"{f.name} {k}": v for k, v in value.items()} if isinstance(value, dict) else {f.name: value}
    return flat


def largest(values: dict[str, Any]) -> float:
    """The size of the largest number among named arrays, 1 at least: the unit in which sums of them are rounded."""
    return max([1.0, *(float(np.max(np.abs(v), initial=0)) for v in values.values())])


def assert_close(got: dict[str, Any], expected: dict[str, Any], tolerance: float) -> None:
    """The same names, shapes and, to `tolerance` times the largest of all the numbers, the same numbers."""
    assert got.keys() == expected.keys()
    limit = tolerance * largest(expected)
    for name, value in expected.items():
        assert got[name].shape == value.shape, name
        np.testing.assert_allclose(got[name], value, rtol=0, atol=limit, err_msg=name)


def assert_same_bits(got: dict[str, Any], expected: dict[str, Any]) -> None:
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(got[name], value, err_msg=name, strict=True)


def assert_is_the_derivative(case: Case, grads: Gradients, rng: np.random.Generator, tolerance: float = 1e-13) -> None:
    """Holds the gradients against the complex step, along a random direction through each argument by itself.

    The step's derivative has no error of its own (Squire & Trapp 1998), so both sides are the same sum of products in
    two orders: off by some EPS of the largest cotangent for each element of the direction. A wrong or missing term is
    off by its own size.
    """
    whole = case.map(lambda a: a.astype(complex) if a.dtype == np.float64 else a)
    claimed, unit = gradient_point(grads), largest(everything(grads))
    for name, value in case.point.items():
        direction = rng.standard_normal(value.shape)
        slope = whole.at(whole.point | {name: value + 1j * TINY * direction}).loss().imag / TINY
        expected = float((claimed[name] * direction).sum())
        assert abs(slope - expected) <= tolerance * unit * max(1.0, np.abs(direction).sum()), (
            f"{case.cell}: dL/d{name} gives {expected} along a direction in which the loss rises by {slope}"
        )


def draw_case(
    cell: Cell,
    *,
    sizes: tuple[int, int, int, int] = (4, 3, 2, 3),
    mask: Any = True,
    dropped: bool = True,
    biases: tuple[str, ...] = ("b", "b_h"),
    last: bool = True,
    spread: float = 0.6,
    seed: int = 0,
) -> Case:
    """A case with random numbers.

    sizes   T, B, F, H
    mask    an array, None, or True for one with holes, a padded row and, from three rows up, an empty row
    biases  which of the biases that the cell may have are there
    last    whether the last state counts too
    spread  standard deviation of the weights: small keeps activations that grow from growing over time
    """
    rng = np.random.default_rng(seed)
    T, B, F, H = sizes
    columns = len(cell.gates) * H
    shapes: dict[str, tuple[int, ...]] = {"W": (F, columns), "U": (H, columns)}
    if "b" in biases:
        shapes["b"] = (columns,)
    if cell.recurrent_bias and "b_h" in biases:
        shapes["b_h"] = (columns,)
    shapes |= {name: (columns,) for name in cell.gate_vectors if name != "b"} | dict.fromkeys(cell.unit_vectors, (H,))
    if mask is True:
        mask = rng.random((T, B)) < 0.7
        mask[:, 0], mask[0, 0], mask[:, -1] = True, False, B < 3
    return Case(
        cell,
        weights={k: spread * rng.standard_normal(s) + cell.initial.get(k, 0) for k, s in shapes.items()},
        x=rng.standard_normal((T, B, F)),
        state0={k: 0.8 * rng.standard_normal((B, H)) for k in cell.state},
        mask=mask,
        drop=(rng.random((B, H)) < 0.6) / 0.6 if dropped else None,
        dh=rng.standard_normal((T, B, H)),
        dstate={k: rng.standard_normal((B, H)) for k in cell.state} if last else None,
    )


@st.composite
def cases(draw: Any, cell: Cell, **fixed: Any) -> Case:
    """Cases of a cell over shapes, masks of any pattern, dropout masks, biases, and what the last state is owed."""
    sizes = tuple(draw(st.integers(1, most)) for most in (6, 4, 4, 5))
    options = {
        "mask": draw(st.none() | arrays.arrays(bool, sizes[:2])),
        "dropped": draw(st.booleans()),
        "biases": draw(st.sampled_from([("b", "b_h"), ("b",), ("b_h",), ()])),
        "last": draw(st.booleans()),
        "seed": draw(st.integers(0, 2**32 - 1)),
    }
    return draw_case(cell, sizes=sizes, **options | fixed)


@cache
def derived(cell: Cell) -> Cell:
    """The cell without its adjoint by hand, so that a recurrence derives one."""
    kind = type(cell.name, (type(cell),), {"has_adjoint": False})
    return kind(**{f.name: getattr(cell, f.name) for f in fields(cell)})


def roles(cell: Cell) -> list[str]:
    """The activations that a cell lets its user choose."""
    return [f.name for f in fields(cell) if f.name in ("activation", "recurrent_activation")]


# Every activation in every place that a cell has for one.
VARIANTS = [replace(cell, **{role: name}) for cell in cells.ALL for role in roles(cell) for name in activations.ALL]


def label(cell: Cell) -> str:
    """'LSTM', or 'LSTM-activation-relu' for one that is not as it comes."""
    changed = [f"{f.name}-{getattr(cell, f.name)}" for f in fields(cell) if getattr(cell, f.name) != f.default]
    return "-".join([cell.name, *changed])


def smooth(cell: Cell) -> bool:
    return not any(getattr(cell, role) in activations.KINKED for role in roles(cell))
