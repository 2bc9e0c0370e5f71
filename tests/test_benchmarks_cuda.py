"""The benchmarks on a GPU, with a device whose time passes in calls alone: turns, validation, tables and files."""

import json
from importlib import import_module

import pytest
from gpu_benchmark_cases import FakeDevice, answers, plan, right, row

from benchmarks import table
from benchmarks.arguments import GPU_GROUPS
from benchmarks.gpu import recurrent, report, timing
from benchmarks.gpu.rows import GpuRow, measured
from benchmarks.gpu.runner import Absent, GpuRunner
from benchmarks.results import Group, Row, load, save
from benchmarks.timing import Effort

# Turns and times


def test_contenders_take_turns_and_a_block_lasts_as_long_as_was_asked_for():
    device = FakeDevice()
    runners = {
        name: GpuRunner(device.passes(name, seconds), dict, before=lambda name=name: device.log.append(f"set {name}"))
        for name, seconds in (("A", 1.0), ("B", 8.0))
    }
    times = timing.alternate(runners, Effort(block=4.0, blocks=2), device)
    warm = ["set A", "A", "A", "A", "set B", "B", "B", "B"]
    assert device.log == warm + ["set A", "A", "A", "A", "A", "set B", "B"] * 2
    assert times["A"].device == [1.0, 1.0]
    assert times["B"].host == [2.0, 2.0]


def test_the_median_block_counts_on_the_device_and_on_the_host():
    times = timing.Times([1.0, 9.0, 2.0], [0.3, 0.1, 0.2])
    assert (times.median, times.asked) == (2.0, 0.2)


def test_a_full_run_takes_more_than_twenty_blocks_of_each_contender():
    assert timing.FULL.blocks > 20


def test_no_row_is_begun_once_the_time_is_up_and_those_left_out_are_told():
    clock = iter([0.0, 1.0, 3.0, 4.0])
    short = plan(ends=2.0, now=lambda: next(clock))
    assert list(short.in_time("abcd", lambda name: f"row {name}")) == ["a", "b"]
    assert short.late_notes() == ["the time was up before 2 of the rows: row c, row d"]
    assert short.late_notes() == []


# Validation


def test_what_is_wrong_is_not_timed_and_what_is_right_is():
    device = FakeDevice()
    makers = {"rnnkit": answers(device, "rnnkit", y=1.1), "PyTorch": answers(device, "PyTorch", 2.0)}
    found = measured("LSTM", (1, 4, 1, 2), makers, right, plan(device))
    assert found.values == {"PyTorch": 2.0}
    assert found.failed["rnnkit"].startswith("y is off by 1.0e-01 of its largest element")
    assert device.log.count("rnnkit") == 1
    assert found.host == {"PyTorch": 0.5}


def test_a_peer_that_cannot_take_part_is_left_out_with_the_reason_and_rnnkit_that_raises_has_failed():
    device = FakeDevice()

    def raising(error):
        def make():
            raise error

        return make

    makers = {
        "rnnkit": answers(device, "rnnkit"),
        "rnnkit levels": raising(RuntimeError("a launch was refused")),
        "rnnkit persistent": raising(Absent("that is what was chosen")),
        "PyTorch graph": raising(RuntimeError("it cannot be recorded")),
        "loop compiled": raising(ImportError("there is no Triton")),
    }
    found = measured("LSTM", (1, 4, 1, 2), makers, right, plan(device))
    assert set(found.values) == {"rnnkit"}
    assert found.failed == {"rnnkit levels": "RuntimeError: a launch was refused"}
    assert found.left_out["rnnkit persistent"] == "that is what was chosen"
    assert found.left_out["PyTorch graph"] == "RuntimeError: it cannot be recorded"
    assert "Triton" in found.left_out["loop compiled"]
    told = recurrent.left_out([found, found])
    assert "PyTorch graph takes no part in 2 of 2 rows: RuntimeError: it cannot be recorded" in told


def test_what_repeats_the_launches_of_a_wrong_contender_is_not_timed():
    device = FakeDevice()
    makers = {"rnnkit": answers(device, "rnnkit", y=3.0), "rnnkit alone": answers(device, "alone", repeats="rnnkit")}
    found = measured("LSTM", (1, 4, 1, 2), makers, right, plan(device))
    assert not found.values
    assert "which is not right" in found.left_out["rnnkit alone"]
    makers["rnnkit"] = answers(device, "rnnkit")
    assert set(measured("LSTM", (1, 4, 1, 2), makers, right, plan(device)).values) == {"rnnkit", "rnnkit alone"}


def test_a_call_that_raises_only_when_it_is_timed_fails_its_row_and_not_the_run():
    device = FakeDevice()

    def out_of_memory():
        raise MemoryError("no more")

    makers = {"rnnkit": lambda: GpuRunner(out_of_memory, lambda _: right(), checked=dict, tolerance=1e-6)}
    found = measured("LSTM", (1, 4, 1, 2), makers, right, plan(device))
    assert found.failed == {"rnnkit": "a call of rnnkit raised while it was timed: MemoryError: no more"}
    assert not found.values


def test_old_results_are_wiped_out_before_each_contender_is_validated():
    device = FakeDevice()
    makers = {name: answers(device, name) for name in ("rnnkit", "rnnkit levels")}
    measured("LSTM", (2, 4, 1, 8), makers, right, plan(device))
    wiped = [k for k, entry in enumerate(device.log) if isinstance(entry, tuple) and entry[0] == "fresh"]
    assert len(wiped) == 2
    assert all(device.log[k][1] > 4 * 2 * 4 * 8 for k in wiped)
    assert wiped[0] < device.log.index("rnnkit") < wiped[1] < device.log.index("rnnkit levels")


def test_a_row_says_which_kernel_ran_and_how_long_a_step_takes():
    device = FakeDevice()
    makers = {"rnnkit": answers(device, "rnnkit", 4e-6, kernel=lambda: "all c4")}
    found = measured("LSTM", (1, 4, 1, 2), makers, right, plan(device), page=0.4)
    assert (found.origin, found.kernels) == ("all c4", {"rnnkit": "all c4"})
    assert found.step() == pytest.approx(1.0)
    assert found.error == 0.0
    assert found.page == 0.4


def test_above_one_rnnkit_is_faster():
    assert row().over("PyTorch") == pytest.approx(4)
    assert row().over("PyTorch fp16") is None


# Tables and files


@pytest.mark.parametrize("name", GPU_GROUPS)
def test_no_table_of_a_gpu_is_wider_than_a_hundred_columns(name):
    columns = import_module(f"benchmarks.gpu.{name}").columns(plan())
    names = ("rnnkit", "rnnkit alone", "PyTorch", "PyTorch TF32", "PyTorch fp16", "PyTorch graph", "plain", "levels")
    names += ("loop", "loop compiled", "loop graph", "us", "number", "s32 c16 r32")
    for seconds in (123.456, 1e-6):
        long = row(
            "a" * 60, (128, 512, 1024, 1024), values=dict.fromkeys(names, seconds), origin="b" * 40, page=18.6,
            limit=1.5, reference="plain",
        )  # fmt: skip
        assert len(table.head(columns)) <= 100
        assert len(table.line(columns, long)) <= 100
    assert "FAILED" in table.line(columns, row(values={}, failed=dict.fromkeys(names, "why"))) or name == "divisions"


def test_the_table_has_a_sequence_a_step_the_prediction_and_the_ratios():
    line = table.line(recurrent.columns(plan()), row())
    assert line.split() == [
        "LSTM",
        "64,100,128,128",
        "all",
        "c2",
        "100.0",
        "1.00",
        "0.50",
        "0.45",
        "4.00",
        "-",
        "-",
        "3.00",
    ]


def test_numbers_of_ten_bits_are_compared_with_numbers_of_ten_bits():
    found = row(values={"rnnkit": 1.0, "PyTorch TF32": 0.5, "rnnkit TF32": 0.25})
    notes = recurrent.notes([found, row()], plan())
    assert "PyTorch's TF32 over rnnkit's TF32: LSTM (64, 100, 128, 128) 2.00" in notes


def test_rows_come_back_from_their_file_and_stand_beside_groups_not_measured_again(tmp_path):
    file = tmp_path / "cuda.json"
    first = {
        "recurrent": Group({"gpu": "a fake device"}, (row(host={"rnnkit": 1e-5}, kernels={"rnnkit": "k"}),), ("n",))
    }
    save(first, file, GpuRow)
    second = {"constants": Group({"gpu": "a fake device"}, (Row("a meeting", (1,), {"us": 1e-7}, "us"),))}
    save(second, file, GpuRow)
    found = load(file, GpuRow)
    assert found["recurrent"] == first["recurrent"]
    assert found["constants"].rows[0].values == {"us": 1e-7}
    entry = json.loads(file.read_text())["recurrent"]["rows"][0]
    assert {"label", "shape", "values", "failed", "left_out", "kernels", "host", "origin", "page", "floor"} <= set(
        entry
    )


def test_the_markdown_has_every_contender_of_every_row_and_what_failed():
    rows = (row(host={"rnnkit": 2e-5}, floor=0.5), row("GRU", values={"PyTorch": 1e-3}, failed={"rnnkit": "y is\noff"}))
    text = report.markdown({"recurrent": Group({"gpu": "a GPU", "date": "2030-01-02"}, rows, ("a note",))})
    assert "## recurrent\n\na GPU, 2030-01-02; times by device events" in text
    head = next(line for line in text.splitlines() if line.startswith("| case"))
    assert "| rnnkit, us | rnnkit alone, us | PyTorch, us | PyTorch graph, us |" in head
    assert "| LSTM | 64, 100, 128, 128 | all c2 | 0.45 | 0.5 | 100 | 50 | 400 | 300 | 1 | 20 | 0.5 | 4 | 3 |" in text
    assert "| GRU | 64, 100, 128, 128 | all c2 | 0.45 | - | failed | - | 1000 | - |" in text
    assert "- a note" in text
    assert "- GRU (64, 100, 128, 128), rnnkit failed: y is off" in text


def test_the_values_of_constants_and_divisions_have_their_own_names():
    rows = (row("LSTM", values={"levels": 4e-4, "s4 c2 r1": 1e-4}),)
    text = report.markdown(
        {"divisions": Group({}, rows), "constants": Group({}, (row("n", (1,), values={"number": 5.0}, steps=0),))}
    )
    assert "| LSTM | 64, 100, 128, 128 | s4 c2 r1 1, levels 4 |" in text
    assert "| n | 1 | number 5 |" in text


def test_tables_and_picture_stand_beside_the_rows(tmp_path):
    pytest.importorskip("matplotlib", reason="needs the extra plot")
    file = tmp_path / "cuda.json"
    save({"recurrent": Group({}, (row(values={"rnnkit": 1.0}),))}, file, GpuRow)
    assert report.write_beside(file) == [tmp_path / "cuda.md"]
    save({"recurrent": Group({}, (row(), row("GRU")))}, file, GpuRow)
    assert report.write_beside(file) == [tmp_path / "cuda.md", tmp_path / "cuda.png"]
    assert (tmp_path / "cuda.png").read_bytes()[:4] == b"\x89PNG"
