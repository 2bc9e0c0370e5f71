"""What the benchmarks say: tables, saved results, the README's section, the command line."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
from benchmark_cases import SHORT, groups, plan, row

from benchmarks import contenders, machine, readme, report, table
from benchmarks.arguments import CELL_NAMES, GROUPS, parse
from benchmarks.plan import Plan
from benchmarks.results import BUSY, FILE, Row, load, save
from rnnkit.cli import main

ROOT = Path(__file__).parent.parent


# Tables


@pytest.mark.parametrize("name", GROUPS)
def test_no_table_is_wider_than_a_hundred_columns(name):
    columns = import_module(f"benchmarks.{name}").columns(plan())
    names = ("rnnkit", "NumPy", "PyTorch", "Keras", "JAX", "ONNX", "option", "plain", "loop", "import", "cold", "warm")
    long = Row("a" * 40, (12345,) * 6, dict.fromkeys(names, 123.456), origin="b" * 40, share=9.99, limit=1.06, others=9)
    assert len(table.head(columns)) <= 100
    assert len(table.line(columns, long)) <= 100
    slow = replace(long, values=dict.fromkeys(names, 1.0) | {"PyTorch": 1e15, "option": 1e15})
    assert len(table.line(columns, slow)) <= 100
    assert all(len(line) <= 100 for line in table.failures(replace(long, failed={"JAX": "wrong " * 60})))


@pytest.mark.parametrize(
    ("ms", "text"), [(0.0123, "0.012"), (123.4567, "123.457"), (123456.7, "123456.7"), (1e9, "1e+09")]
)
def test_a_number_is_rounded_to_its_column_and_never_cut_off(ms, text):
    column = table.milliseconds("rnnkit")
    assert column.text(row(ours=ms / 1e3)) == text


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
        groups(
            recurrent=[peer],
            options=[option],
            start=[start],
            memory=[row()],
            training=[row("a model", (8, 3), others=1.0)],
        )
    )
    assert "| a model, (8, 3), with Adam | 500 | 1000 | 2.00* |" in text
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


def test_threads_are_those_of_every_package_whatever_the_environment_said():
    code = """if True:
        from benchmarks import machine
        machine.hold_threads(1)
        import os, numpy, threadpoolctl
        names = ("RNNKIT", "NUMBA", "OMP", "OPENBLAS", "MKL")
        assert [os.environ[f"{name}_NUM_THREADS"] for name in names] == ["1"] * 5
        assert all(pool["num_threads"] == 1 for pool in threadpoolctl.threadpool_info())
        assert machine.cores() == 1 or not hasattr(os, "sched_setaffinity")
    """
    environment = machine.child_environment(OPENBLAS_NUM_THREADS="7", OMP_NUM_THREADS="7")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr


def test_a_process_runs_a_group_and_needs_no_other_package():
    command = [sys.executable, "-m", "benchmarks", "streaming", "--quick", "--with", "NumPy", "--cell", "lstm"]
    environment = machine.child_environment()
    done = subprocess.run([*command, "--threads", "1"], capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr
    assert "threads: 1" in done.stdout
    assert "LSTM      3,5            textbook" in done.stdout
    assert "saved" not in done.stdout


def test_a_group_or_contender_or_shape_that_does_not_exist_is_refused(capsys):
    for wrong in (["kernels"], ["--with", "Theano"], ["--shape", "1,2,x"], ["--threads", "0"], ["--with", "JAX"]):
        with pytest.raises(SystemExit):
            parse(wrong)
    said = capsys.readouterr().err
    assert "there is no group 'kernels'; the groups are recurrent" in said
    assert "there is no Theano among rnnkit, NumPy, PyTorch" in said
    assert "--with names rnnkit or NumPy" in said


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
