"""The benchmarks' method: what is wrong is not timed, contenders take turns, a ratio says what was measured."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from benchmarks import contenders, machine, readme, table
from benchmarks.arguments import CELL_NAMES, GROUPS, parse
from benchmarks.contenders import ours
from benchmarks.measure import measured, validated
from benchmarks.plan import Plan
from benchmarks.results import BUSY, FILE, Group, Row, load, mean_ratio, save
from benchmarks.timing import Effort, alternate, geometric_mean, medians
from benchmarks.validation import compare, tolerance
from benchmarks.workload import CELLS, Runner, Workload
from rnnkit import layers
from rnnkit.cli import main
from rnnkit.context import Context

ROOT = Path(__file__).parent.parent
SHORT = Effort(block=1e-4, blocks=1, rest=0)


class Clock:
    """Time passes in calls and rests alone."""

    def __init__(self):
        self.now, self.log = 0.0, []

    def call(self, name, seconds):
        def function():
            self.now += seconds
            self.log.append(name)

        return function

    def sleep(self, seconds):
        self.now += seconds
        self.log.append("rest")

    def __call__(self):
        return self.now


def work(cell="LSTM", shape=(3, 6, 2, 4), **options):
    return Workload(cell, shape, **options)


def plan(names=("rnnkit", "NumPy", "PyTorch", "Keras", "JAX", "ONNX"), **options):
    known = {name: contenders.Contender(name, lambda w: ours.runner(w, "numpy")) for name in names}
    return Plan(2, known, effort=SHORT, quick=True, speeds={"sgemm": 1e11}, **options)


def row(label="LSTM", shape=(1, 50, 1, 20), ours=0.5, theirs=1.0, **options):
    return Row(label, shape, {"rnnkit": ours, "PyTorch": theirs}, **options)


def groups(**rows):
    about = {"cpu": "a processor", "threads": 2, "versions": {"torch": "2.13"}, "date": "2030-01-02"}
    return {name: Group(about, tuple(found)) for name, found in rows.items()}


# Turns and times


def test_contenders_take_turns_and_rest_between_blocks():
    clock = Clock()
    functions = {"A": clock.call("A", 1.0), "B": clock.call("B", 2.0)}
    alternate(functions, Effort(block=2.0, blocks=2, rest=0.5), clock, clock.sleep)
    warm = ["A", "A", "B", "B"]
    assert clock.log == warm + ["rest", "A", "A", "rest", "B"] * 2


def test_a_block_counts_its_calls_and_not_the_rest_before_it():
    clock = Clock()
    functions = {"A": clock.call("A", 0.125), "B": clock.call("B", 3.0)}
    found = alternate(functions, Effort(block=1.0, blocks=3, rest=5.0), clock, clock.sleep)
    assert found == {"A": [0.125] * 3, "B": [3.0] * 3}


def test_short_calls_are_not_asked_for_the_time_after_each():
    clock, looks = Clock(), []
    alternate({"A": clock.call("A", 1e-6)}, Effort(0.01, 1, 0), lambda: looks.append(1) or clock.now, clock.sleep)
    assert len(clock.log) > 100 * len(looks)


def test_the_median_block_counts():
    assert medians({"A": [1.0, 9.0, 2.0]}) == {"A": 2.0}


def test_a_ratio_is_the_time_of_the_reference_over_the_contenders():
    found = row(ours=0.25, theirs=1.0)
    assert found.ratio() == 4
    assert replace(found, reference="rnnkit").ratio("PyTorch") == 0.25
    assert found.ratio("JAX") is None
    assert found.per(5).values == {"rnnkit": 0.05, "PyTorch": 0.2}
    assert found.per(5).ratio() == pytest.approx(4)


def test_a_mean_of_ratios_is_geometric_and_leaves_out_rows_that_others_disturbed():
    rows = [row(ours=0.25), row(ours=4.0), row(ours=1e-6, others=2 * BUSY), Row("LSTM", failed={"rnnkit": "wrong"})]
    assert mean_ratio(rows) == pytest.approx(1.0)
    assert geometric_mean([2, 8]) == pytest.approx(4)
    assert np.isnan(mean_ratio(rows[3:]))


def test_a_disturbed_row_is_measured_again_and_the_quietest_try_kept(monkeypatch):
    taken = iter([1.0, 0.5, 0.9])
    monkeypatch.setattr("benchmarks.measure.Others.cores", lambda self: next(taken))
    runner = Runner(lambda: None, lambda result: {})
    found = measured(
        "case", (), {"rnnkit": runner}, lambda: validated({"rnnkit": runner}, {}, 1), replace(SHORT, tries=3)
    )
    assert found.others == 0.5
    assert found.busy
    assert next(taken, None) is None


# Validation


@pytest.mark.parametrize("cell", CELLS)
def test_float32_is_well_within_the_tolerance(cell):
    case = work(cell, (4, 60, 3, 8))
    runner = ours.runner(case, "numpy")
    verdict = compare(runner.arrays(runner.run()), case.expected, case.tolerance)
    assert verdict.ok
    assert set(case.expected) == {"y", "dx", *case.params}


@pytest.mark.parametrize("name", ["y", "dx", "W", "U", "b", "b_h"])
def test_one_wrong_element_of_any_result_is_found(name):
    case = work("GRU")
    right = ours.runner(case, "numpy")

    def broken(found):
        arrays = {k: np.array(a) for k, a in right.arrays(found).items()}
        arrays[name].flat[1] += 0.01 * np.abs(arrays[name]).max()
        return arrays

    verdicts, failed = validated({"rnnkit": Runner(right.run, broken)}, case.expected, case.tolerance)
    assert not verdicts
    assert failed["rnnkit"].startswith(f"{name} is off by 1.0e-02 of its largest element")


def test_a_gradient_that_forgets_the_last_of_many_steps_is_found():
    case = work("SimpleRNN", (1, 200, 2, 3))
    y, back = case.layer(case.params, case.x, Context("numpy"))
    dy = case.dy.copy()
    dy[:, -1] = 0
    dparams, dx = back(dy)
    assert not compare({"y": y, "dx": dx, **dparams}, case.expected, case.tolerance).ok


@pytest.mark.parametrize(
    "found", [{}, {"y": np.ones(3)}, {"y": np.array([1, np.nan])}, {"y": np.array([np.inf, 1])}], ids=str
)
def test_what_is_missing_or_of_another_shape_or_not_finite_is_wrong(found):
    verdict = compare(found, {"y": np.ones(2)}, 1.0)
    assert not verdict.ok
    assert verdict.name == "y"


def test_a_tolerance_grows_with_the_root_of_what_is_added_and_shrinks_with_the_dtype():
    base = tolerance("float32", terms=100, steps=1, rows=100)
    assert base == pytest.approx(2 * 2**-23 * (10 + 5 + 10))
    assert tolerance("float64", 100, 1, 100) == pytest.approx(base * 2**-29)
    assert tolerance("float32", 100, 4, 100) == pytest.approx(2 * 2**-23 * (2 * 15 + 10))


def test_what_is_wrong_is_called_once_and_not_timed_and_the_others_are():
    calls = []
    case = work()
    right = ours.runner(case, "numpy")
    liar = Runner(lambda: calls.append(1), lambda _: {"y": 0})

    def raising():
        raise OSError("no such kernel")

    made = {"rnnkit": liar, "PyTorch": right, "JAX": Runner(raising, lambda _: {})}
    found = measured("LSTM", case.shape, made, lambda: validated(made, case.expected, case.tolerance), SHORT)
    assert calls == [1]
    assert set(found.values) == {"PyTorch"}
    assert set(found.failed) == {"rnnkit", "JAX"}
    assert "OSError: no such kernel" in found.failed["JAX"]
    assert found.ratio() is None
    columns = import_module("benchmarks.recurrent").columns(plan())
    assert table.line(columns, found).count("FAILED") == 3  # our time, our ratio, JAX's ratio


def test_a_run_with_a_wrong_row_does_not_end_well(monkeypatch, capsys):
    wrong = contenders.Contender("rnnkit", lambda w: Runner(lambda: 0, lambda _: {"y": 0}))
    monkeypatch.setattr("benchmarks.plan.sgemm_peak", lambda size, effort: 1e11)
    monkeypatch.setattr("benchmarks.report.load", lambda names, threads: ({"rnnkit": wrong}, {}))
    from benchmarks import report

    options = parse(["inference", "--quick", "--cell", "gru", "--threads", "1"])
    assert report.run({"inference": import_module("benchmarks.inference")}, options) == 1
    assert "rnnkit FAILED: y is off by inf" in capsys.readouterr().out


# Workloads


@pytest.mark.parametrize("option", ["mask", "state", "dropout", "vanishing"])
def test_an_option_changes_the_right_answer_and_float32_follows(option):
    def make(units):
        return layers.LSTM(units, return_sequences=True, recurrent_dropout=0.4)

    plain, case = work(make=make), work(make=make, options=(option,))
    runner = ours.runner(case, "numpy")
    assert not compare(plain.expected, case.expected, 1e-3).ok
    assert compare(runner.arrays(runner.run()), case.expected, case.tolerance).ok


def test_weights_are_new_arrays_at_every_call_as_after_an_optimizers_step(monkeypatch):
    seen, forward = [], Workload.forward
    monkeypatch.setattr(
        Workload, "forward", lambda self, params, *rest: seen.append(params) or forward(self, params, *rest)
    )
    run = ours.runner(work("GRU"), "numpy").run
    run()
    run()
    assert set(seen[0]) == {"W", "U", "b", "b_h"}
    for name, w in seen[0].items():
        assert seen[1][name] is not w
        np.testing.assert_array_equal(seen[1][name], w)


def test_the_flops_of_a_row_are_those_of_its_products():
    assert work("GRU", (2, 3, 5, 7), backward=False).flops == 2 * 2 * 3 * (5 + 7) * 3 * 7
    assert work("LSTM", (2, 3, 5, 7)).flops == 3 * 2 * 2 * 3 * (5 + 7) * 4 * 7


# Tables


@pytest.mark.parametrize("name", GROUPS)
def test_no_table_is_wider_than_a_hundred_columns(name):
    columns = import_module(f"benchmarks.{name}").columns(plan())
    names = ("rnnkit", "NumPy", "PyTorch", "Keras", "JAX", "ONNX", "option", "plain", "loop", "import", "cold", "warm")
    long = Row("a" * 40, (12345,) * 6, dict.fromkeys(names, 123.456), origin="b" * 40, share=9.99, limit=1.06, others=9)
    assert len(table.head(columns)) <= 100
    assert len(table.line(columns, long)) <= 100
    slow = replace(long, values=dict.fromkeys(names, 1.0) | {"PyTorch": 123456.0})
    assert len(table.line(columns, slow)) <= 100
    assert all(len(line) <= 100 for line in table.failures(replace(long, failed={"JAX": "wrong " * 60})))


def test_a_disturbed_row_bears_a_star():
    columns = import_module("benchmarks.recurrent").columns(plan())
    assert table.line(columns, row(others=2 * BUSY)).endswith("*")
    assert not table.line(columns, row(others=BUSY / 2)).endswith("*")


def test_a_package_that_is_not_there_is_named_below_the_table(monkeypatch, capsys):
    monkeypatch.setattr(contenders, "find_spec", lambda name: None)
    found, missing = contenders.load(["NumPy", "PyTorch", "ONNX"], 1)
    assert list(found) == ["NumPy"]
    assert (
        "ONNX is not in the table: onnx and onnxruntime not installed (pip install 'rnnkit[peers]')" in missing["ONNX"]
    )

    from benchmarks import report

    short = Plan(1, found, missing, SHORT, quick=True, cells=("SimpleRNN",), speeds={"sgemm": 1e11})
    rows, notes = report.run_group("inference", import_module("benchmarks.inference"), short)
    assert all(not line.failed for line in rows)
    assert set(missing.values()) <= set(notes)
    assert "PyTorch is not in the table" in capsys.readouterr().out


# Results


def test_results_come_back_from_their_file_and_groups_not_measured_again_stay(tmp_path):
    file = tmp_path / "deep" / "results.json"
    first = groups(
        recurrent=[row(share=0.5, error=0.1, origin="numba", failed={"JAX": "why"}, others=0.1)], start=[row()]
    )
    save(first, file)
    assert load(file) == first
    second = groups(start=[row(ours=0.1)])
    save(second, file)
    assert load(file) == {"recurrent": first["recurrent"], "start": second["start"]}
    json.loads(file.read_text())


def test_only_a_run_that_nothing_limits_is_saved_by_itself():
    assert parse([]).save == FILE
    assert parse(["recurrent", "--tries", "3"]).save == FILE
    for limit in (["--quick"], ["--cell", "LSTM"], ["--shape", "1,2,3,4"], ["--with", "rnnkit"], ["--threads", "1"]):
        assert parse(limit).save is None
    assert parse(["--quick", "--save", "here.json"]).save == Path("here.json")


# The README's section


def test_the_section_has_the_ratio_of_every_shape_and_cell_and_their_means():
    rows = [
        row(cell, shape, ours=1 / (2 + k))
        for k, cell in enumerate(CELL_NAMES)
        for shape in ((1, 2, 3, 4), (5, 6, 7, 8))
    ]
    rows[1] = replace(rows[1], values={"PyTorch": 1.0}, failed={"rnnkit": "wrong"})
    rows[3] = replace(rows[3], others=1.0)
    text = readme.section(groups(recurrent=rows, inference=rows[:1]), "pictures/speed.png")
    lines = text.splitlines()
    assert "| 1, 2, 3, 4 | 2.00 | 3.00 | 4.00 | 2.00 | - | - |" in lines
    assert "| 5, 6, 7, 8 | failed | 3.00* | 4.00 | - | - | - |" in lines
    assert "| **geometric mean** | **2.00** | **3.00** | **4.00** | **2.00** | **-** | **-** |" in lines
    assert "A star: other processes" in " ".join(lines)
    assert "2 threads for everybody on a processor" in text
    assert "](pictures/speed.png)" in text


def test_the_section_tells_times_costs_and_other_contenders():
    option = Row("mask", (1, 2, 3, 4), {"option": 1.05, "plain": 1.0, "loop": 10.5}, reference="plain")
    peer = replace(row(), values={"rnnkit": 0.5, "PyTorch": 1.0, "JAX": 2.0})
    start = Row("LSTM", (1, 2, 3, 4), {"cold": 5.25, "warm": 0.5, "import": 0.3})
    text = readme.section(
        groups(recurrent=[peer], options=[option], start=[start], memory=[row()], training=[row("a model", (8, 3))])
    )
    assert "| a model, (8, 3), with Adam | 500 | 1000 | 2.00 |" in text
    assert "| mask | 1.05 | a loop over the steps takes 10.0 times as long |" in text
    assert "Others, forward + backward, geometric means of the ratio to PyTorch: JAX LSTM 0.50." in text
    assert "LSTM, imports included: 5.2 s from an empty cache, 0.50 s from then on" in text
    assert "is between 2.00 and 2.00 times rnnkit's" in text


def test_only_what_stands_between_the_two_comments_is_replaced():
    text = f"before\n{readme.BEGIN}\nold\n{readme.END}\nafter\n"
    new = readme.placed(text, "new")
    assert new == f"before\n{readme.BEGIN}\nnew\n{readme.END}\nafter\n"
    assert readme.placed(new, "new") == new
    with pytest.raises(ValueError, match="are needed, in this order"):
        readme.placed("no comments", "new")


def test_the_readme_has_the_two_comments():
    text = (ROOT / "README.md").read_text()
    assert "old" not in readme.placed(text, "new").partition(readme.BEGIN)[2].partition(readme.END)[0]


def test_one_command_renews_section_and_picture_and_says_what_is_missing(tmp_path, capsys):
    pytest.importorskip("matplotlib", reason="needs the extra plot")
    file, page = tmp_path / "results.json", tmp_path / "README.md"
    assert readme.renew(page, file) == 2
    assert "run python -m benchmarks first" in capsys.readouterr().err
    scaled = [row("B", (b, 3, 4, 5), ours=b) for b in (1, 2)] + [row(f"threads {n}") for n in (1, 2)]
    save(groups(recurrent=[row()], inference=[row("GRU", ours=2.0)], scaling=scaled), file)
    page.write_text("no comments")
    assert readme.renew(page, file) == 2
    page.write_text(f"{readme.BEGIN}{readme.END}")
    assert readme.renew(page, file) == 0
    assert "| 1, 50, 1, 20 | 2.00 | - | - | - | 0.50 | - |" in page.read_text()
    assert (tmp_path / "speed.png").read_bytes()[:4] == b"\x89PNG"


# Threads and the command line


def test_threads_are_not_set_once_numpy_is_loaded():
    with pytest.raises(RuntimeError, match="before NumPy is loaded"):
        machine.hold_threads(1)


def test_a_process_holds_its_threads_runs_a_group_and_needs_no_other_package():
    command = [sys.executable, "-m", "benchmarks", "inference", "--quick", "--with", "NumPy", "--cell", "lstm"]
    environment = machine.child_environment(OPENBLAS_NUM_THREADS="7")
    done = subprocess.run([*command, "--threads", "1"], capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr
    assert "threads: 1" in done.stdout
    assert "LSTM      3,7,5,9        textbook" in done.stdout
    assert "saved" not in done.stdout


def test_a_group_or_contender_or_shape_that_does_not_exist_is_refused(capsys):
    for wrong in (["kernels"], ["--with", "Theano"], ["--shape", "1,2,x"], ["--threads", "0"]):
        with pytest.raises(SystemExit):
            parse(wrong)
    said = capsys.readouterr().err
    assert "there is no group 'kernels'; the groups are recurrent" in said
    assert "there is no Theano among rnnkit, NumPy, PyTorch" in said


def test_bench_hands_everything_on_to_a_process_of_its_own(monkeypatch):
    seen = {}

    def run(command, env, check):
        seen.update(command=command, path=env["PYTHONPATH"])
        return subprocess.CompletedProcess(command, -15)

    monkeypatch.setattr("rnnkit.commands.bench.subprocess.run", run)
    assert main(["bench", "--quick", "recurrent", "--help"]) == 143
    assert seen["command"][1:] == ["-m", "benchmarks", "--quick", "recurrent", "--help"]
    assert seen["path"].split(os.pathsep)[0] == str(ROOT)


def test_bench_without_a_checkout_says_where_to_get_it(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("rnnkit.commands.bench.__file__", str(tmp_path / "rnnkit" / "commands" / "bench.py"))
    monkeypatch.setattr("rnnkit.commands.bench.find_spec", lambda name: None)
    assert main(["bench"]) == 2
    assert "take a checkout of its repository" in capsys.readouterr().err
