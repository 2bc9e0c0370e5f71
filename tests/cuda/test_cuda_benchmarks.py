"""The benchmarks of a GPU with their kernels run on the CPU: what ran is told, and what is wrong is refused."""

from __future__ import annotations

from concurrent.futures import BrokenExecutor
from typing import Any

import numpy as np
import pytest
from gpu_benchmark_cases import FakeDevice, plan
from on_cpu import NEEDS_A_COMPILER, OnCpu
from shim_device import H200, Shim

from benchmarks.gpu import ahead, divisions, inference, options, ours, recurrent
from benchmarks.gpu.answers import answer
from benchmarks.gpu.rows import measured
from benchmarks.workload import Workload
from rnnkit import layers
from rnnkit_kernels.cuda_gpu.emit.division import Division
from rnnkit_kernels.cuda_gpu.source import assembled

SHAPE = (3, 5, 2, 9)
RAGGED = (4, 9, 2, 9)  # whose lengths are not all 9


def _ours(work: Workload, device: Any, divide: Any = None) -> Any:
    makers = ours.entrants(work, device, divide or (lambda cell, back, units, rows: Division(units, 4, 2, 1)))
    return measured(work.cell, work.shape, makers, lambda: work.expected, plan(device))


# rnnkit's side


@NEEDS_A_COMPILER
def test_every_kind_of_kernel_is_right_and_says_what_it_launched() -> None:
    found = _ours(Workload("SimpleRNN", SHAPE), Shim())
    assert not found.failed
    rounded = {"rnnkit TF32 levels", "rnnkit bf16 levels"}
    assert set(found.values) == {"rnnkit", "rnnkit levels", "rnnkit alone", *rounded}
    assert found.left_out["rnnkit persistent"] == "that is what was chosen"
    for title in ("TF32", "bf16"):
        assert found.left_out[f"rnnkit {title}"] == f"kernels are chosen that do not round to {title}"
    assert found.origin == "all c1"
    assert found.kernels["rnnkit"].startswith("forward_persistent: 3 blocks of ")
    assert "backward_persistent" in found.kernels["rnnkit"]
    assert "forward_level0: " in found.kernels["rnnkit levels"]
    assert found.kernels["rnnkit levels"].endswith(", 5 times")


@NEEDS_A_COMPILER
def test_where_levels_are_chosen_a_persistent_kernel_of_the_given_division_runs_beside(monkeypatch: Any) -> None:
    monkeypatch.setattr("rnnkit_kernels.cuda_gpu.kernel.chosen", lambda *_: None)
    found = _ours(Workload("SimpleRNN", SHAPE, backward=False), Shim())
    assert not found.failed
    assert found.origin == "1 level"
    other = ["rnnkit levels", "rnnkit TF32 levels", "rnnkit bf16 levels"]
    assert found.left_out == dict.fromkeys(other, "that is what was chosen")
    assert {"rnnkit TF32", "rnnkit bf16"} <= set(found.values)
    assert "clusters of 2" in found.kernels["rnnkit persistent"]


@NEEDS_A_COMPILER
def test_wrong_kernels_are_refused_and_not_timed() -> None:
    wrong = Shim(change=lambda text: text.replace("return tanhf(a)", "return 1.001f * tanhf(a)"))
    found = _ours(Workload("SimpleRNN", SHAPE, backward=False), wrong)
    assert set(found.failed) == {"rnnkit", "rnnkit levels"}
    assert found.failed["rnnkit"].startswith("y is off by")
    assert "which is not right" in found.left_out["rnnkit alone"]
    assert set(found.values) == {"rnnkit TF32 levels", "rnnkit bf16 levels"}  # a thousandth is within ten bits


@NEEDS_A_COMPILER
def test_numbers_that_the_textbook_makes_are_not_told_to_be_a_kernels() -> None:
    work = Workload("SimpleRNN", SHAPE, make=lambda units: layers.SimpleRNN(units, return_sequences=True, projection=4))
    runner = ours.runner(work, Shim())
    assert runner.verdict(lambda: work.expected).ok
    assert runner.kernel() == "textbook"


@NEEDS_A_COMPILER
@pytest.mark.parametrize(
    "label",
    [
        pytest.param(option.label, marks=[pytest.mark.slow] if option.label in ("layer norm", "bidirectional") else [])
        for option in options.OPTIONS
    ],
)
def test_options_are_right_beside_the_plain_layer(label: str, monkeypatch: Any) -> None:
    wanted = [option for option in options.OPTIONS if option.label == label]
    monkeypatch.setattr(options, "OPTIONS", wanted)
    (found,) = options.rows(plan(Shim(), shapes=(RAGGED,)))
    assert not found.failed
    assert {"rnnkit", "plain"} <= set(found.values)
    assert found.reference == "plain"
    assert found.origin == "all c1"


@NEEDS_A_COMPILER
def test_a_group_has_a_row_for_each_cell_and_shape() -> None:
    shapes = SHAPE, (1, 5, 2, 9)
    found = list(inference.rows(plan(Shim(), shapes=shapes, cells=("SimpleRNN",))))
    assert [(row.label, row.shape, row.failed) for row in found] == [("SimpleRNN", shape, {}) for shape in shapes]
    notes = recurrent.notes(found, plan(cells=("SimpleRNN",)))
    assert any(note.startswith("SimpleRNN, geometric means") for note in notes) or "PyTorch" in found[0].left_out


@pytest.mark.parametrize("option", [(), ("mask",)], ids=["plain", "mask"])
def test_a_large_answer_is_the_textbooks_on_the_devices_arrays(option: tuple[str, ...], monkeypatch: Any) -> None:
    work, device = Workload("GRU", RAGGED, options=option), Shim()
    assert len(set(work.lengths)) > 1
    right = work.expected
    monkeypatch.setattr("benchmarks.gpu.answers._LARGE", 1)
    monkeypatch.setattr("benchmarks.workload.Workload.expected", property(lambda self: 1 / 0))
    found = answer(work, device.backend)
    assert found.keys() == right.keys()
    for name, a in found.items():
        np.testing.assert_allclose(a, right[name], rtol=1e-12, atol=1e-14)
        assert a.dtype == np.float64


# Divisions, and what is compiled beforehand


@NEEDS_A_COMPILER
@pytest.mark.parametrize("back", [False, True], ids=["there", "back"])
def test_the_sweep_times_levels_the_choice_and_the_most_promising_others(back: bool) -> None:
    short = plan(Shim(), shapes=(SHAPE,), cells=("SimpleRNN",), quick=True)
    found = list(divisions.rows(short))[back]
    assert not found.failed
    assert found.label == ("SimpleRNN back" if back else "SimpleRNN")
    assert "levels" in found.values
    assert found.reference in found.values
    assert {"tf32", "bf16"} == {name.split()[0] for name in found.values if " s" in name}
    assert {"tf32 levels", "bf16 levels"} < set(found.values)
    assert all(("_persistent: " in found.kernels[name]) == ("levels" not in name) for name in found.values)
    assert divisions.notes([found], short)
    assert all(("backward_" if back else "forward_") in text for text in found.kernels.values())


@NEEDS_A_COMPILER
def test_a_division_that_the_gpu_refuses_takes_no_part_and_one_that_is_needed_has_failed() -> None:
    class Refusing(OnCpu):
        def module(self, *text: str) -> Any:
            if "_persistent(" in text[2]:
                raise RuntimeError("too many blocks")
            return super().module(*text)

    (found, _) = divisions.rows(plan(FakeDevice(Refusing(gpu=H200)), shapes=(SHAPE,), cells=("SimpleRNN",), quick=True))
    assert set(found.failed) == {found.reference}
    assert found.left_out
    assert all("is refused: too many blocks" in why for why in found.left_out.values())


@NEEDS_A_COMPILER
def test_the_kernels_of_a_run_are_known_before_it() -> None:
    asked: list[str] = []

    class Asked(OnCpu):
        def module(self, *text: str) -> Any:
            asked.append(assembled(*text[:3]))
            return super().module(*text)

    groups = [inference, divisions]
    whole = plan(FakeDevice(Asked(gpu=H200)), shapes=(SHAPE,), cells=("SimpleRNN",), quick=True)
    before = ahead.kernels_of(groups, whole)
    assert not asked
    for group in groups:
        list(group.rows(whole))
    assert {given["code"] for given in before} == set(asked)
    assert all(set(given) == {"code", "options", "backend"} for given in before)


def test_what_cannot_be_compiled_beforehand_is_left_to_the_run() -> None:
    assert ahead.compile_all([], 4) == 0
    assert ahead.compile_all([{"no": "such argument"}], 1) == 0


@pytest.mark.parametrize("error", [BrokenExecutor, TimeoutError])
def test_a_process_that_dies_or_hangs_ends_the_compiling_and_not_the_run(
    error: type[Exception], monkeypatch: Any
) -> None:
    shut = []

    class Broken:
        def __init__(self, *_: Any, **__: Any) -> None:
            return

        def map(self, *_: Any, **__: Any) -> Any:
            raise error

        def shutdown(self, **given: Any) -> None:
            shut.append(given)

    monkeypatch.setattr(ahead, "ProcessPoolExecutor", Broken)
    assert ahead.compile_all([{}], 4) == 0
    assert shut == [{"wait": False, "cancel_futures": True}]
