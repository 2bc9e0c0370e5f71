"""The command line of the benchmarks on a GPU, and the whole session in one call."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from gpu_benchmark_cases import FakeDevice, NoPlace, row

from benchmarks import __main__ as command
from benchmarks import gpu_session
from benchmarks.arguments import parse
from benchmarks.gpu import recurrent, report, run
from benchmarks.gpu.rows import GpuRow
from benchmarks.gpu_session import Step
from benchmarks.results import Group, Row, load, save
from rnnkit_kernels.cuda_gpu.missing import NoDevice


def test_a_gpu_has_groups_of_its_own_and_a_limit_of_time(capsys):
    assert parse(["--backend", "cuda", "divisions", "--seconds", "20"]).seconds == 20
    assert parse(["--backend", "cuda"]).save == report.FILE
    assert parse(["--backend", "cuda", "--seconds", "20"]).save is None
    for wrong in (["--backend", "cuda", "training"], ["constants"], ["--backend", "cuda", "--with", "rnnkit"]):
        with pytest.raises(SystemExit):
            parse(wrong)
    with pytest.raises(SystemExit):
        parse(["--seconds", "20"])
    said = capsys.readouterr().err
    assert "there is no group 'training' on a GPU; the groups are recurrent, inference, options, constants" in said
    assert "there is no group 'constants'; the groups are recurrent" in said
    assert "say --backend cuda too" in said


def test_where_there_is_no_gpu_one_sentence_says_so_and_the_exit_code_is_one(capsys):
    def none():
        raise NoDevice("backend 'cuda' cannot run: there is no NVIDIA driver on this machine")

    assert run.main(parse(["--backend", "cuda", "--quick"]), none) == 1
    said = capsys.readouterr()
    assert said.err == "python -m benchmarks: backend 'cuda' cannot run: there is no NVIDIA driver on this machine\n"
    assert not said.out


def test_the_command_hands_over_to_the_gpu(monkeypatch):
    seen = []
    monkeypatch.setattr("benchmarks.machine.hold_threads", lambda count: None)
    monkeypatch.setattr("benchmarks.gpu.run.main", lambda options: seen.append(options.groups) or 7)
    assert command.main(["constants", "--backend", "cuda"]) == 7
    assert seen == [["constants"]]


def _module(rows):
    return SimpleNamespace(
        HELP="a group",
        columns=lambda plan: recurrent.columns(plan),
        rows=lambda plan: iter(rows),
        notes=lambda *_: ["n"],
    )


@pytest.mark.parametrize(("failed", "code"), [({}, 0), ({"rnnkit": "wrong"}, 1)])
def test_a_run_prints_saves_and_does_not_end_well_with_a_wrong_row(failed, code, tmp_path, monkeypatch, capsys):
    module = _module([row(failed=failed)])
    monkeypatch.setattr(run, "import_module", lambda name, package: module)
    monkeypatch.setattr(run, "kernels_of", lambda groups, plan: [{}])
    file = tmp_path / "cuda.json"
    options = parse(["--backend", "cuda", "recurrent", "--quick", "--save", str(file), "--threads", "1"])
    assert run.main(options, lambda: FakeDevice(NoPlace())) == code
    said = capsys.readouterr().out
    assert "a fake device" in said
    assert "1 of 1 texts compiled" in said
    assert "64,100,128,128" in said
    assert load(file, GpuRow)["recurrent"].environment["gpu"] == "a fake device"
    assert (tmp_path / "cuda.md").exists()


def test_a_run_that_is_ended_early_leaves_the_rows_that_it_has(tmp_path, monkeypatch):
    def rows():
        yield row("LSTM")
        yield row("GRU")
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "import_module", lambda name, package: _module(rows()))
    monkeypatch.setattr(run, "kernels_of", lambda groups, plan: [])
    file = tmp_path / "cuda.json"
    options = parse(["--backend", "cuda", "recurrent", "--quick", "--save", str(file), "--threads", "1"])
    with pytest.raises(KeyboardInterrupt):
        run.main(options, lambda: FakeDevice(NoPlace()))
    assert [found.label for found in load(file, GpuRow)["recurrent"].rows] == ["LSTM", "GRU"]


def test_floors_are_made_of_constants_that_were_saved_for_the_same_gpu(tmp_path):
    file = tmp_path / "cuda.json"
    rows = [Row("from parts of sums to h, LSTM", (256,), {"us": 1e-7}), Row("a node of a graph", (1,), {"us": 1e-6})]
    rows += [Row("numbers put to all blocks, and a meeting", (n,), {"us": 1e-7}) for n in (1, 2)]
    rows += [Row("multiply-adds of a block in a us, by rows", (1,), {"number": 1e5})]
    options = parse(["--backend", "cuda", "--save", str(file), "--threads", "1"])
    device = FakeDevice(NoPlace())
    for gpu, known in (("a fake device", True), ("another", False)):
        save({"constants": Group({"gpu": gpu}, tuple(rows))}, file, GpuRow)
        made = run.plan_of(options, device, device.described())
        assert (made.constants is not None) is known
    assert np.isfinite(made.ends)


# The session


def _steps(*codes, share=1.0):
    """Steps whose commands, modules of the standard library, end well or do not, or take too long."""
    commands = {"well": ("this", ""), "badly": ("no_such_module",), "late": ("http.server", "0", "--bind", "127.0.0.1")}
    return [Step(name, commands[name][:1] if name != "late" else commands[name], share) for name in codes]


def test_a_step_that_fails_or_takes_too_long_is_written_down_and_the_next_one_begins(tmp_path, capfd):
    ended = gpu_session.session(tmp_path, 9.0, _steps("badly", "late", "well", share=3.0))
    assert [(step.name, step.code) for step in ended] == [("badly", 1), ("late", None), ("well", 0)]
    assert ended[1].seconds < 6
    kept = json.loads((tmp_path / "session.json").read_text())
    assert [entry["code"] for entry in kept] == [1, None, 0]
    log = (tmp_path / "session.txt").read_text()
    assert "No module named no_such_module" in log
    assert "Beautiful is better than ugly" in log
    assert "the time was up" in capfd.readouterr().out


def test_a_timed_step_is_told_when_to_begin_nothing_more_and_where_to_write(tmp_path):
    step = Step("divisions", ("this",), 10, timed=True)
    gpu_session.session(tmp_path, 100.0, [step])
    said = (tmp_path / "session.txt").read_text()
    assert f"-m this --seconds 65 --save {tmp_path / 'cuda.json'}" in said or "--seconds 64" in said


def test_the_session_is_everything_within_ten_minutes():
    assert [step.name for step in gpu_session.STEPS] == ["doctor", "tests", "constants", "divisions", "benchmarks"]
    assert sum(step.share for step in gpu_session.STEPS) <= 570
    for step in gpu_session.STEPS[2:]:
        assert parse([*step.command[1:], "--seconds", "5", "--save", "here.json"]).backend == "cuda"


def test_the_session_s_tests_are_all_that_need_a_gpu_but_the_slow_ones():
    command = next(step.command for step in gpu_session.STEPS if step.name == "tests")
    assert command[:3] == ("pytest", "-m", "gpu and not slow")
    root = Path(__file__).parent
    marked = [file for file in root.rglob("test_*.py") if re.search(r"mark\.gpu\b", file.read_text(encoding="utf-8"))]
    assert len(marked) > 2
    for file in marked:
        assert any(file.is_relative_to(root.parent / folder) for folder in command if folder.startswith("tests/")), file


def test_a_step_whose_time_is_up_is_interrupted_first_and_says_what_it_has_found(monkeypatch, tmp_path):
    lines = ["import time", "try:", "    print('begun', flush=True)", "    time.sleep(60)", "except KeyboardInterrupt:"]
    (tmp_path / "talker.py").write_text("\n".join([*lines, "    print('last words')", ""]))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (ended,) = gpu_session.session(tmp_path, 3.0, [Step("talker", ("talker",), 3.0)])
    assert ended.code is None
    assert ended.seconds < 7
    assert "begun\nlast words" in (tmp_path / "session.txt").read_text()


def test_the_session_ends_well_where_every_step_does(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for code in (0, 1, None):
        monkeypatch.setattr(gpu_session, "_ran", lambda *_, code=code: gpu_session.Ended("a step", code, 1.0))
        assert gpu_session.main([]) == int(code != 0)
    assert (tmp_path / "gpu-session" / "session.json").exists()
