"""What stands in padding never enters, whatever it is, and costs a copy of x only where it is not finite."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("numba", reason="needs the extra numba")

import compiled_cases as cc
import compiled_setting as setting
from kernel_cases import Case, everything

from rnnkit_kernels import cells
from rnnkit_kernels.numba_cpu.backward import backward
from rnnkit_kernels.numba_cpu.kernel import CompiledKernel
from rnnkit_kernels.numba_cpu.padding import finite_padding

CELLS = pytest.mark.parametrize("name", ["LSTM", "GRU", "GRUBefore", "LayerNormLSTM"])
NUMBERS = pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e300, 1e-310])


@pytest.fixture(autouse=True, scope="module")
def _three_threads_and_nothing_but_nan_in_fresh_memory():
    with setting.threads(3), setting.poisoned():
        yield


def padded(case: Case, number: float) -> Case:
    return replace(case, x=np.where(case.mask[:, :, None], case.x, case.x.dtype.type(number)))


@CELLS
@NUMBERS
def test_what_stands_in_padding_does_not_change_a_bit(name: str, number: float) -> None:
    case = cc.draw(getattr(cells, name)(), (6, 7, 3, 18))
    other = padded(case, number)
    before = other.x.copy()
    for split in cc.SPLITS[:4]:
        cc.assert_bits(cc.compiled(other, split=split).all, cc.compiled(padded(case, 0), split=split).all)
    np.testing.assert_array_equal(other.x, before)


@pytest.mark.parametrize("dtype", cc.DTYPES)
def test_a_number_in_padding_that_overflows_what_is_made_of_it_does_not_enter_either(dtype: str) -> None:
    """Gates without bounds: x W is infinite, and so is the operand of the inner product that is made of it."""
    case = cc.draw(cells.GRUBefore(recurrent_activation="relu"), (6, 7, 3, 18), dtype, dropped=False)
    other = padded(case, np.finfo(dtype).max)
    cc.assert_bits(cc.compiled(other).all, cc.compiled(padded(case, 0)).all)
    cc.assert_the_textbooks(padded(case, 0), cc.compiled(other), dtype)


@pytest.mark.parametrize("how", ["batch first", "every second", "part of wider"])
def test_nan_in_the_padding_of_a_view_does_not_enter(how: str) -> None:
    case = cc.draw(cells.LSTM(), (6, 7, 5, 18), "float32")
    view = replace(case, x=cc.seen(padded(case, np.nan).x, how))
    cc.assert_bits(cc.compiled(view).all, cc.compiled(padded(case, 0)).all)


@CELLS
def test_a_clipped_way_back_is_not_reached_by_nan_in_padding(name: str) -> None:
    """It is the textbook's, over the compiled tape: what that tape kept of held rows is zeros."""
    case = cc.draw(getattr(cells, name)(), (6, 7, 3, 18))
    kernel = CompiledKernel(case.cell)
    found = []
    for number in (0, np.nan):
        other = padded(case, number)
        tape = kernel.forward(other.weights, other.x, other.state0, mask=other.mask, drop=other.drop)[2]
        found.append(kernel.backward(tape, case.dh, case.dstate, clip=0.01))
    cc.assert_bits(everything(found[1]), everything(found[0]))
    assert np.isfinite(found[1].weights["U"]).all()


def test_x_is_copied_on_demand_alone() -> None:
    case = cc.draw(cells.LSTM(), (6, 7, 3, 18))
    tape = cc.ahead(case)[2]
    backward(tape, case.dh, case.dstate)
    assert "x" not in vars(tape)
    assert tape.factor is case.x
    np.testing.assert_array_equal(tape.x, np.where(case.mask[:, :, None], case.x, 0))
    tape = cc.ahead(padded(case, np.inf))[2]
    assert tape.factor is tape.x


@pytest.mark.parametrize("dtype", cc.DTYPES)
@pytest.mark.parametrize("F", cc.FEATURES)
@pytest.mark.parametrize("how", ["as it is", "batch first", "part of wider", "backwards"])
def test_one_number_that_is_not_finite_is_found_wherever_it_stands_in_padding(dtype: str, F: int, how: str) -> None:
    T, B = 3, 4
    rng = np.random.default_rng(F)
    mask = rng.random((T, B)) < 0.5
    info = np.finfo(dtype)
    clean = rng.choice(np.array([info.max, -info.max, info.smallest_subnormal, 0, -1], dtype), (T, B, F))
    assert finite_padding(cc.seen(clean, how), mask)
    for t, row, at in np.ndindex(T, B, F):
        dirty = clean.copy()
        dirty[t, row, at] = (np.nan, np.inf, -np.inf)[(t + row + at) % 3]
        assert finite_padding(cc.seen(dirty, how), mask) == mask[t, row]
