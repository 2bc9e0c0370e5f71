"""On a GPU: every cell beside the textbook by every kind of kernel, and the same bits each time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba", reason="needs the extra numba, whose tests' cases these are")

import compiled_cases as cc
from compiled_cells import USERS
from cuda_cases import assert_the_textbooks, cases, run
from kernel_cases import Case, label

from rnnkit import optimizers
from rnnkit_kernels import cells
from rnnkit_kernels.backends import backend
from rnnkit_kernels.contract import Cell
from rnnkit_kernels.cuda_gpu.cupy_place import CupyPlace, cupy_place
from rnnkit_kernels.cuda_gpu.elementwise import CudaElementwise
from rnnkit_kernels.cuda_gpu.emit.division import Division
from rnnkit_kernels.cuda_gpu.missing import facts
from rnnkit_kernels.devices import host

MISSING = facts().missing
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(MISSING is not None, reason=f"no GPU: {MISSING}")]

# Every text costs a second of compiling. So one height of a tile serves, the options are all there or none is, and
# what varies are shapes. Steps: one by one, recorded once, replayed twice; a float32 recurrence of many steps grows its
# rounding, and CUDA's exp and tanh are off by 2 units in the last place, several times what the CPU's are.
HEIGHT = 16
LIMITS = {"float64": 1e-12, "float32": 1e-5}
STEPS = {"float64": st.sampled_from([1, 3, 5, 40]), "float32": st.sampled_from([1, 5])}
ONE_BLOCK, CLUSTERS, LARGEST = Division(33, 2, 1, 2), Division(21, 8, 4, 4), Division(37, 16, 16, 2)
SOME_USERS = [cell for cell in USERS if cell.name in ("SixGates", "TwoProducts", "Attending", "FiveGates")]
GRUS = [cells.LSTM(), cells.GRU()]


def on_the_gpu(case: Case, place: CupyPlace | None = None, **how: Any) -> dict[str, Any]:
    """Every array of a forward and a backward pass, brought down."""
    found = run(case.map(backend("cuda").array), place or cupy_place(), HEIGHT, **how)
    return {name: host(a) for name, a in found.items()}


def fits(division: Division) -> bool:
    """Clusters came with compute capability 9.0; those of more than 8 blocks are for large GPUs."""
    capability = cupy_place().processors()[1]
    return capability >= 90 if division.cluster <= 8 else capability in (90, 100, 103)


@pytest.mark.parametrize(
    ("cell", "dtype"),
    [(cell, dtype) for cell in cells.ALL for dtype in STEPS] + [(cell, "float64") for cell in SOME_USERS],
    ids=lambda value: value if isinstance(value, str) else label(value),
)
@settings(max_examples=8, derandomize=True, deadline=None)
@given(data=st.data())
def test_kernels_for_each_level_make_every_number_of_the_textbook(cell: Cell, dtype: str, data: Any) -> None:
    options = data.draw(st.booleans())
    case = data.draw(cases(cell, dtype, options, options, STEPS[dtype]))
    assert_the_textbooks(case, on_the_gpu(case), LIMITS[dtype])


@pytest.mark.parametrize("division", [ONE_BLOCK, CLUSTERS], ids=["one block", "clusters"])
@pytest.mark.parametrize("cell", cells.ALL, ids=label)
def test_kernels_that_take_all_steps_make_every_number_of_the_textbook(cell: Cell, division: Division) -> None:
    if division.cluster > 1 and not fits(division):
        pytest.skip("this GPU has no clusters")
    for steps in (1, 2, 5, 40):
        case = cc.draw(cell, (steps, 9, 2, division.units), seed=steps)
        assert_the_textbooks(case, on_the_gpu(case, division=division), LIMITS["float64"])


@pytest.mark.parametrize("cell", GRUS, ids=label)
def test_clusters_of_more_blocks_than_are_promised_everywhere_are_had_for_the_asking(cell: Cell) -> None:
    if not fits(LARGEST):
        pytest.skip("clusters of 16 blocks are for large GPUs")
    case = cc.draw(cell, (5, 3, 2, LARGEST.units))
    assert_the_textbooks(case, on_the_gpu(case, division=LARGEST), LIMITS["float64"])


@pytest.mark.parametrize("cell", GRUS, ids=label)
def test_what_is_chosen_for_a_large_layer_makes_every_number_of_the_textbook(cell: Cell) -> None:
    case = cc.draw(cell, (5, 64, 3, 256), "float32")
    kernel = backend("cuda").kernel(cell)
    there = case.map(backend("cuda").array)
    h, _, tape = kernel.forward(there.weights, there.x, there.state0, mask=there.mask, drop=there.drop)
    grads: Any = kernel.backward(tape, there.dh, there.dstate)
    h_right, _, right_tape = cc.doubled(case).forward()
    right = cc.doubled(case).back(right_tape)
    for name, found, wanted in [
        ("h", h, h_right),
        ("x", grads.x, right.x),
        ("U", grads.weights["U"], right.weights["U"]),
    ]:
        limit = LIMITS["float32"] * max(1.0, float(np.abs(wanted).max()))
        np.testing.assert_allclose(host(found), wanted, rtol=0, atol=limit, err_msg=name)


@pytest.mark.parametrize(("rounding", "limit"), [("tf32", 3 * 2**-10), ("bf16", 3 * 2**-7)])
@pytest.mark.parametrize("cell", GRUS, ids=label)
def test_tensor_cores_round_what_they_multiply_and_nothing_else(cell: Cell, rounding: str, limit: float) -> None:
    """A factor that keeps n bits behind the point is off by 2^-(n+1) of itself, a product and a sum by 2^-n at most."""
    if cupy_place().processors()[1] < 80:
        pytest.skip("this GPU has no tensor cores for these numbers")
    for steps in (3, 5):
        case = cc.draw(cell, (steps, 33, 3, 70), "float32", seed=5)
        got = on_the_gpu(case, rounding=rounding)
        assert_the_textbooks(case, got, limit=limit)
        assert np.abs(got["h"] - on_the_gpu(case)["h"]).max() > 1e-5, "nothing was rounded"


def test_products_outside_of_the_loop_are_strict_unless_they_are_asked_to_round() -> None:
    """Strict sums of 512 products are off by 1e-7 of the largest, with factors of TF32 by 1e-4."""
    place, rng = cupy_place(), np.random.default_rng(3)
    a, b = rng.standard_normal((300, 512)), rng.standard_normal((512, 200))
    there = [place.xp.asarray(m.astype(np.float32)) for m in (a, b)]
    right = a.astype(np.float32).astype(float) @ b.astype(np.float32).astype(float)
    off = {}
    for rounding in (None, "tf32", None):
        with place.products(rounding):
            off[rounding] = np.abs(host(there[0] @ there[1]) - right).max() / np.abs(right).max()
    assert off[None] < 2e-6
    assert place.processors()[1] < 80 or 1e-5 < off["tf32"] < 1e-3


@pytest.mark.parametrize("cell", cells.ALL, ids=label)
@pytest.mark.parametrize("division", [None, CLUSTERS], ids=["levels", "clusters"])
def test_twenty_runs_give_the_same_bits(cell: Cell, division: Division | None) -> None:
    if division is not None and not fits(division):
        pytest.skip("this GPU has no clusters")
    case = cc.draw(cell, (40, 19, 5, 21), seed=3)
    first = on_the_gpu(case, division=division)
    for _ in range(19):
        cc.assert_bits(on_the_gpu(case, division=division), first)


@pytest.mark.parametrize("cell", [cells.LSTM(), cells.LayerNormGRU()], ids=label)
def test_steps_that_are_replayed_have_the_bits_of_steps_launched_one_by_one(cell: Cell) -> None:
    import cupy

    for steps in (5, 33, 70):
        case, place = cc.draw(cell, (steps, 19, 5, 21), seed=3), CupyPlace(cupy)
        replayed = on_the_gpu(case, place)
        modules = list(place._modules.values())
        assert all(module._graphs for module in modules), "nothing was recorded"
        for module in modules:
            module._records = False
        cc.assert_bits(on_the_gpu(case, place), replayed)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", optimizers.ALL, ids=lambda kind: kind.__name__)
def test_an_optimizer_moves_parameters_as_far_as_on_the_cpu_to_the_last_bit(kind: Any, dtype: str) -> None:
    kernels, optimizer, rng = backend("cuda"), kind(0.01), np.random.default_rng(1)
    params = [rng.standard_normal(shape).astype(dtype) for shape in ((3,), (7, 5), (40, 60), (3, 1025))]
    there = [kernels.array(p) for p in params]
    state, state_there = optimizer.init(params), optimizer.init(there)
    for _ in range(3):
        grads = [rng.standard_normal(p.shape).astype(dtype) for p in params]
        params, state = optimizer.step(params, grads, state)
        given = [kernels.array(g) for g in grads]
        there, state_there = optimizer.step(there, given, state_there, CudaElementwise(kernels.place))
    for found, right in zip(there, params, strict=True):
        np.testing.assert_array_equal(host(found), right)


@pytest.mark.parametrize("division", [None, ONE_BLOCK], ids=["levels", "one block"])
def test_two_streams_that_take_turns_give_what_one_gives(division: Division | None) -> None:
    """To rounding: a library of products may choose other ways where two streams are busy. Levels are recorded, with a
    table for each stream."""
    import cupy

    place = cupy_place()
    drawn = [cc.draw(cells.LSTM(), (40, 9, 3, 33), seed=k) for k in range(8)]
    alone = [on_the_gpu(case, division=division) for case in drawn]
    given = [case.map(backend("cuda").array) for case in drawn]
    cupy.cuda.Device().synchronize()
    streams, outputs = [cupy.cuda.Stream(non_blocking=True) for _ in range(2)], []
    for k, case in enumerate(given):
        with streams[k % 2]:
            outputs.append(run(case, place, HEIGHT, division=division))
    cupy.cuda.Device().synchronize()
    for found, wanted in zip(outputs, alone, strict=True):
        for name, value in wanted.items():
            np.testing.assert_allclose(host(found[name]), value, rtol=0, atol=1e-11, err_msg=name)
