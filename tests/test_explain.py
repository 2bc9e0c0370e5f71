"""`explain` names the kernel, the division and the cost of every layer, and `warmup` compiles without a trace."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest

import rnnkit.explain
from rnnkit import Sequential, cells
from rnnkit.layers import (
    GRU,
    LSTM,
    BatchNormalization,
    Bidirectional,
    Conv1D,
    Dense,
    Dropout,
    Embedding,
    GlobalMaxPooling1D,
    Residual,
    TimeDistributed,
    WaveNet,
)
from rnnkit_kernels import costs
from rnnkit_kernels.backends import backend


def a_model(*stack, shape=(None, 10, 4), **options):
    model = Sequential(stack, **({"backend": "numpy", "seed": 0} | options))
    model.build(shape)
    return model


def rows(text):
    """The cells of the table, by title, of each layer by its place."""
    lines = text.splitlines()
    first, last = (k for k, line in enumerate(lines) if line.startswith("---"))
    titles = list(re.finditer(r"\S+", lines[first - 1].replace("and back", "and_back")))
    begins = [0, titles[1].start(), titles[2].start(), *(t.end() for t in titles[2:])]
    begins[3] = titles[3].start()  # the first three columns begin with their title, the others end with it
    return {
        line.split()[0]: {t.group(): line[a:b].strip() for t, a, b in zip(titles, begins, begins[1:], strict=False)}
        for line in lines[first + 1 : last]
    }


MIXED = (
    Embedding(9, 6),
    Conv1D(8, 3, padding="causal"),
    Bidirectional(LSTM(5, return_sequences=True)),
    TimeDistributed(Dense(4)),
    Residual([GRU(4, return_sequences=True), Dense(4)]),
    WaveNet(4, (1, 2)),
    BatchNormalization(),
    LSTM(3, zoneout=0.1, return_sequences=True),
    Dropout(0.2),
    GlobalMaxPooling1D(),
    Dense(1),
)


@pytest.mark.parametrize("name", ["numpy", "numba"])
@pytest.mark.parametrize("training", [False, True])
def test_every_layer_and_part_has_a_line_and_none_is_wider_than_a_hundred_columns(name, training):
    if name == "numba":
        pytest.importorskip("numba", reason="needs the extra numba")
    model = a_model(*MIXED, shape=(None, 10), backend=name)
    text = model.explain(batch_size=3, training=training)
    table = rows(text)
    assert [place for place in table if "." not in place] == [str(k) for k in range(len(MIXED))]
    assert {"2.forward", "2.backward", "3.layer", "4.0", "4.1", "5.0.filter", "5.1.skip"} <= table.keys()
    assert "5.0.project" not in table  # it has the same width, and no such weights
    assert max(map(len, text.splitlines())) <= 100
    assert repr(text) == text
    assert table["7"]["kernel"] == "textbook"
    assert table["2.forward"]["kernel"] == ("numba" if name == "numba" else "textbook")
    assert ("tape" in table["0"]) == training
    told = dict(re.findall(r"(zoneout|NumPy and its BLAS), (.*)", text))
    assert ("zoneout" in told) == (name == "numba")
    assert ("NumPy and its BLAS" in told) == (name == "numpy")


def test_the_costs_are_those_counted_by_hand():
    T, B, F, H = 10, 32, 4, 50
    table = rows(a_model(LSTM(H), Dense(20)).explain(B))
    flops = 2 * T * B * 4 * H * (F + H)
    assert table["0"]["forward"] == f"{flops / 1e6:.3g} M"
    assert table["0"]["and_back"] == f"{3 * flops / 1e6:.3g} M"
    assert table["0"]["weights"] == f"{4 * 4 * H * (F + H + 1) / 1024:.0f} KiB"
    tape = 4 * B * H * (2 * (T + 1) + 4 * T)  # h and c of every step and the first, four gates of every step
    assert table["0"]["tape"] == f"{tape / 1024:.0f} KiB"
    assert table["1"]["forward"] == f"{2 * B * H * 20 / 1e3:.3g} k"
    assert "and_back" not in rows(a_model(LSTM(H)).explain(B, training=False))["0"]


def test_a_convolution_is_counted_by_its_windows_and_groups():
    model = a_model(Conv1D(8, 3, strides=2, groups=2))
    assert rows(model.explain(5))["0"]["forward"] == f"{2 * 5 * 4 * 3 * 2 * 8 / 1e3:.3g} k"  # 4 windows, 2 channels


@pytest.mark.parametrize("cell", cells.ALL, ids=lambda cell: cell.name)
def test_the_tape_has_as_many_bytes_as_are_counted(cell):
    T, B, F, H = 4, 3, 2, 5
    rng = np.random.default_rng(0)
    shapes = cell.weight_shapes(F, H)
    weights = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    state = {name: np.zeros((B, H)) for name in cell.state}
    _, _, tape = backend("numpy").kernel(cell).forward(weights, rng.standard_normal((T, B, F)), state)
    held = sum(a.nbytes for part in (tape.states, tape.kept) for a in part.values())
    cost = costs.recurrence(cell, shapes, T, B, 8)
    from rnnkit_kernels.program import trace

    assert cost.tape == held + 8 * T * B * H * len(trace(cell).operands)
    assert cost.weights == sum(w.nbytes for w in weights.values())


def test_the_division_that_is_told_is_the_one_that_runs(monkeypatch):
    pytest.importorskip("numba", reason="needs the extra numba")
    monkeypatch.setenv("RNNKIT_NUM_THREADS", "2")
    for layer, batch, steps in ((LSTM(4), 2, 3), (LSTM(64), 64, 20), (GRU(256), 1, 100)):
        model = a_model(layer, shape=(None, None, 8), backend="numba")
        tapes = []
        ctx = rnnkit.Context("numba", watch=lambda _, tape, __, tapes=tapes: tapes.append(tape) or (lambda _: None))
        model.layers[0](model.params[0], np.zeros((batch, steps, 8), np.float32), ctx)
        split = tapes[0].split
        text = model.explain(batch, steps)
        told = "1" if split.parts == 1 else f"{split.parts} by {'units' if split.by_units else 'rows'}"
        assert rows(text)["0"]["threads"] == told
        assert rows(text)["0"]["kernel"] == tapes[0].origin
        assert split.reason.split()[0] in text
        assert "RNNKIT_NUM_THREADS=2" in text


def test_a_clipped_gradient_goes_back_through_the_textbook_and_is_told():
    pytest.importorskip("numba", reason="needs the extra numba")
    model = a_model(LSTM(4, gradient_clip=1.0), backend="numba")
    assert "the way back is the textbook's, for gradient_clip" in " ".join(model.explain().split())
    assert "gradient_clip" not in model.explain(training=False)


def test_what_is_lost_is_told(monkeypatch):
    pytest.importorskip("numba", reason="needs the extra numba")
    from rnnkit_kernels.numba_cpu import account

    model = a_model(LSTM(4), backend="numba")
    assert "\nlost" not in model.explain()
    monkeypatch.setattr(account.jit, "lost", lambda: "compiled kernels are not kept for the next process")
    assert "lost     compiled kernels are not kept" in model.explain()


def test_without_numba_it_says_so(monkeypatch):
    monkeypatch.setattr("rnnkit_kernels.backends.find_spec", lambda name: None)
    backend.cache_clear()
    try:
        text = " ".join(a_model(LSTM(4), backend="auto").explain().split())
    finally:
        backend.cache_clear()
    assert "backend numpy: Numba is not installed: pip install 'rnnkit[numba]'" in text


@pytest.mark.parametrize("name", ["numpy", "numba"])
def test_a_measured_share_is_what_was_counted_over_the_time_and_the_peak(monkeypatch, name):
    if name == "numba":
        pytest.importorskip("numba", reason="needs the extra numba")
    model = a_model(Bidirectional(LSTM(5)), Dropout(0.5), Dense(1), backend=name)
    monkeypatch.setattr(rnnkit.explain, "_fastest", lambda run: (run(), 2e-4)[1])
    monkeypatch.setattr(rnnkit.explain, "_peak", lambda given: (1e10, "as told"))
    before = model.get_weights()
    table = rows(model.explain(8, measure=True))
    assert table["0"]["time"] == "200 us"
    assert table["0"]["share"] == f"{2 * 3 * 2 * 8 * 10 * 20 * 9 / 2e-4 / 1e10:.0%}"
    alone = rows(model.explain(8, training=False, measure=True))
    assert alone["0"]["share"] == f"{2 * 2 * 8 * 10 * 20 * 9 / 2e-4 / 1e10:.0%}"
    assert table["0.forward"]["time"] == table["1"]["share"] == ""
    for w, was in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(w, was)


def test_the_speed_that_shares_are_of_is_found_on_this_machine():
    model = a_model(LSTM(3), dtype="float64")
    text = model.explain(2, measure=True)
    assert re.search(r"share    of [\d.]+ [MGT] operations a second: NumPy's product", text)
    pytest.importorskip("numba", reason="needs the extra numba")
    from rnnkit_kernels.numba_cpu import account

    assert 1e6 < account.peak("float64") < 1e13
    text = a_model(LSTM(3), backend="numba").explain(2, measure=True, training=False)
    assert re.search(r"share    of [\d.]+ [MGT] operations a second: the tile's own product", text)


def test_numbers_are_told_in_three_digits():
    assert [rnnkit.explain._count(n) for n in (0, 7, 999, 999.6, 1234, 5e6, 2e9, 3e15)] == [
        "", "7", "999", "1 k", "1.23 k", "5 M", "2 G", "3e+03 T",
    ]  # fmt: skip
    assert [rnnkit.explain._bytes(n) for n in (0, 12, 1023, 2048, 5 << 20, 3 << 30)] == [
        "", "12 B", "1023 B", "2 KiB", "5 MiB", "3.0 GiB",
    ]  # fmt: skip
    assert [rnnkit.explain._time(s) for s in (2.5e-6, 9.999e-4, 0.01234, 1.0, 1234)] == [
        "2.5 us", "1 ms", "12.3 ms", "1 s", "1234 s",
    ]  # fmt: skip


def test_sizes_that_are_not_known_or_do_not_fit_are_refused_in_a_sentence():
    free = a_model(LSTM(3), shape=(None, None, 2))
    with pytest.raises(ValueError, match=r"takes any number of steps, inputs \(None, None, 2\): say how many"):
        free.explain()
    assert "(32, 7, 2)" in free.explain(steps=7)
    with pytest.raises(ValueError, match="steps is a whole number from 1 up, got 0"):
        free.explain(steps=0)
    with pytest.raises(ValueError, match="batch_size is a whole number from 1 up, got 0"):
        free.explain(0, 3)
    fixed = Sequential([LSTM(3, input_shape=(4, 2))], backend="numpy")
    with pytest.raises(ValueError, match=r"the model was built for 4 steps, .*got steps=5"):
        fixed.explain(steps=5)
    assert "(32, 4, 2)" in fixed.explain()
    assert "(32, 2)" in a_model(Dense(3), shape=(None, 2)).explain()
    for what in ("explain", "warmup"):
        with pytest.raises(ValueError, match=f"{what} needs a built model"):
            getattr(Sequential([LSTM(2)]), what)()


# warmup


@pytest.mark.parametrize("name", ["numpy", "numba"])
def test_a_warm_model_is_the_model_it_was(name):
    if name == "numba":
        pytest.importorskip("numba", reason="needs the extra numba")
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 9, (12, 10)), rng.standard_normal((12, 1)).astype(np.float32)
    found = []
    for warm in (False, True):
        model = a_model(*MIXED, shape=(None, 10), backend=name)
        model.compile("adam", "mse")
        if warm:
            model.warmup(4)
            model.warmup(4, training=False)
        model.fit(x, y, batch_size=4, epochs=1, verbose=0)
        found.append(model.get_weights())
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_everything_is_compiled_when_a_model_is_warm(monkeypatch):
    pytest.importorskip("numba", reason="needs the extra numba")
    from rnnkit_kernels.numba_cpu import programs

    stack = Bidirectional(LSTM(5, "softplus", return_sequences=True)), GRU(3, "elu"), Dense(1)  # in no other test here
    model = a_model(*stack, backend="numba")
    model.compile("rmsprop", "mse")
    model.warmup(4)

    def refuse(source):
        raise AssertionError(f"{source.key} was not compiled")

    monkeypatch.setattr(programs, "addresses", refuse)
    model.fit(np.zeros((8, 10, 4)), np.zeros((8, 1)), batch_size=4, epochs=1, verbose=0)
    with pytest.raises(AssertionError, match="was not compiled"):
        a_model(LSTM(5, "softsign"), backend="numba").warmup(1)


def test_the_optimizer_s_rule_is_made_ready_for_training_alone():
    model = a_model(Dense(1), shape=(None, 2))
    model.compile("adam", "mse")
    optimizer, steps = model.optimizer, []

    class Watched:
        init = optimizer.init

        def step(self, params, grads, state, kernels):
            steps.append(kernels.origin)
            return optimizer.step(params, grads, state, kernels)

    model.optimizer = Watched()
    model.warmup(2, training=False)
    assert steps == []
    model.warmup(2)
    assert steps == ["textbook"]
    assert model.optimizer_state is None


def test_warming_up_shows_its_progress_where_it_is_asked_to(capsys):
    model = a_model(LSTM(3), Dense(1), shape=(None, None, 2))
    model.warmup(2, verbose=1)
    assert "compile" in capsys.readouterr().err
    model.warmup(2, verbose=0)
    model.warmup(2)
    assert capsys.readouterr().err == ""
    assert not sys.stderr.isatty()


def test_too_few_steps_to_warm_up_with_are_refused_with_the_layer():
    model = a_model(Conv1D(3, 4), GlobalMaxPooling1D(), shape=(None, None, 2))
    with pytest.raises(ValueError, match=r"layer 0 Conv1D: .*looks at 4 steps at a time.*say how many steps there are"):
        model.warmup(2)
    model.warmup(2, steps=4)
