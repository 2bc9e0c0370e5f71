"""The convolution for a GPU, run on the CPU, beside the float64 textbook: whatever the sizes, window and groups."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cuda_convolution_cases import DTYPES, KERNEL, SOME, cases, compared, same
from hypothesis import given
from nvrtc import NEEDS_NVRTC, compiled
from on_cpu import NEEDS_A_COMPILER, OnCpu
from window_cases import Case, assert_refused_as_in_the_textbook, made

from rnnkit.layers.sliding import Sliding
from rnnkit_kernels.cuda_gpu import convolution
from rnnkit_kernels.cuda_gpu.convolution import CudaConvolution
from rnnkit_kernels.cuda_gpu.convolution_plan import Chunks, Shape, Sweep
from rnnkit_kernels.cuda_gpu.source import assembled, part
from rnnkit_kernels.textbook import convolution as textbook
from rnnkit_kernels.textbook.convolution import Window


@NEEDS_A_COMPILER
@pytest.mark.parametrize("dtype", DTYPES)
@SOME
@given(case=cases())
def test_it_is_the_textbooks_whatever_the_window(dtype: str, case: Case) -> None:
    compared(case, dtype)


@NEEDS_A_COMPILER
@pytest.mark.parametrize("padding", ["valid", "same", "causal"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_it_is_the_textbooks_with_every_padding_of_the_layer(padding: str, stride: int, dilation: int) -> None:
    for T in (9, 16, 17):
        compared(made(2, T, 3, 4, Sliding("Conv1D", 3, stride, dilation, padding).window(T), 2))


@NEEDS_A_COMPILER
@pytest.mark.parametrize("rows", [63, 64, 65, 127, 128, 129])
@pytest.mark.parametrize(("channels", "filters"), [(16, 64), (17, 16), (5, 65), (64, 17), (1, 129), (70, 1)])
def test_tiles_end_where_the_arrays_do(rows: int, channels: int, filters: int) -> None:
    compared(made(1, rows, channels, filters, Window(3, left=2)))


@pytest.mark.parametrize(
    ("shape", "kernels"),
    [
        ((40, 40, 1), ("sums_wide", "sums_wide", "part_wide")),
        ((40, 16, 1), ("sums_narrow", "sums_wide", "part_narrow")),
        ((16, 40, 1), ("sums_wide", "sums_narrow", "part_wide")),
        ((5, 40, 1), ("sums_wide", "sums_narrow", "part_flat")),
        ((5, 17, 2), ("sums_wide", "sums_narrow", "part_flat")),
        ((4, 4, 2), ("sums_apart", "sums_apart", "part_apart")),
        ((4, 4, 1), ("sums_narrow", "sums_narrow", "part_flat")),
        ((5, 4, 2), ("sums_narrow", "sums_narrow", "part_flat")),
    ],
    ids=str,
)
def test_few_channels_and_filters_have_tiles_of_their_own(
    shape: tuple[int, int, int], kernels: tuple[str, str, str]
) -> None:
    channels, filters, groups = shape
    given_ = Shape(2, 50, channels * groups, 48, filters * groups, Window(3), groups)
    chunks = Chunks(given_)
    launches = [*(Sweep(given_, back).launch(4) for back in (False, True)), chunks.launch(chunks.count, 4)]
    assert tuple(launch.kernel for launch in launches) == kernels


@NEEDS_A_COMPILER
@pytest.mark.parametrize("blocks", [1, 3, 512])
@pytest.mark.parametrize(("channels", "filters", "groups"), [(20, 40, 1), (20, 5, 1), (5, 30, 1), (2, 2, 5)])
def test_rows_are_summed_in_chunks_however_many_there_are(
    monkeypatch: pytest.MonkeyPatch, blocks: int, channels: int, filters: int, groups: int
) -> None:
    """Chunks of more rows than are summed by themselves, of just as many, and of fewer."""
    monkeypatch.setattr(convolution, "_chunks", lambda shape: Chunks(shape, blocks))
    counts = []
    for steps in (10, 128, 129, 350):
        case = made(2, steps, channels, filters, Window(3, left=2), groups)
        compared(case)
        O = filters * groups
        counts.append(Chunks(Shape(2, steps, channels * groups, steps, O, case.window, groups), blocks).count)
    assert counts[0] == 1
    assert (counts[-1] > 1) == (blocks > 1)


@NEEDS_A_COMPILER
@pytest.mark.parametrize("groups", [1, 3])
def test_a_sum_over_many_rows_keeps_its_digits_in_single_precision(
    monkeypatch: pytest.MonkeyPatch, groups: int
) -> None:
    """Even in one chunk: a sum that goes row by row strays many times as far."""
    monkeypatch.setattr(convolution, "_chunks", lambda shape: Chunks(shape, 1))
    rows = 1 << 15
    x = np.full((1, rows, groups), np.float32(0.1))
    W, dy = np.ones((1, 1, groups), np.float32), np.ones((1, rows, groups), np.float32)
    _, tape = KERNEL.forward({"W": W}, x, Window(1), groups)
    right = rows * np.float64(x[0, 0, 0])
    row_by_row = np.cumsum(x[0, :, 0], dtype=np.float32)[-1]
    off = abs(KERNEL.backward(tape, dy)[0]["W"] - right).max()
    assert 8 * off < abs(row_by_row - right)


@NEEDS_A_COMPILER
@pytest.mark.parametrize(("channels", "filters", "groups"), [(20, 40, 1), (20, 5, 1), (5, 30, 2), (2, 2, 5)])
def test_twenty_runs_have_the_same_bits_whichever_blocks_and_threads_come_first(
    channels: int, filters: int, groups: int
) -> None:
    case = made(3, 120, channels, filters, Window(3, 2, 2, 3, 1), groups).cast("float32")
    first, backwards = case.on(KERNEL), CudaConvolution(OnCpu(backwards=True))
    for _ in range(19):
        same(case.on(KERNEL), first)
    same(case.on(backwards), first)


@NEEDS_A_COMPILER
@pytest.mark.parametrize(("channels", "filters", "groups"), [(20, 40, 1), (20, 5, 1), (2, 2, 5)])
def test_a_rows_y_and_dx_have_the_bits_that_they_have_alone(channels: int, filters: int, groups: int) -> None:
    case = made(3, 70, channels, filters, Window(3, 2, 1, 2), groups).cast("float32")
    whole = case.on(KERNEL)
    for row in range(3):
        alone = replace(case, x=case.x[row : row + 1], dy=case.dy[row : row + 1]).on(KERNEL)
        for name in ("y", "dx"):
            np.testing.assert_array_equal(alone[name][0], whole[name][row])


@NEEDS_A_COMPILER
@pytest.mark.parametrize("where", ["b", "x", "dy", "W"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("shape", [(5, 20), (20, 1), (1, 2)], ids=str)
def test_nan_and_infinity_come_out_where_the_textbook_has_them(where: str, value: float, shape: Any) -> None:
    """Beside the ends too, where a zero of the padding meets them. dx is NaN there where weights are not finite."""
    for groups in (1, 2):
        case = made(2, 30, *shape, Window(3, 2, 3, 5, 4), groups)
        array = case.x if where == "x" else case.dy if where == "dy" else case.weights[where]
        array.reshape(-1)[[0, -1]] = value
        with np.errstate(invalid="ignore"):
            found, right = case.on(KERNEL), case.on(textbook)
        if where == "W":
            dx, expected = found.pop("dx"), right.pop("dx")
            assert not np.isfinite(dx).all()
            np.testing.assert_allclose(dx[np.isfinite(dx)], expected[np.isfinite(dx)], rtol=0, atol=1e-10)
        for name, value_ in right.items():
            np.testing.assert_allclose(found[name], value_, rtol=1e-10, atol=1e-10, err_msg=name)


@NEEDS_A_COMPILER
def test_it_does_not_matter_how_arrays_lie_in_memory() -> None:
    case = made(3, 60, 6, 18, Window(3, left=2))
    right = case.on(KERNEL)
    for axes in ((1, 0, 2), (2, 1, 0), (0, 2, 1)):
        back = tuple(np.argsort(axes))

        def lying(a: Any, axes: Any = axes, back: Any = back) -> Any:
            return a.transpose(axes).copy().transpose(back)

        weights = {"W": lying(case.weights["W"]), "b": np.repeat(case.weights["b"], 2)[::2]}
        same(Case(weights, lying(case.x), case.window, 1, lying(case.dy)).on(KERNEL), right)


@NEEDS_A_COMPILER
def test_nothing_that_went_in_is_written_to_and_one_may_go_back_twice() -> None:
    case, kept = (made(2, 70, 17, 5, Window(3, left=2)) for _ in range(2))
    _, tape = KERNEL.forward(case.weights, case.x, case.window)
    (first, dx), (second, dx2) = KERNEL.backward(tape, case.dy), KERNEL.backward(tape, case.dy)
    same(first | {"dx": dx}, second | {"dx": dx2})
    same(case.weights | {"x": case.x, "dy": case.dy}, kept.weights | {"x": kept.x, "dy": kept.dy})


@NEEDS_A_COMPILER
@pytest.mark.parametrize("steps", [1, 2, 3, 5])
@pytest.mark.parametrize(("channels", "filters", "groups"), [(20, 40, 1), (20, 5, 1), (5, 30, 1), (2, 2, 5)])
def test_sequences_of_a_few_steps_are_many_to_a_tile(steps: int, channels: int, filters: int, groups: int) -> None:
    compared(made(40, steps, channels, filters, Window(2, left=1), groups))


@NEEDS_A_COMPILER
def test_taps_that_a_stride_passes_over_leave_zeros() -> None:
    case = made(2, 40, 3, 4, Window(2, 5))
    dx = compared(case)["dx"]
    assert not dx[:, 2::5].any()
    assert dx[:, 1:40:5].all()


@NEEDS_A_COMPILER
@pytest.mark.parametrize("sizes", [(0, 9, 3, 4), (2, 9, 3, 0)], ids=["no row", "no filter"])
def test_nothing_to_work_on_is_no_error(sizes: tuple[int, int, int, int]) -> None:
    compared(made(*sizes, Window(3, left=2)))


def test_without_channels_y_is_the_bias() -> None:
    case = made(2, 9, 0, 4, Window(3, left=2))
    found = case.on(KERNEL)
    np.testing.assert_array_equal(found["y"], np.broadcast_to(case.weights["b"], (2, 9, 4)))
    assert (found["W"].shape, found["dx"].shape) == ((3, 0, 4), (2, 9, 0))


def test_arrays_that_do_not_belong_together_are_refused_as_the_textbook_does() -> None:
    assert_refused_as_in_the_textbook(KERNEL)


def test_numbers_of_other_kinds_and_too_many_steps_are_refused() -> None:
    W, x = np.zeros((3, 2, 4)), np.zeros((1, 5, 2))
    with pytest.raises(TypeError, match="convolution: b is float32 and x float64: cast one of them"):
        KERNEL.forward({"W": W, "b": np.zeros(4, np.float32)}, x, Window(3))
    with pytest.raises(TypeError, match="convolution: kernels take float32 or float64, got complex128"):
        KERNEL.forward({"W": W + 0j}, x + 0j, Window(3))
    endless = np.broadcast_to(np.zeros((1, 1, 2)), (1, 1 << 30, 2))
    with pytest.raises(ValueError, match="1 rows of 1073741824 steps are too many for one call: give fewer rows"):
        KERNEL.forward({"W": W}, endless, Window(3))


@NEEDS_A_COMPILER
def test_it_says_what_runs_and_a_tape_of_the_textbook_goes_back_there() -> None:
    case = made(2, 20, 3, 4, Window(2, left=1))
    assert (KERNEL.origin, KERNEL.forward(case.weights, case.x, case.window)[1].origin) == ("cuda", "cuda")  # type: ignore[attr-defined]
    _, tape = textbook.forward(case.weights, case.x, case.window)
    np.testing.assert_array_equal(KERNEL.backward(tape, case.dy)[1], textbook.backward(tape, case.dy)[1])


@NEEDS_NVRTC
@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
@pytest.mark.parametrize(("real", "most"), [("float", 128), ("double", 240)])
@pytest.mark.parametrize("which", ["sums", "gradients"])
def test_every_kernel_compiles_without_spills(which: str, real: str, most: int, architecture: str) -> None:
    _, usage = compiled(assembled(real, "convolution.cuh", part(f"convolution_{which}.cuh")), architecture)
    assert usage
    for name, taken in usage.items():
        assert (taken.stack, taken.spill_stores, taken.spill_loads) == (0, 0, 0), name
        assert taken.registers <= most, name
