"""PyTorch's side of the benchmarks on a GPU, its code run on the CPU: every contender makes the textbook's numbers."""

import numpy as np
import pytest
from benchmark_cases import work
from gpu_benchmark_cases import FakeDevice, NoPlace, plan

pytest.importorskip("torch", reason="needs the extra bench")

import torch

from benchmarks.gpu import options, pytorch
from benchmarks.gpu.ours import loosely
from benchmarks.gpu.rows import measured
from benchmarks.gpu.runner import Absent
from benchmarks.validation import compare
from benchmarks.workload import CELLS
from rnnkit import layers


@pytest.fixture(autouse=True)
def _as_it_was():
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def _row(case, makers):
    return measured("a case", case.shape, makers, lambda: case.expected, plan(FakeDevice(NoPlace())))


@pytest.mark.parametrize("backward", [True, False], ids=["there and back", "there"])
@pytest.mark.parametrize("cell", CELLS)
def test_cudnns_modules_make_the_textbooks_numbers_in_every_precision(cell, backward):
    case = work(cell, (3, 6, 2, 4), backward=backward)
    found = _row(case, pytorch.entrants(case, FakeDevice()))
    assert not found.failed
    assert not found.left_out
    assert set(found.values) == {f"PyTorch{p}{g}" for p in ("", " TF32", " fp16", " bf16") for g in ("", " graph")}


@pytest.mark.parametrize("cell", CELLS)
def test_both_directions_are_one_module_and_make_the_textbooks_numbers(cell):
    def make(units):
        return layers.Bidirectional(CELLS[cell](units))

    case = work(cell, (3, 6, 2, 4), make=make)
    assert {"forward.W", "backward.U"} <= set(case.expected)
    found = _row(case, pytorch.entrants(case, FakeDevice()))
    assert not found.failed
    assert len(found.values) == 8


def test_a_wrong_weight_of_a_module_is_found():
    case = work()
    runner = pytorch.runner(case, FakeDevice(), pytorch.PRECISIONS[0])
    assert runner.verdict(lambda: case.expected).ok
    other = work(seed=1)
    assert not runner.verdict(lambda: other.expected).ok


def test_strict_numbers_are_held_to_float32_and_others_to_ten_bits_or_seven():
    case = work()
    allowed = {p.title: pytorch.runner(case, FakeDevice(), p).tolerance for p in pytorch.PRECISIONS}
    ten, seven = loosely(case), loosely(case, "bf16")
    assert allowed == {"": case.tolerance, " TF32": ten, " fp16": ten, " bf16": seven}
    assert (ten, seven) == pytest.approx((2**13 * case.tolerance, 2**16 * case.tolerance))


def test_the_precision_is_set_for_cudnn_and_for_products_before_every_block():
    runners = {p.title: pytorch.runner(work(), FakeDevice(), p) for p in pytorch.PRECISIONS}
    for title, tf32 in (("", False), (" TF32", True), ("", False), (" fp16", True)):
        runners[title].before()
        assert torch.backends.cudnn.allow_tf32 is tf32
        assert torch.backends.cuda.matmul.allow_tf32 is tf32


def test_a_graph_is_recorded_once_and_replayed():
    device = FakeDevice()
    runner = pytorch.runner(work(), device, pytorch.PRECISIONS[0], recorded=True)
    runner.run()
    runner.run()
    assert device.log == ["recorded"]


def test_where_pytorch_is_not_installed_its_contenders_are_left_out(monkeypatch):
    monkeypatch.setattr(pytorch, "find_spec", lambda name: None)
    with pytest.raises(Absent, match="pip install 'rnnkit\\[bench\\]'"):
        pytorch.import_torch()
    found = _row(work(), pytorch.entrants(work(), FakeDevice()))
    assert len(found.left_out) == 8
    assert not found.failed


# Options


def _option(label):
    return next(option for option in options.OPTIONS if option.label == label)


def _peers(label, shape=(3, 12, 2, 4)):
    option = _option(label)
    case = work("LSTM", shape, make=option.make, options=option.given)
    return case, {name: make for name, make in options._makers(option, case, FakeDevice()).items() if name != "rnnkit"}


@pytest.mark.parametrize("label", [option.label for option in options.OPTIONS])
def test_what_pytorch_has_for_an_option_makes_the_textbooks_numbers(label):
    case, makers = _peers(label)
    found = _row(case, makers)
    assert not found.failed
    assert not found.left_out
    expected = {"layer norm": 4, "lengths": 1, "recurrent dropout": 2, "bidirectional": 8}
    assert len(found.values) == expected[label]


def test_a_loop_whose_dropout_is_another_one_is_found(monkeypatch):
    monkeypatch.setattr(options, "dropout_scale", lambda rate, shape, like, ctx: np.ones(shape, np.float32))
    case, makers = _peers("recurrent dropout")
    assert set(_row(case, makers).failed) == {"loop", "loop graph"}


def test_rows_that_have_ended_are_compared_as_far_as_they_go():
    case, makers = _peers("lengths")
    runner = makers["PyTorch"]()
    found = runner.arrays(runner.run())
    ended = np.arange(case.shape[1]) >= case.lengths[:, None]
    assert not found["y"][ended].any()
    assert not case.dy[ended].any()
    assert not compare(found, case.expected, case.tolerance).ok  # there the textbook holds its state
    assert runner.judge().ok
    found["y"][0, 0] += 1
    assert not compare(found, case.expected, case.tolerance).ok


def test_the_first_steps_of_a_layer_normalised_recurrence_are_validated_and_all_are_timed():
    _, makers = _peers("layer norm")
    runner = makers["loop"]()
    assert runner.verdict(dict).ok
    assert runner.run()[0].shape == (12, 3, 4)
    assert _option("layer norm").validated < 12


def test_the_step_is_what_is_compiled_and_a_loop_of_it_recorded():
    device, option = FakeDevice(), _option("layer norm")
    case = work("LSTM", (3, 4, 2, 4), make=option.make)
    options._makers(option, case, device)["loop compiled graph"]()
    assert device.log == ["compiled", "recorded"]
