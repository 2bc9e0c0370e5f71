"""The compiled convolution beside the textbook's: sizes, strides, dilations, paddings, groups, every form of code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba", reason="needs the extra numba")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from window_cases import Case, assert_refused_as_in_the_textbook, made

from rnnkit.context import Context
from rnnkit.layers import Conv1D
from rnnkit_kernels.backends import backend
from rnnkit_kernels.numba_cpu import memory
from rnnkit_kernels.numba_cpu.convolution import passes as convolution
from rnnkit_kernels.numba_cpu.convolution.table import Sweep, kind
from rnnkit_kernels.numba_cpu.emit.vec import Lanes
from rnnkit_kernels.numba_cpu.parallel import threads
from rnnkit_kernels.textbook import convolution as textbook
from rnnkit_kernels.textbook.convolution import Window

# Vectors of every width; with 16 registers tiles are lower.
FORMS = (
    (Lanes("float32", 16), 32),
    (Lanes("float32", 8), 16),
    (Lanes("float32", 4), 32),
    (Lanes("float64", 8), 32),
    (Lanes("float64", 4), 16),
)
# One less, one more and as many as fill vectors and blocks of four of them.
CHANNELS = (1, 2, 3, 5, 8, 15, 16, 17, 33, 65, 70)
SOME = settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture(autouse=True)
def poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is to be written holds NaN before, so that a place left out shows. Two threads, on any machine."""
    fresh = memory.empty

    def empty(shape: Any, dtype: Any) -> Any:
        array = fresh(shape, dtype)
        array.reshape(-1).view(np.uint8).fill(0xFF)
        return array

    monkeypatch.setattr(memory, "empty", empty)
    monkeypatch.setenv("RNNKIT_NUM_THREADS", "2")


@st.composite
def cases(draw: Any) -> Case:
    window = Window(
        draw(st.integers(1, 5)),
        draw(st.integers(1, 4)),
        draw(st.integers(1, 5)),
        draw(st.integers(0, 9)),
        draw(st.integers(0, 9)),
    )
    least = max(1, window.span - window.left - window.right)
    T = least + draw(st.one_of(st.integers(0, 30), st.integers(100, 250)))
    apart = draw(st.integers(0, 4)) == 0
    groups = draw(st.integers(2, 40)) if apart else draw(st.sampled_from((1, 1, 2, 3)))
    channels, filters = (1, 1) if apart else (draw(st.sampled_from(CHANNELS)), draw(st.sampled_from(CHANNELS)))
    return made(
        draw(st.integers(1, 3)), T, channels, filters, window, groups, draw(st.booleans()), draw(st.integers(0, 99))
    )


def compared(case: Case, lanes: Lanes, registers: int, parts: int) -> dict[str, Any]:
    found = case.cast(lanes.dtype).on(convolution, lanes=lanes, registers=registers, parts=parts)
    allowed = case.allowed(lanes.dtype)
    for name, right in case.on(textbook).items():
        assert found[name].shape == right.shape
        assert found[name].dtype == lanes.dtype
        off = abs(found[name] - right)
        assert (off <= allowed[name]).all(), f"{name} is off by {np.nanmax(off - allowed[name])} more than it may"
    return found


@pytest.mark.parametrize(("lanes", "registers"), FORMS, ids=str)
@SOME
@given(cases(), st.integers(1, 2))
def test_it_is_the_textbook_s_in_every_form_of_code(lanes: Lanes, registers: int, case: Case, parts: int) -> None:
    compared(case, lanes, registers, parts)


@pytest.mark.parametrize(
    ("depth", "columns", "groups", "way"),
    [(64, 64, 1, "across"), (64, 1, 1, "along"), (64, 2, 3, "along"), (1, 1, 33, "apart"), (1, 2, 4, "across")],
)
def test_few_columns_and_channels_by_themselves_have_their_own_code(
    depth: int, columns: int, groups: int, way: str
) -> None:
    lanes = Lanes("float32", 16)
    assert kind(lanes, 3, depth, columns, groups) == way
    compared(made(2, 150, depth, columns, Window(3, dilation=2, left=4), groups), lanes, 32, 2)


def test_the_same_call_gives_the_same_bits_and_threads_change_none_of_y_and_dx() -> None:
    lanes = Lanes("float32", 16)
    for shape in ((3, 230, 33, 17), (3, 230, 40, 1), (3, 230, 1, 40), (5, 23, 3, 70)):
        case = made(*shape, Window(3, dilation=2, left=4)).cast("float32")
        alone, again, two = (case.on(convolution, lanes=lanes, registers=32, parts=parts) for parts in (1, 1, 2))
        twice = case.on(convolution, lanes=lanes, registers=32, parts=2)
        for name in alone:
            np.testing.assert_array_equal(alone[name], again[name])
            np.testing.assert_array_equal(two[name], twice[name])
        np.testing.assert_array_equal(alone["y"], two["y"])
        np.testing.assert_array_equal(alone["dx"], two["dx"])


def test_rows_that_the_same_taps_meet_make_a_segment() -> None:
    sweep = Sweep(10, 1, 4, 10, 2, (0, 1, 2), across=1, inner=1, group=1)
    np.testing.assert_array_equal(sweep.segments, [[0, 2, 2, 3], [2, 4, 1, 3], [4, 10, 0, 3]])
    beyond = Sweep(3, 1, 40, 4, 1, (0, 1), across=1, inner=1, group=1)
    np.testing.assert_array_equal(beyond.segments, [[0, 3, 0, 0]])


@pytest.mark.parametrize("where", ["W", "b", "x", "dy"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("shape", [(5, 20), (20, 1), (1, 33)], ids=str)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_nan_and_infinity_come_out_where_the_textbook_has_them(
    where: str, value: float, shape: tuple[int, int]
) -> None:
    """Beside the ends too, where a zero of the padding meets them."""
    for groups in (1, 2):
        case = made(2, 30, *shape, Window(3, 2, 3, 5, 4), groups)
        array = case.x if where == "x" else case.dy if where == "dy" else case.weights[where]
        array.reshape(-1)[[0, -1]] = value
        right = case.on(textbook)
        for name, found in case.on(convolution).items():
            np.testing.assert_allclose(found, right[name], rtol=1e-10, atol=1e-10, err_msg=name)


def test_it_does_not_matter_how_arrays_lie_in_memory() -> None:
    case = made(3, 60, 6, 18, Window(3, left=2))
    right = case.on(convolution)
    for axes in ((1, 0, 2), (2, 1, 0), (0, 2, 1)):
        back = tuple(np.argsort(axes))

        def lying(a: Any, axes: Any = axes, back: Any = back) -> Any:
            return a.transpose(axes).copy().transpose(back)

        turned = Case(
            case.weights | {"W": lying(case.weights["W"])}, lying(case.x), case.window, case.groups, lying(case.dy)
        )
        wide = Case(case.weights, np.repeat(case.x, 2, axis=2)[:, :, ::2], case.window, 1, case.dy[:, ::-1][:, ::-1])
        for given_ in (turned, wide):
            for name, found in given_.on(convolution).items():
                np.testing.assert_array_equal(found, right[name])


def test_nothing_that_went_in_is_written_to_and_one_may_go_back_twice() -> None:
    case = made(2, 70, 17, 5, Window(3, left=2))
    kept = made(2, 70, 17, 5, Window(3, left=2))
    _, tape = convolution.forward(case.weights, case.x, case.window)
    (first, dx), (second, dx2) = convolution.backward(tape, case.dy), convolution.backward(tape, case.dy)
    np.testing.assert_array_equal(dx, dx2)
    for name, w in kept.weights.items():
        np.testing.assert_array_equal(first[name], second[name])
        np.testing.assert_array_equal(case.weights[name], w)
    np.testing.assert_array_equal(case.x, kept.x)
    np.testing.assert_array_equal(case.dy, kept.dy)


def test_a_sum_over_many_rows_keeps_its_digits_in_single_precision() -> None:
    """Rows are summed by 64 and then those sums: a sum that goes row by row strays about 64 times as far."""
    rows = 1 << 18
    x = np.full((1, rows, 1), np.float32(0.1))
    W, dy = np.ones((1, 1, 1), np.float32), np.ones((1, rows, 1), np.float32)
    _, tape = convolution.forward({"W": W}, x, Window(1), parts=1)
    right = rows * np.float64(x[0, 0, 0])
    row_by_row = np.cumsum(x[0, :, 0], dtype=np.float32)[-1]
    off = abs(convolution.backward(tape, dy)[0]["W"].item() - right)
    assert 16 * off < abs(row_by_row - right)


def test_a_caller_whose_team_is_busy_computes_alone() -> None:
    case = made(2, 200, 16, 16, Window(3, left=2))
    with threads.team(2) as team:
        assert team.size == 2
        alone = case.on(convolution, parts=2)
    np.testing.assert_array_equal(alone["W"], case.on(convolution, parts=1)["W"])


def test_arrays_that_do_not_belong_together_are_refused_as_the_textbook_does() -> None:
    assert_refused_as_in_the_textbook(convolution)


def test_the_layer_takes_the_kernel_of_its_backend_and_leaves_complex_numbers_to_the_textbook() -> None:
    kernel = backend("numba").convolution()
    assert (kernel.origin, backend("numpy").convolution().origin) == ("numba", "textbook")
    case = made(2, 20, 3, 4, Window(2, left=1))
    assert isinstance(kernel.forward(case.weights, case.x, case.window)[1], convolution.CompiledConvolutionTape)
    turned = {name: w * 1j for name, w in case.weights.items()}
    y, tape = kernel.forward(turned, case.x + 0j, case.window)
    assert not isinstance(tape, convolution.CompiledConvolutionTape)
    np.testing.assert_array_equal(y, textbook.forward(turned, case.x + 0j, case.window)[0])
    np.testing.assert_array_equal(kernel.backward(tape, y)[1], textbook.backward(tape, y)[1])
    layer = Conv1D(4, 2, padding="causal", dilation_rate=3, activation="tanh")
    results = []
    for name in ("numba", "numpy"):
        y, back = layer(case.weights, case.x, Context(name))
        results.append((y, back(case.dy)[1]))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(results[0][1], results[1][1], rtol=1e-12, atol=1e-12)
