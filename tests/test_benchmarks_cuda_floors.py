"""Floors, constants and divisions of the benchmarks on a GPU: what is made of numbers, whoever measured them."""

from dataclasses import replace

import pytest
from gpu_benchmark_cases import plan, row

from benchmarks import table
from benchmarks.gpu import constants, divisions, floors
from benchmarks.gpu.candidates import admissible, best
from benchmarks.gpu.plan import SHAPES
from benchmarks.gpu.runner import Absent
from benchmarks.results import Row
from rnnkit import cells
from rnnkit_kernels.cuda_gpu.choice import choose
from rnnkit_kernels.cuda_gpu.emit.division import Division

LSTM = cells.LSTM()


CONSTANTS = floors.Constants(0.1, 0.05, {2: 0.2, 8: 0.3}, 1.0, {1: 1e5, 4: 2e5}, {2: 60, 8: 16}, 132)


def test_a_step_waits_for_gates_meetings_and_the_products_of_one_block():
    alone, many = Division(64, 4, 1, 1), Division(256, 8, 8, 4)
    assert floors.step(4, alone, 1, CONSTANTS) == pytest.approx(0.15 + 4 * 64 * 64 / 1e5)
    assert floors.step(4, many, 64, CONSTANTS, meetings=2) == pytest.approx(0.1 + 0.6 + 4 * 32 * 256 * 4 / 2e5)
    assert floors.waves(many, 64, CONSTANTS) == 1
    assert floors.waves(many, 65, CONSTANTS) == 2
    assert floors.step(4, Division(64, 4, 4, 1), 1, CONSTANTS) == float("inf")


def test_a_floor_is_that_of_the_fastest_division_or_of_levels():
    slow = replace(CONSTANTS, node=1e-3)
    apart = 1e-3 + 0.1 + 4 * 64 * 64 * 8 / (132 * 2e5)
    assert floors.floor(4, 64, 8, [Division(64, 4, 1, 1)], slow) == pytest.approx(apart)
    assert floors.floor(4, 64, 8, [Division(64, 4, 1, 1)], CONSTANTS) == pytest.approx(0.15 + 4 * 64 * 64 / 1e5)
    assert floors.floor(4, 64, 8, [], CONSTANTS) > 1


def test_every_prediction_of_the_design_is_beside_a_shape_that_is_measured():
    assert {(B, T, H) for B, T, _, H in SHAPES} == {*floors.PAGE, (64, 100, 160)}


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_what_is_chosen_is_among_the_divisions_that_are_tried(shape, back):
    B, _, _, H = shape
    chosen = choose(LSTM, back, H, B, 4, 132, 90)
    if chosen is None:
        with pytest.raises(Absent, match="fit into no cluster's registers"):
            best(LSTM, back, H, B)
    else:
        assert chosen in best(LSTM, back, H, B)


def test_divisions_fit_the_registers_and_leave_no_block_without_units():
    found = admissible(4, 96, 4)
    assert found
    for d in found:
        assert d.pieces(96) * 4 * 4 + 64 <= min(255, 65536 // d.threads)
        assert (d.cluster - 1) * d.own < 96
        assert d.rows <= 4
    assert all(d.cluster == 1 for d in admissible(4, 96, 4, clusters=False))
    assert {d.cluster for d in admissible(4, 9, 4)} == {1, 2}  # of 4 blocks with 3 units each, one would have none


def test_the_constants_of_the_choice_are_fitted_to_the_times():
    names = [(s, c, r) for s, c, r in ((4, 1, 1), (8, 1, 2), (8, 2, 1), (8, 4, 2), (8, 8, 4))]
    rows = []
    for H in (64, 128):
        times = {}
        for s, c, r in names:
            again = -(-8 // (132 // c * r))
            times[f"s{s} c{c} r{r}"] = again * ((0.1 if c == 1 else 0.4) + 4 * H * H * r / c / 1e5)
        times |= {"levels": 1.5 + 4 * H * H * 8 / 1e7, "TF32 levels": 2.5 + 4 * H * H * 8 / 4e7}
        times |= {"bf16 levels": 2.5 + 4 * H * H * 8 / 8e7}
        rows.append(row("LSTM", (8, 10, 4, H), steps=10, values={k: 10 * v / 1e6 for k, v in times.items()}))
    whole, apart, rounded, pairs = divisions.fitted(rows, 132)
    assert "_MEETING = 0.100, _CLUSTER_MEETING = 0.400, _OF_A_BLOCK = 1e+05, and be off by at most 0%" in whole
    assert "_LAUNCH = 1.500, _PRODUCTS = 1e+07" in apart
    assert "_LAUNCH = 2.500, _TENSOR of TF32 levels = 4e+07" in rounded
    assert "_LAUNCH = 2.500, _TENSOR of bf16 levels = 8e+07" in pairs
    few = [row("LSTM", (8, 10, 4, 64), steps=10, values={"levels": 1e-5, "s4 c1 r1": 2e-5})]
    assert divisions.fitted(few, 132) == []


def test_the_sweep_tells_the_best_beside_what_is_chosen():
    times = {"levels": 4e-4, "s4 c2 r1": 1e-4, "s8 c8 r4": 3e-4, "bf16 levels": 5e-5}
    found = row("LSTM back", values=times, reference="s8 c8 r4")
    line = table.line(divisions.columns(plan()), found)
    assert line.split()[3:] == ["s4", "c2", "r1", "1.000", "s8", "c8", "r4", "3.000", "3.00", "4.000", "4"]
    notes = divisions.notes([found], plan())
    assert any("more than 1.1 times the best: LSTM back (64, 100, 128, 128)" in note for note in notes)


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
