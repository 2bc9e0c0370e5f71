"""Compiled recurrences beside the textbook in float64: what goes in, what comes out, and how far apart they may be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from kernel_cases import Case, draw_case, everything

from rnnkit_kernels.contract import Cell, Gradients
from rnnkit_kernels.numba_cpu.backward import backward
from rnnkit_kernels.numba_cpu.programs import Compiled
from rnnkit_kernels.numba_cpu.recurrence import forward
from rnnkit_kernels.numba_cpu.split import Split
from rnnkit_kernels.textbook import functions, recurrence

MEAN = functions.mean
ALONE = Split(1, False, "asked for")
SPLITS = (
    ALONE,
    Split(2, False, "asked for"),
    Split(3, False, "asked for"),
    Split(2, True, "asked for"),
    Split(3, True, "asked for"),
)
DTYPES = ("float32", "float64")

# One less, one more and exactly as many as fill vectors of 4, 8 and 16 numbers and tiles of up to four of them.
UNITS = (1, 2, 3, 5, 15, 16, 17, 31, 32, 33, 63, 64, 65, 66, 70)
# Rows that fill tiles of up to six of them once, twice and not quite, and a few threads' shares of them.
ROWS = (1, 2, 3, 4, 5, 6, 7, 11, 13, 19)
FEATURES = (1, 2, 3, 7, 16, 17, 33)


@dataclass(frozen=True, eq=False)
class Outcome:
    """h, the last state and the tape of a forward pass, and the gradients of the way back."""

    h: Any
    last: dict[str, Any]
    tape: Any
    grads: Gradients

    @property
    def all(self) -> dict[str, Any]:
        """Every array by name: h, last.*, tape.*, and each field of the gradients."""
        return forward_fields(self.h, self.last, self.tape) | everything(self.grads)


def forward_fields(h: Any, last: dict[str, Any], tape: Any) -> dict[str, Any]:
    found = {"h": h} | {f"last {k}": v for k, v in last.items()}
    if tape is None:
        return found
    found |= {f"tape states {k}": v for k, v in tape.states.items()} | {"tape x": tape.x}
    return found | {f"tape kept {k}": v for k, v in tape.kept.items()}


def textbook(case: Case) -> Outcome:
    """The textbook's outcome in the dtype of the case."""
    with np.errstate(all="ignore"):
        h, last, tape = case.forward()
        return Outcome(h, last, tape, case.back(tape))


def compiled(case: Case, program: Compiled | None = None, split: Split | None = ALONE) -> Outcome:
    with np.errstate(all="ignore"):  # as the layers call it
        h, last, tape = ahead(case, program, split)
        return Outcome(h, last, tape, backward(tape, case.dh, case.dstate))


def ahead(case: Case, program: Compiled | None = None, split: Split | None = ALONE, tape: bool = True) -> Any:
    return forward(
        case.cell, case.weights, case.x, case.state0, mask=case.mask, drop=case.drop, tape=tape, program=program,
        split=split,
    )  # fmt: skip


def cast(case: Case, dtype: str) -> Case:
    """The case with every float array in that dtype."""
    return case.map(lambda a: a.astype(dtype) if a.dtype.kind == "f" else a)


def doubled(case: Case) -> Case:
    """The same numbers in float64, contiguous."""
    return case.map(lambda a: np.array(a, np.float64) if a.dtype.kind == "f" else np.array(a))


def draw(cell: Cell, sizes: tuple[int, int, int, int], dtype: str = "float64", **options: Any) -> Case:
    """A case whose weights are so small that a recurrence of any width does not blow its rounding up."""
    options.setdefault("spread", 0.8 / np.sqrt(sizes[2] + sizes[3]))
    return cast(draw_case(cell, sizes=sizes, **options), dtype)


def masks(T: int, B: int, seed: int) -> dict[str, Any]:
    """Masks by name: none, padding on either side, holes, rows that are empty, nothing but padding."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, T + 1, B)
    steps = np.arange(T)[:, None]
    return {
        "none": None,
        "right": steps < lengths,
        "left": steps >= T - lengths,
        "holes": rng.random((T, B)) < 0.6,
        "full": np.ones((T, B), bool),
        "empty": np.zeros((T, B), bool),
    }


MASKS = ("none", "right", "left", "holes", "full", "empty")


def seen(a: Any, how: str) -> Any:
    """The same numbers (broadcast: as many of the first) in memory that is laid out otherwise."""
    if how == "batch first":
        return np.ascontiguousarray(a.swapaxes(0, 1)).swapaxes(0, 1)
    if how == "every second":
        wide = np.full((*a.shape[:-1], 2 * a.shape[-1]), np.nan, a.dtype)
        wide[..., ::2] = a
        return wide[..., ::2]
    if how == "part of wider":
        wide = np.full((a.shape[0], a.shape[1] + 1, a.shape[2] + 3), np.nan, a.dtype)
        wide[:, 1:, 2:-1] = a
        return wide[:, 1:, 2:-1]
    if how == "backwards":
        return np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1]
    if how == "one for all rows":
        return np.broadcast_to(a[:, :1], a.shape)
    if how == "one for all steps":
        return np.broadcast_to(a[:1], a.shape)
    if how == "one number":
        return np.broadcast_to(a.dtype.type(0.5), a.shape)
    return a


VIEWS = (
    "as it is", "batch first", "every second", "part of wider", "backwards", "one for all rows", "one for all steps",
    "one number",
)  # fmt: skip


@st.composite
def cases(draw_: Any, cell: Cell, dtype: str) -> Case:
    """Cases over every option: sizes around every edge of a tile, masks, dropout, biases, dstate in part, views."""
    sizes = (draw_(st.integers(1, 7)), *(draw_(st.sampled_from(s)) for s in (ROWS, FEATURES, UNITS)))
    seed = draw_(st.integers(0, 2**32 - 1))
    case = draw(
        cell,
        sizes,
        dtype,
        mask=masks(*sizes[:2], seed)[draw_(st.sampled_from(MASKS))],
        dropped=draw_(st.booleans()),
        biases=draw_(st.sampled_from([("b", "b_h"), ("b",), ("b_h",), ()])),
        seed=seed,
    )
    owed = draw_(st.sets(st.sampled_from(cell.state)))
    dstate = {k: v for k, v in (case.dstate or {}).items() if k in owed} or draw_(st.sampled_from([None, {}]))
    return replace(
        case,
        x=seen(case.x, draw_(st.sampled_from(VIEWS))),
        dh=seen(case.dh, draw_(st.sampled_from(VIEWS))),
        weights={k: np.asfortranarray(v) if draw_(st.booleans()) else v for k, v in case.weights.items()},
        dstate=dstate,
    )


def tolerances(case: Case, dtype: str, expected: dict[str, Any]) -> dict[str, float]:
    """How far a field computed in `dtype` may be from the exact one, by name.

    A sum of n products is the exact sum of products each off by n eps at most, in whatever order it is added up
    (Higham 2002, section 3.1), and every operation between sums and every activation adds a few eps more: what is
    computed is exact for arguments off by about n eps at every step, n = the longest sum there is, plus 64 for the
    operations of a step. How much a field moves with its arguments is measured: every number that goes in is moved
    by 1e-7 of itself up or down, at random and three times over. (x has numbers of its own at every step, so there is
    one such error at every step, as in the computation.) So is every sum and mean over units: a norm or a softmax of
    one or two units subtracts equal numbers, what is left is the sum's own rounding, which 1 / sqrt(epsilon) may blow
    up, and nothing that goes in can stand for it. The field's own rounding comes on top; numbers too small to be
    normal are flushed to zero, and so is what they were a factor of.
    """
    T, B, F, H = case.sizes
    n = 64 + max(F + H, len(case.cell.gates) * H, T * B)
    exact, size = doubled(case), 1e-7
    moved = dict.fromkeys(expected, 0.0)
    rng = np.random.default_rng(3)

    def shaken(a: Any) -> Any:
        return a if a.dtype.kind != "f" else a * (1 + size * rng.choice((-1.0, 1.0), a.shape))

    def mean(*values: Any) -> Any:
        return shaken(MEAN(*values))

    def total(a: Any) -> Any:
        return shaken(a.sum(axis=-1, keepdims=True))

    for _ in range(3):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(functions, "mean", mean)
            patch.setattr(functions.Arrays, "mean", staticmethod(mean))
            patch.setattr(functions.Arrays, "sum", staticmethod(total))
            other = textbook(exact.map(shaken)).all
        for name, value in expected.items():
            with np.errstate(invalid="ignore"):
                off = np.abs(other[name] - value)
            moved[name] = max(moved[name], float(np.max(off, initial=0.0, where=np.isfinite(off))) / size)
    info = np.finfo(dtype)
    return {
        name: n * (float(info.eps) * (moved[name] + largest(value)) + 1e3 * float(info.tiny))
        for name, value in expected.items()
    }


def largest(a: Any) -> float:
    return float(np.max(np.abs(a), initial=0.0, where=np.isfinite(a)))


def assert_the_textbooks(case: Case, got: Outcome, dtype: str) -> None:
    """Every array is the float64 textbook's, to the tolerance of its dtype, NaN and infinity where it has them."""
    expected = textbook(doubled(case)).all
    found = got.all
    assert found.keys() == expected.keys()
    limits = tolerances(case, dtype, expected)
    for name, value in expected.items():
        if name.startswith("tape kept") and case.mask is not None:
            # What a held row would have kept has no meaning: its step did not happen, and nothing reads it.
            found[name], value = (np.where(case.mask[:, :, None], a, 0).astype(a.dtype) for a in (found[name], value))
        assert found[name].shape == value.shape, f"{name} has shape {found[name].shape}, not {value.shape}"
        assert found[name].dtype == dtype, name
        # assert_allclose wants NaN and each infinity where they are expected, and nowhere else
        np.testing.assert_allclose(found[name], value, rtol=0, atol=limits[name], err_msg=f"{name} of {describe(case)}")


def assert_bits(got: dict[str, Any], expected: dict[str, Any]) -> None:
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(got[name], value, err_msg=name, strict=True)


def describe(case: Case) -> str:
    T, B, F, H = case.sizes
    return f"{case.cell} with T={T} B={B} F={F} H={H}"


def with_number(case: Case, where: str, number: float) -> Case:
    """The case with that number at one place: the first row, which no mask empties, the last feature or unit."""

    def put(a: Any, *at: int) -> Any:
        a = a.copy()
        a[at] = number
        return a

    if where in case.weights:
        old = case.weights[where]
        return replace(case, weights=case.weights | {where: put(old, *(-1,) * old.ndim)})
    if where in ("x", "dh"):
        return replace(case, **{where: put(getattr(case, where), 2, 0, -1)})
    if where == "drop":
        return replace(case, drop=put(case.drop, 0, -1))
    return replace(case, **{where: getattr(case, where) | {"h": put(getattr(case, where)["h"], 0, -1)}})


def assert_refused_as_in_the_textbook(case: Case, forward: Any, backward: Any) -> None:
    """Of an LSTM: arguments of which one does not go with the others, there and back, get the textbook's sentence.

    forward(weights, x, state0, mask, drop) and backward(tape, dh, dstate), by name and by place
    """
    given = {name: getattr(case, name) for name in ("weights", "x", "state0", "mask", "drop")}
    refused: list[dict[str, Any]] = [
        {"x": case.x[0]},
        {"x": case.x[:, :, :1]},
        {"state0": {"h": case.state0["h"]}},
        {"state0": case.state0 | {"c": case.state0["c"][:2]}},
        {"mask": case.mask[:2]},
        {"mask": case.mask.astype(float)},
        {"drop": case.drop[:, :3]},
        {"weights": case.weights | {"U": case.weights["U"][:, :-1]}},
    ]
    for change in refused:
        with pytest.raises(ValueError, match="LSTM") as ours:
            forward(**given | change)
        with pytest.raises(ValueError, match="LSTM") as theirs:
            recurrence.forward(case.cell, **given | change)
        assert str(ours.value) == str(theirs.value)
    tape, other = forward(**given)[2], case.forward()[2]
    assert tape is not None
    for wrong in ((case.dh[:2], None), (case.dh, {"c": case.state0["c"][:2]}), (case.dh, {"m": case.state0["c"]})):
        with pytest.raises(ValueError, match="LSTM") as ours:
            backward(tape, *wrong)
        with pytest.raises(ValueError, match="LSTM") as theirs:
            recurrence.backward(other, *wrong)
        assert str(ours.value) == str(theirs.value)
