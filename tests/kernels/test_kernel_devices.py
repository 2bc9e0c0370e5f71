"""The textbook runs, as it stands, on arrays of another place: it dispatches, and nothing comes back by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from kernel_cases import VARIANTS, Case, assert_same_bits, derived, draw_case, everything, label

from rnnkit_kernels import cells
from rnnkit_kernels.contract import Cell
from rnnkit_kernels.textbook.parts import operands
from tests.kernels.device_double import Device

CELLS = pytest.mark.parametrize("cell", cells.ALL, ids=label)


def everything_from(case: Case) -> dict[str, Any]:
    h, last, tape = case.forward()
    found = {"h": h} | {f"last {k}": v for k, v in last.items()}
    found |= {f"tape {k}": v for k, v in (tape.states | tape.kept).items()}
    found |= {f"operand {k}": v for k, v in operands(tape).items()}
    return found | everything(case.back(tape))


def assert_runs_on_a_device(case: Case) -> None:
    there = everything_from(case.map(Device))
    assert {type(v) for v in there.values()} == {Device}
    assert_same_bits({k: v.get() for k, v in there.items()}, everything_from(case))


@pytest.mark.parametrize("cell", VARIANTS, ids=label)
def test_every_cell_runs_on_another_place_s_arrays_with_the_same_numbers(cell: Cell) -> None:
    assert_runs_on_a_device(draw_case(cell, sizes=(2, 4, 2, 3), spread=0.3))


@CELLS
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "options",
    [{}, {"mask": None}, {"dropped": False}, {"biases": ()}, {"last": False}],
    ids=["all", "no mask", "no drop", "no biases", "no last state"],
)
def test_every_option_runs_on_another_place_s_arrays(cell: Cell, dtype: Any, options: dict[str, Any]) -> None:
    case = draw_case(cell, **options).map(lambda a: a.astype(dtype) if a.dtype == np.float64 else a)
    assert_runs_on_a_device(case)
    assert_runs_on_a_device(replace(case, cell=derived(cell)))


OWN = {
    "np.tanh": np.tanh,
    "by cases": lambda a: np.where(a < 0, -1.0, 0.5) * a,
    "with F": lambda F, a: F.minimum(F.maximum(a, -1), 1) * F.exp(0.5) + np.abs(a) + np.square(a),
}


@pytest.mark.parametrize("own", OWN.values(), ids=OWN.keys())
def test_a_user_s_activation_runs_on_another_place_s_arrays(own: Any) -> None:
    assert_runs_on_a_device(draw_case(cells.LSTM(activation=own)))
    assert_runs_on_a_device(draw_case(derived(cells.LayerNormGRU(recurrent_activation=own))))


def test_the_double_refuses_what_cupy_refuses() -> None:
    a = Device(np.ones(3))
    for wrong in (lambda: np.asarray(a), lambda: a + np.ones(3), lambda: np.ones(3) * a):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(TypeError):
        a[:] = np.ones(3)
    with pytest.raises(TypeError, match="Implicit conversion"):
        np.zeros(3)[:] = a
    with pytest.raises(AssertionError, match="not on the list"):
        np.sinh(a)
    with pytest.raises(AssertionError, match="condition"):
        np.where(True, a, 0)
    for wrong in (lambda: a[np.arange(2)], lambda: a[[0, 1]], lambda: np.take(a, [0]), lambda: np.stack([a, 1.0])):
        with pytest.raises(AssertionError):
            wrong()
    with pytest.raises(AttributeError):
        _ = a.flags.carray
    assert type(np.float64(2) * a) is Device
    assert type(np.tanh(a)) is Device
    assert type(np.zeros_like(a, shape=(2,))) is Device


def test_a_choice_by_flags_that_asks_how_many_there_are_is_counted() -> None:
    a, flags = Device(np.arange(3)), Device(np.array([True, False, True]))
    Device.waits.clear()
    a[flags] = 0
    assert Device.waits == []
    a[flags] = Device(np.array([7, 8]))
    assert a.get().tolist() == [7, 1, 8]
    assert Device.waits[0] == "choice by flags"


@pytest.mark.gpu
@CELLS
def test_every_cell_runs_on_cupy(cell: Cell) -> None:
    """To the rounding of another library's exp and tanh, some EPS each, over four steps."""
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    if not cupy.cuda.is_available():
        pytest.skip("no CUDA device")
    case = draw_case(cell)
    expected = everything_from(case)
    for name, value in everything_from(case.map(cupy.asarray)).items():
        assert isinstance(value, cupy.ndarray)
        np.testing.assert_allclose(value.get(), expected[name], rtol=1e-11, atol=1e-12, err_msg=name)
