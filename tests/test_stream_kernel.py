"""The compiled step of a stream: the bits of the full pass, its own copies, and the refusals of the border."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnkit import Context, Sequential, cells, layers
from rnnkit_kernels.backends import backend

pytest.importorskip("numba", reason="needs the extra numba")

from rnnkit_kernels.numba_cpu import streaming
from rnnkit_kernels.numba_cpu.split import Split
from rnnkit_kernels.numba_cpu.streaming import CompiledSteps
from rnnkit_kernels.steps import Steps

FEW = settings(max_examples=12, deadline=None, derandomize=True)


@dataclass(frozen=True)
class Case:
    """A cell with weights, a state and steps x (T, B, F)."""

    cell: object
    weights: dict
    state: dict
    x: np.ndarray
    mask: np.ndarray

    @property
    def kernel(self):
        return backend("numba").kernel(self.cell)

    def passed(self):
        h, last, _ = self.kernel.forward(self.weights, self.x, self.state, mask=self.mask, tape=False)
        return h, last


def a_case(cell, T=4, B=2, F=3, H=5, dtype="float64", masked=False, seed=0):
    rng = np.random.default_rng(seed)
    weights = {k: rng.uniform(-0.5, 0.5, s).astype(dtype) for k, s in cell.weight_shapes(F, H).items()}
    state = {k: rng.uniform(-0.5, 0.5, (B, H)).astype(dtype) for k in cell.state}
    mask = rng.random((T, B)) < 0.6 if masked else np.ones((T, B), bool)
    return Case(cell, weights, state, rng.standard_normal((T, B, F)).astype(dtype), mask)


def same_bits(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


@pytest.mark.parametrize("cell", cells.ALL, ids=lambda cell: cell.name)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_step_has_the_bits_of_the_full_pass(cell, dtype):
    case = a_case(cell, T=5, B=2, F=3, H=21, dtype=dtype, masked=True)
    steps = case.kernel.steps(case.weights, case.state)
    assert isinstance(steps, CompiledSteps)
    h, last = case.passed()
    for t in range(5):
        y = steps.step(case.x[t], case.mask[t])
        assert y.dtype == dtype
        np.testing.assert_array_equal(y, h[t])
        y[...] = np.nan  # what is handed out is the caller's own
    same_bits(steps.state, last)


@FEW
@given(
    name=st.sampled_from(["LSTM", "GRU", "SimpleRNN"]),
    B=st.integers(1, 9),
    F=st.integers(1, 20),
    H=st.integers(1, 70),
    dtype=st.sampled_from(["float32", "float64"]),
    seed=st.integers(0, 99),
)
def test_a_step_of_any_size_has_the_bits_of_the_full_pass(name, B, F, H, dtype, seed):
    case = a_case(getattr(cells, name)(), 3, B, F, H, dtype, masked=True, seed=seed)
    steps = case.kernel.steps(case.weights, case.state)
    h, last = case.passed()
    np.testing.assert_array_equal([steps.step(x, m) for x, m in zip(case.x, case.mask, strict=True)], h)
    same_bits(steps.state, last)


def test_a_mask_holds_for_its_step_alone():
    case = a_case(cells.LSTM())
    steps = case.kernel.steps(case.weights, case.state)
    held = steps.step(case.x[0], np.array([True, False]))
    np.testing.assert_array_equal(held[1], case.state["h"][1])
    assert (steps.step(case.x[1])[1] != held[1]).any()


def test_a_held_row_takes_nothing_in_of_what_stands_behind_its_mask():
    case = a_case(cells.LSTM())
    one, other = (case.kernel.steps(case.weights, case.state) for _ in range(2))
    spoiled = case.x[0].copy()
    spoiled[1] = np.nan
    mask = np.array([True, False])
    np.testing.assert_array_equal(one.step(spoiled, mask), other.step(case.x[0], mask))
    same_bits(one.state, other.state)


@pytest.mark.parametrize("parts", [2, 3, 7])
def test_many_rows_are_divided_among_threads_and_have_the_same_values(monkeypatch, parts):
    case = a_case(cells.GRU(), B=7)
    whole = case.kernel.steps(case.weights, case.state)
    monkeypatch.setattr(streaming, "choose", lambda *_: Split(parts, False, "many rows"))
    shared = case.kernel.steps(case.weights, case.state)
    for x in case.x:  # other heights of tiles add up in another order: at most F + H roundings of sums of order one
        np.testing.assert_allclose(shared.step(x), whole.step(x), rtol=0, atol=16 * np.finfo(float).eps)


def test_units_are_never_divided_among_threads(monkeypatch):
    monkeypatch.setattr(streaming, "choose", lambda *_: Split(2, True, "few rows"))
    case = a_case(cells.GRU(), H=70)
    steps = case.kernel.steps(case.weights, case.state)
    np.testing.assert_array_equal([steps.step(x) for x in case.x], case.passed()[0])
    assert steps.finite  # which is known of steps in one thread


def test_the_weights_are_those_of_the_beginning():
    case = a_case(cells.LSTM())
    steps = case.kernel.steps(case.weights, case.state)
    h, _ = case.passed()
    for weight in case.weights.values():
        weight[...] = 0
    np.testing.assert_array_equal([steps.step(x) for x in case.x], h)


def test_a_state_is_a_copy_on_the_way_out_and_on_the_way_in():
    case = a_case(cells.LSTM(), T=5)
    steps = case.kernel.steps(case.weights, case.state)
    steps.step(case.x[0])
    kept = steps.state
    rest = [steps.step(x) for x in case.x[1:]]
    steps.state = kept
    for value in (*kept.values(), *case.state.values()):
        value[...] = np.nan
    np.testing.assert_array_equal([steps.step(x) for x in case.x[1:]], rest)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1, 2, 5, 33])
def test_a_number_that_is_not_finite_is_seen_wherever_it_stands(dtype, size):
    case = a_case(cells.SimpleRNN("linear"), B=1, F=size, H=size, dtype=dtype)
    case.weights["W"][...] = np.eye(size)
    case.weights["U"][...] = 0
    steps = case.kernel.steps(case.weights, case.state)
    good = np.full((1, size), np.finfo(dtype).max, dtype)
    assert steps.takes_finite(good)
    steps.step(np.ones((1, size), dtype))
    assert steps.finite
    for at in range(size):
        for wrong in (np.nan, np.inf, -np.inf):
            bad = good.copy()
            bad[0, at] = wrong
            assert not steps.takes_finite(bad)
    steps.state = {"h": np.zeros((1, size))}
    for at in range(size):
        bad = np.zeros((1, size), dtype)
        bad[0, at] = np.inf
        steps.step(bad)
        assert not steps.finite
        steps.state = {"h": np.zeros((1, size))}


def test_zoneout_and_a_projection_go_the_textbook_s_way():
    ctx = Context("numba")
    for layer, compiled in (
        (layers.LSTM(4), True),
        (layers.LSTM(4, zoneout=0.2), False),
        (layers.LSTM(4, projection=2), False),
    ):
        params, _ = layer.init(np.random.default_rng(0), (None, None, 2), "float64")
        stream = layer.stream(params, 1, ctx)
        assert stream.quiet == compiled
        assert not stream.finite
        x = np.random.default_rng(1).standard_normal((1, 3, 2))
        h, _, _ = layer.scan(params, x, None, ctx)
        for t in range(3):
            np.testing.assert_allclose(stream.step(x[:, t], None)[0], h[:, t], rtol=1e-12, atol=1e-13)


def test_the_textbook_s_steps_are_those_of_the_compiled_kernel():
    case = a_case(cells.GRU(), masked=True)
    ours, plain = (backend(b).kernel(case.cell).steps(case.weights, case.state) for b in ("numba", "numpy"))
    assert isinstance(plain, Steps)
    for x, mask in zip(case.x, case.mask, strict=True):
        np.testing.assert_allclose(ours.step(x, mask), plain.step(x, mask), rtol=1e-12, atol=1e-14)
    for name, value in plain.state.items():
        np.testing.assert_allclose(ours.state[name], value, rtol=1e-12, atol=1e-14)
    assert plain.takes_finite(case.x[0])
    assert not plain.takes_finite(case.x[0] * np.nan)


def test_numbers_that_are_not_the_stream_s_are_refused_in_a_sentence():
    case = a_case(cells.GRU(), dtype="float32")
    steps = case.kernel.steps(case.weights, case.state)
    with pytest.raises(TypeError, match="a stream of float32 takes no steps of complex128"):
        steps.step(case.x[0].astype(complex))
    one = steps.step(case.x[0].astype(float))
    steps.state = case.state
    np.testing.assert_array_equal(steps.step(case.x[0]), one)


def test_weights_and_a_state_that_do_not_belong_together_are_refused_in_a_sentence():
    case = a_case(cells.LSTM())
    with pytest.raises(ValueError, match="state0 needs h and c; 'c' is missing"):
        case.kernel.steps(case.weights, {"h": case.state["h"]})


# Through the model's border


@pytest.mark.parametrize("stack", [[layers.LSTM(3)], [layers.LSTM(3), layers.Dense(1)], [layers.Dense(3, "tanh")]])
@pytest.mark.parametrize("name", ["numba", "numpy"])
def test_large_numbers_go_through_without_a_warning_and_infinite_ones_are_refused(stack, name):
    model = Sequential(stack, backend=name, seed=0)
    model.build((None, None, 2))
    stream = model.stream()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(stream.step(np.full((1, 2), 1e30, np.float32))).all()  # its square is no float32
        before = stream.state
        for wrong in (np.nan, np.inf):
            with pytest.raises(ValueError, match=r"x has (nan|inf) at sample 0, feature 1"):
                stream.step(np.array([[0, wrong]], np.float32))
            with pytest.raises(ValueError, match=r"x has (nan|inf) at sample 0, feature 1"):
                stream.step([[0, wrong]])
    for part, kept in zip(stream.state, before, strict=True):
        same_bits(part, kept)


def test_a_step_is_the_same_as_a_list_as_doubles_and_as_a_view():
    model = Sequential([layers.GRU(3)], backend="numba", seed=0)
    model.build((None, None, 2))
    x = np.array([[0.5, -1.5]], np.float32)
    found = []
    for form in (x, x.tolist(), x.astype(float), np.repeat(x, 2, axis=1)[:, ::2], np.asfortranarray(x)):
        found.append(model.stream().step(form))
    for y in found[1:]:
        np.testing.assert_array_equal(y, found[0])


@pytest.mark.parametrize("name", ["numba", "numpy"])
def test_the_layer_whose_output_is_not_finite_is_named(name):
    model = Sequential([layers.SimpleRNN(2, "linear", return_sequences=True), layers.GRU(2)], backend=name, seed=0)
    model.build((None, None, 2))
    model.params[0]["U"] = np.full((2, 2), 3e38, np.float32)
    model.params[0]["W"] = np.ones((2, 2), np.float32)
    stream = model.stream()
    stream.step(np.ones((1, 2), np.float32))
    with pytest.raises(FloatingPointError, match="the output of layer 0 is not finite at this step"):
        stream.step(np.ones((1, 2), np.float32))


@pytest.mark.parametrize("name", ["numba", "numpy"])
def test_numbers_that_overflow_behind_a_compiled_layer_are_told_without_a_warning(name):
    model = Sequential([layers.SimpleRNN(2), layers.Dense(1)], backend=name, seed=0)
    model.build((None, None, 2))
    model.params[0]["W"] = np.ones((2, 2), np.float32)
    model.params[1]["W"] = np.full((2, 1), 3e38, np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(FloatingPointError, match="the output of layer 1 is not finite at this step"):
            model.stream().step(np.ones((1, 2), np.float32))
