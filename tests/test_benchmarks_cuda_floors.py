"""Floors, constants and candidates of the benchmarks on a GPU: what is made of numbers, whoever measured them."""

from dataclasses import replace

import pytest
from gpu_benchmark_cases import NoPlace, plan, row

from benchmarks.gpu import constants, floors, recurrent
from benchmarks.gpu.candidates import admissible, best, clusters_of, on_tensor_cores
from benchmarks.gpu.plan import SHAPES
from benchmarks.gpu.runner import Absent
from benchmarks.results import Row
from rnnkit import cells
from rnnkit_kernels.cuda_gpu.choice import choose
from rnnkit_kernels.cuda_gpu.emit.division import Division
from rnnkit_kernels.cuda_gpu.emit.tensor_division import TensorDivision
from rnnkit_kernels.cuda_gpu.estimate import Step, at_once

LSTM = cells.LSTM()


CONSTANTS = floors.Constants(0.1, 0.05, {2: 0.2, 8: 0.3}, 1.0, {1: 1e5, 4: 2e5}, {2: 60, 8: 16}, 132)


def _step(cell, units, rows, division):
    return floors.step(CONSTANTS.asked(cell, False, units, rows), division, CONSTANTS)


def test_a_step_waits_for_gates_meetings_and_the_products_of_one_block():
    alone, many = Division(64, 4, 1, 1), Division(256, 8, 8, 4)
    assert _step(LSTM, 64, 1, alone) == pytest.approx(0.15 + 4 * 64 * 64 / 1e5)
    assert _step(LSTM, 256, 64, many) == pytest.approx(0.4 + 4 * 32 * 256 * 4 / 2e5)
    assert _step(LSTM, 256, 65, many) == pytest.approx(2 * _step(LSTM, 256, 64, many))
    assert _step(cells.GRUBefore(), 256, 64, many) == pytest.approx(0.1 + 0.6 + 3 * 32 * 256 * 4 / 2e5)
    assert _step(LSTM, 64, 1, Division(64, 4, 4, 1)) == float("inf")


def test_a_floor_is_that_of_the_fastest_division_or_of_levels():
    slow, asked = replace(CONSTANTS, node=1e-3), CONSTANTS.asked(LSTM, False, 64, 8)
    apart = 1e-3 + 0.1 + 4 * 64 * 64 * 8 / (132 * 2e5)
    assert floors.floor(asked, [Division(64, 4, 1, 1)], slow) == pytest.approx(apart)
    assert floors.floor(asked, [Division(64, 4, 1, 1)], CONSTANTS) == pytest.approx(0.15 + 4 * 64 * 64 / 1e5)
    assert floors.floor(asked, [], CONSTANTS) > 1


def test_every_prediction_of_the_design_is_beside_a_shape_that_is_measured():
    assert {(B, T, H) for B, T, _, H in SHAPES} == {*floors.PAGE, (64, 100, 160)}


def test_what_rounds_as_chosen_is_told_beside_the_prediction_for_as_much_rounding():
    values = {"rnnkit": 1e-4, "rnnkit TF32": 5e-5, "rnnkit bf16": 4e-5, "rnnkit TF32 levels": 1e-3}
    there = row("LSTM", (64, 100, 256, 256), values=values, page=0.89)
    small = row("LSTM", (64, 100, 128, 128), values=values, page=0.45)
    (told,) = [note for note in recurrent.notes([there, small], plan()) if "what the design predicts:" in note]
    assert told.endswith(
        ": TF32 64,100,256,256 0.50 (0.42); bf16 64,100,256,256 0.40 (0.36); TF32 64,100,128,128 0.50 (0.36)"
    )
    back = row("LSTM", (64, 100, 256, 256), values=values, page=None)
    assert not any("what the design predicts:" in note for note in recurrent.notes([back], plan()))


@pytest.mark.parametrize("rounding", [None, "tf32", "bf16"])
@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_what_is_chosen_is_among_the_divisions_that_are_tried(shape, back, rounding):
    B, _, _, H = shape
    chosen = choose(LSTM, back, H, B, 4, 132, 90, rounding, 8)
    asked = Step(LSTM, back, H, B, at_once(132, 8), rounding)
    if chosen is None:
        assert H >= 512
    else:
        strict = replace(asked, rounding=rounding if isinstance(chosen, TensorDivision) else None)
        assert chosen in best(strict)


def test_where_the_weights_fit_nowhere_no_division_is_tried():
    for rounding in (None, "tf32", "bf16"):
        with pytest.raises(Absent, match="1024 units fit into no cluster's registers"):
            best(Step(LSTM, False, 1024, 64, at_once(132, 8), rounding))


def test_divisions_fit_the_registers_and_leave_no_block_without_units():
    found = admissible(4, 96, 4)
    assert found
    for d in found:
        assert d.pieces(96) * 4 * 4 + 64 <= min(255, 65536 // d.threads)
        assert (d.cluster - 1) * d.own < 96
        assert d.rows <= 4
    assert all(d.cluster == 1 for d in admissible(4, 96, 4, clusters=(1,)))
    assert {d.cluster for d in admissible(4, 9, 4)} == {1, 2}  # of 4 blocks with 3 units each, one would have none


@pytest.mark.parametrize("large", [0, 7])
def test_clusters_of_16_are_tried_where_the_gpu_runs_any(large):
    place = NoPlace()
    place.large_clusters = lambda: large
    clusters = clusters_of(place)
    assert (clusters.get(16), clusters_of(place, large=False).get(16)) == (large or None, None)
    for rounding in (None, "tf32", "bf16"):
        tried = {d.cluster for d in best(Step(LSTM, False, 256, 64, clusters, rounding))}
        assert max(tried) == (16 if large else 8)
    assert clusters_of(NoPlace((108, 80))) == {1: 108}


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("rounding", ["tf32", "bf16"])
def test_divisions_for_tensor_cores_fit_the_registers(rounding, back):
    asked = Step(LSTM, back, 128, 64, at_once(132, 8), rounding)
    found = on_tensor_cores(asked)
    assert len(found) >= 4
    for d in found:
        taken = sum(share.registers for share in asked.shares(d)) + max(4 * share.tiles for share in asked.shares(d))
        assert taken + 64 <= min(255, 65536 // d.threads)
        assert (d.cluster - 1) * d.own < 128
    few = on_tensor_cores(replace(asked, units=9))
    assert {d.cluster for d in few} == {1, 2}  # of 4 blocks with 3 units each, one would have none
    assert list(best(asked)) == sorted(found, key=lambda d: floors.step(asked, d, floors.PREDICTED))


def test_constants_are_made_of_rows_and_floors_of_constants():
    texts = {
        "from parts of sums to h, LSTM": {256: 0.1e-6},
        "numbers put to all blocks, and a meeting": {1: 0.05e-6, 2: 0.2e-6, 8: 0.3e-6},
        "a node of a graph": {1: 1e-6},
    }
    rows = [Row(label, (of,), {"us": us}, "us") for label, by in texts.items() for of, us in by.items()]
    rows += [Row("multiply-adds of a block in a us, by rows", (n,), {"number": v}) for n, v in ((1, 1e5), (4, 2e5))]
    rows += [Row("clusters that run at once, by blocks", (n,), {"number": v}) for n, v in ((2, 60.0), (8, 16.0))]
    found = constants.constants_of(rows, 132)
    assert found.gates == pytest.approx(CONSTANTS.gates)
    assert found.exchange == pytest.approx(CONSTANTS.exchange)
    assert (found.products, found.at_once, found.processors) == (CONSTANTS.products, CONSTANTS.at_once, 132)
    assert constants.constants_of(rows[1:], 132) is None
    told = constants.floors(found)
    assert told[64, 100, 256].endswith("(0.89)")
    assert any(note.startswith("64 100 256: ") for note in constants.notes(rows, plan()))
    assert "not every constant was measured" in constants.notes(rows[1:], plan())[0]
