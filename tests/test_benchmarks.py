"""The benchmarks' method: what is wrong is not timed, contenders take turns, a ratio says what was measured."""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from benchmark_cases import SHORT, plan, row, work

from benchmarks import contenders, report, table
from benchmarks.arguments import parse
from benchmarks.contenders import ours
from benchmarks.measure import measured, prepared, validated
from benchmarks.results import BUSY, Row, mean_ratio
from benchmarks.timing import Effort, alternate, geometric_mean, medians
from benchmarks.validation import compare, tolerance
from benchmarks.workload import CELLS, Runner, Workload
from rnnkit import layers
from rnnkit.context import Context


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


def test_a_contender_that_cannot_get_ready_fails_its_row_and_not_the_run():
    def refusing():
        raise ImportError("half of a package")

    made = prepared({"JAX": refusing, "ONNX": lambda: None, "NumPy": lambda: ours.runner(work(), "numpy")})
    assert set(made) == {"JAX", "NumPy"}
    right, failed = validated(made, work().expected, work().tolerance)
    assert set(right) == {"NumPy"}
    assert failed == {"JAX": "ImportError: half of a package"}


def test_a_run_with_a_wrong_row_does_not_end_well(monkeypatch, capsys):
    wrong = contenders.Contender("rnnkit", lambda w: Runner(lambda: 0, lambda _: {"y": 0}))
    monkeypatch.setattr("benchmarks.plan.sgemm_peak", lambda size, effort: 1e11)
    monkeypatch.setattr("benchmarks.report.load", lambda names, threads: ({"rnnkit": wrong}, {}))
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


def test_a_vanishing_gradient_is_that_of_the_last_step_alone():
    dy = work(options=("vanishing",)).dy
    assert not dy[:, :-1].any()
    assert 0 < np.abs(dy[:, -1]).max() < 1e-19


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
