"""The sweep of divisions on a GPU: names, and the costs that times tell, whoever measured them."""

from dataclasses import fields, replace

import pytest
from gpu_benchmark_cases import FakeDevice, NoPlace, plan, row

from benchmarks import table
from benchmarks.gpu import divisions
from benchmarks.gpu.fitted import Told, fitted
from benchmarks.gpu.tried import Tried
from rnnkit import cells
from rnnkit_kernels.cuda_gpu.emit.division import Division
from rnnkit_kernels.cuda_gpu.emit.tensor_division import TensorDivision
from rnnkit_kernels.cuda_gpu.estimate import COSTS, Costs, Step, at_once

NAMES = {
    "levels": Tried(None),
    "tf32 levels": Tried(None, "tf32"),
    "bf16 levels": Tried(None, "bf16"),
    "s8 c2 r4": Tried(Division(64, 8, 2, 4)),
    "tf32 s16 c8": Tried(TensorDivision(64, 16, 8), "tf32"),
    "bf16 s16 c16": Tried(TensorDivision(64, 16, 16), "bf16"),
}
LARGE = 8


class _Place(NoPlace):
    def large_clusters(self):
        return LARGE


def _plan():
    return plan(FakeDevice(_Place()))


@pytest.mark.parametrize("name", list(NAMES))
def test_a_division_is_named_after_what_it_rounds_its_split_cluster_and_rows(name):
    assert NAMES[name].name == name
    assert Tried.read(name, 64) == NAMES[name]


def test_a_division_without_tensor_cores_rounds_nothing():
    assert Tried.make(Division(64, 8, 2, 4), "bf16") == NAMES["s8 c2 r4"]
    assert Tried.make(TensorDivision(64, 16, 8), "tf32") == NAMES["tf32 s16 c8"]
    assert Tried.make(None, "tf32") == NAMES["tf32 levels"]


TRUE = Costs(0.2, 0.5, 0.15, 5.0, 0.02, 2.5, 0.3, 0.04, 0.01)


def _rows(costs, cell="LSTM", names=("s4 c1 r1", "s8 c1 r2", "s8 c2 r1", "s8 c8 r4", *NAMES)):
    found = []
    for H in (64, 128):
        for back in (False, True):
            times = {}
            for name in names:
                tried = Tried.read(name, H)
                step = Step(getattr(cells, cell)(), back, H, 100, at_once(132, LARGE), tried.rounding)
                times[name] = 10 * step.time(tried.division, costs) / 1e6
            label = f"{cell}{' back' * back}"
            found.append(row(label, (100, 10, 4, H), steps=10, values=times, reference="levels"))
    return found


def test_the_sweep_tells_every_cost_of_the_estimate():
    rows = [*_rows(TRUE), *_rows(TRUE, "GRU")]
    notes = [note for note in divisions.notes(rows, _plan()) if note.startswith("cuda_gpu.estimate")]
    assert len(notes) == 2
    told = " ".join(notes)
    for entry in fields(Costs):
        new, now = getattr(TRUE, entry.name), getattr(COSTS, entry.name)
        assert f"{entry.name} = {new:.4g} (now {now:.4g})" in told
    assert "not told apart" not in told
    assert told.count("off by 0% in the mean") == 2


def test_costs_that_the_times_do_not_tell_stay_as_they_are():
    alone = fitted([Told("one", {"launch": 1}, 3.0), Told("two", {"launch": 2}, 9.0)])
    assert alone.startswith("cuda_gpu.estimate would describe 2 times best with launch = 3.462 (now 1.5); off by")
    assert alone.endswith("off by 20% in the mean, by -23% at two")
    together = [Told("one", {"launch": 1, "product": 1.0}, 3.0), Told("two", {"launch": 2, "product": 2.0}, 6.0)]
    assert "with launch = 2.894 (now 1.5); not told apart: product;" in fitted(together)
    assert fitted([]) is None
    assert fitted([Told("nothing", {"launch": 1}, 0.0)]) is None
    rows = _rows(TRUE, names=("tf32 s16 c8", "levels"))
    launch, tile = [note for note in divisions.notes(rows, _plan()) if note.startswith("cuda_gpu.estimate")]
    assert "not told apart" not in launch
    assert "product_tf32" not in launch
    assert "cluster_meeting = " in tile
    assert "block_product" not in tile


def test_a_cost_that_would_be_negative_stays_as_it_is():
    times = [Told(str(n), {"launch": 1, "product": n}, 5.0 - n) for n in (1, 2)]
    told = fitted(times)
    assert "not told apart: product;" in told
    assert "launch = " in told


def test_times_of_clusters_that_are_not_known_to_run_are_not_described():
    found = row("LSTM", (100, 10, 4, 64), steps=10, values={"bf16 s16 c16": 1e-5, "levels": 1e-5})
    assert [told.what for told in divisions.times_of(found, plan())] == ["LSTM 100,10,4,64 levels"]
    assert len(list(divisions.times_of(found, _plan()))) == 2


def test_the_sweep_tells_the_best_beside_what_is_chosen():
    times = {"levels": 4e-4, "s4 c2 r1": 1e-4, "s8 c8 r4": 3e-4, "bf16 levels": 5e-5}
    found = row("LSTM back", values=times, reference="s8 c8 r4")
    line = table.line(divisions.columns(plan()), found)
    assert line.split()[3:] == ["s4", "c2", "r1", "1.000", "s8", "c8", "r4", "3.000", "3.00", "4.000", "4"]


@pytest.mark.parametrize("rounding", [None, "tf32", "bf16"])
@pytest.mark.parametrize("strict", [False, True])
def test_it_is_told_where_the_choice_loses_strict_and_rounded(rounding, strict):
    step = Step(cells.LSTM(), True, 128, 64, at_once(132, LARGE))
    chosen = divisions._chosen(replace(step, rounding=rounding), _plan())
    better = Tried(None, rounding).name
    values = {chosen.name: 3e-4, better: 1e-4, "s4 c1 r1": 2e-4}
    if strict:  # what rounds nothing may be the best where something may be rounded
        values[better], values["s4 c1 r1"] = 2e-4, 1e-4
    found = row("LSTM back", (64, 100, 128, 128), values=values, reference=chosen.name)
    (lost,) = [note for note in divisions.notes([found], _plan()) if "more than 1.1 times the best" in note]
    told = f" {rounding}" if rounding else ""
    assert f"LSTM back (64, 100, 128, 128){told} 3.00" in lost
