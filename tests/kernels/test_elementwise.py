"""Passes over single arrays: what is compiled leaves the textbook's bits."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnkit_kernels import backends, cells
from rnnkit_kernels.backends import backend
from rnnkit_kernels.elementwise import Elementwise

pytest.importorskip("numba", reason="needs the extra numba")

from rnnkit import Sequential
from rnnkit.layers import Dense, Dropout, Embedding, SpatialDropout1D
from rnnkit.optimizers import SGD, Adagrad, Adam, AdamW, Nadam, RMSprop
from rnnkit_kernels.numba_cpu.elementwise import CompiledElementwise

TEXTBOOK, COMPILED = Elementwise(), CompiledElementwise()
DTYPES = ["float32", "float64"]
few = settings(max_examples=12, derandomize=True, deadline=None)


def same(found, expected):
    """Also the sign of a zero, and where a NaN stands."""
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(np.signbit(found[found == 0]), np.signbit(expected[expected == 0]))


def numbers(shape, dtype, seed=0, special=True):
    rng = np.random.default_rng(seed)
    a = rng.standard_normal(shape).astype(dtype)
    if special and a.size > 5:
        a.reshape(-1)[:6] = 0.0, -0.0, np.nan, np.inf, -np.inf, 1e-40
    return a


def time_major(a):
    """The same numbers, in memory with the second axis before the first."""
    return a.swapaxes(0, 1).copy().swapaxes(0, 1)


@pytest.mark.parametrize("dtype", DTYPES)
@given(
    shape=st.sampled_from([(), (0,), (1,), (2,), (3,), (5,), (4, 3), (3, 1, 7), (6, 50, 11)]),
    rate=st.sampled_from([0.1, 0.5, 1 / 3, 0.9, 2.0**-53, 1 - 2.0**-53, 1e-300]),
    seed=st.integers(0, 99),
)
@few
def test_dropout_is_what_numpy_draws_and_leaves_the_generator_where_numpy_does(dtype, shape, rate, seed):
    ours, numpys = np.random.default_rng(seed), np.random.default_rng(seed)
    for rng in (ours, numpys):
        rng.integers(0, 9, 3, dtype=np.int32)  # leaves half a word behind
    for _ in range(2):
        same(COMPILED.dropout(ours, shape, rate, dtype), TEXTBOOK.dropout(numpys, shape, rate, dtype))
    assert ours.bit_generator.state == numpys.bit_generator.state


@pytest.mark.parametrize("size", range(14))
def test_every_number_of_a_short_array_is_drawn_in_its_turn(size):
    ours, numpys = np.random.default_rng(size), np.random.default_rng(size)
    for _ in range(20):
        same(COMPILED.dropout(ours, (size,), 0.5, "float32"), TEXTBOOK.dropout(numpys, (size,), 0.5, "float32"))


def test_a_number_that_is_just_the_rate_is_kept_and_one_below_it_dropped():
    drawn = np.random.default_rng(3).random(50)
    for k, rate in enumerate(drawn):
        scale = COMPILED.dropout(np.random.default_rng(3), (50,), rate, "float64")
        assert scale[k] > 0
        above = COMPILED.dropout(np.random.default_rng(3), (50,), np.nextafter(rate, 1), "float64")
        assert above[k] == 0


def test_also_where_the_bits_that_are_left_out_of_a_number_are_all_zero():
    raw = np.random.PCG64(3).random_raw(20000)
    k = int(np.flatnonzero(raw % 2**11 == 0)[0])
    rate = float(raw[k] >> np.uint64(11)) / 2**53
    assert np.random.default_rng(3).random(k + 1)[k] == rate
    assert COMPILED.dropout(np.random.default_rng(3), (k + 1,), rate, "float64")[k] > 0


@pytest.mark.parametrize("kind", [np.random.MT19937, np.random.Philox, np.random.PCG64DXSM, np.random.SFC64])
def test_another_generator_draws_for_itself(kind):
    ours, numpys = (np.random.Generator(kind(5)) for _ in range(2))
    same(COMPILED.dropout(ours, (7, 3), 0.4, "float32"), TEXTBOOK.dropout(numpys, (7, 3), 0.4, "float32"))
    assert ours.random() == numpys.random()


@pytest.mark.parametrize("layout", [np.copy, time_major, lambda a: a[:, ::-1], np.asfortranarray])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 4, 5), (2, 70, 33)])
def test_arrays_of_every_layout_give_the_bits_of_the_textbook(shape, dtype, layout):
    a, b = layout(numbers(shape, dtype)), layout(numbers(shape, dtype, 1, special=False))
    small = numbers((shape[0], 1, shape[2]), dtype, 2)
    with np.errstate(invalid="ignore"):
        same(COMPILED.relu(a), TEXTBOOK.relu(a))
        same(COMPILED.relu_back(TEXTBOOK.relu(a), b), TEXTBOOK.relu_back(TEXTBOOK.relu(a), b))
        same(COMPILED.relu_back(np.copy(a), b), TEXTBOOK.relu_back(np.copy(a), b))
        for other in (b, np.copy(b), small):
            same(COMPILED.product(a, other), TEXTBOOK.product(a, other))
        same(COMPILED.total(a, b), TEXTBOOK.total(a, b))
        same(COMPILED.joined(a, b[..., :1]), TEXTBOOK.joined(a, b[..., :1]))
        same(COMPILED.joined(a[:, -1], b[:, 0]), TEXTBOOK.joined(a[:, -1], b[:, 0]))


def test_numbers_of_two_dtypes_come_out_as_numpy_makes_them():
    a, b = numbers((2, 3, 4), "float32", special=False), numbers((2, 3, 4), "float64", special=False)
    for name in ("product", "total", "joined"):
        same(getattr(COMPILED, name)(a, b), getattr(TEXTBOOK, name)(a, b))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("index", "columns"), [((0,), 3), ((5,), 1), ((40, 30), 7), ((2, 3, 4), 33)])
def test_rows_are_chosen_and_summed_in_the_order_of_their_places(index, columns, dtype):
    rng = np.random.default_rng(0)
    places, table = rng.integers(0, 9, index), numbers((9, columns), dtype)
    same(COMPILED.rows(table, places), TEXTBOOK.rows(table, places))
    d = numbers((*index, columns), dtype, 4, special=False)
    for given_d in (d, d[::-1], time_major(d) if d.ndim > 2 else d):
        same(COMPILED.summed_by_row(places, given_d, 9), TEXTBOOK.summed_by_row(places, given_d, 9))


OPTIMIZERS = {
    "Adam": Adam(0.01),
    "Adam, decayed, short gradients": Adam(0.01, weight_decay=0.1, global_clipnorm=0.5),
    "Adam, amsgrad": Adam(0.01, amsgrad=True),
    "AdamW along a schedule": AdamW(lambda n: 0.1 / (1 + n)),
    "Nadam": Nadam(0.01),
    "RMSprop": RMSprop(0.01),
    "RMSprop, decayed": RMSprop(0.01, weight_decay=0.2),
    "RMSprop, centered": RMSprop(0.01, centered=True),
    "RMSprop, momentum": RMSprop(0.01, momentum=0.5),
    "SGD, accumulated": SGD(0.1, momentum=0.9, gradient_accumulation_steps=2),
    "Adagrad": Adagrad(0.1),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_an_optimizer_moves_as_far_to_the_last_bit_and_writes_into_nothing_it_was_given(optimizer, dtype):
    shapes = [(3,), (1,), (7, 5), (40, 60), (0,), (20, 3000)]
    params = [numbers(shape, dtype, 7, special=False) for shape in shapes]
    params[2] = params[2].T  # not contiguous
    params[3].flags.writeable = False
    ours = numpys = (params, optimizer.init(params))
    for n in range(3):
        grads = [numbers(p.shape, dtype, 10 * n, special=False) * 10.0**n for p in params]
        grads = [g.astype(dtype) for g in grads]
        before = [[a.copy() for a in (*tree, *grads)] for tree in (ours[0], *(ours[1][s] for s in optimizer.slots))]
        old = ours
        ours = optimizer.step(ours[0], grads, ours[1], COMPILED)
        numpys = optimizer.step(numpys[0], grads, numpys[1])
        trees = (old[0], *(old[1][s] for s in optimizer.slots))
        for tree, copies in zip(trees, before, strict=True):
            for a, copy in zip((*tree, *grads), copies, strict=True):
                same(a, copy)
        for name in optimizer.slots:
            for a, b in zip(ours[1][name], numpys[1][name], strict=True):
                same(a, b)
        for a, b in zip(ours[0], numpys[0], strict=True):
            same(a, b)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_training_without_recurrences_has_the_same_bits_on_both_backends(dtype):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 20, (40, 6)), rng.standard_normal((40, 6, 1))
    models = []
    for name in ("numpy", "numba"):
        layers = [Embedding(20, 5), Dropout(0.3), Dense(7, activation="relu"), SpatialDropout1D(0.2), Dense(1)]
        models.append(Sequential(layers, seed=3, dtype=dtype, backend=name))
        models[-1].compile(Adam(0.01), "mse")
        models[-1].fit(x, y, batch_size=16, epochs=2, verbose=0)
    for a, b in zip(*(model.get_weights() for model in models), strict=True):
        same(a, b)


def test_a_rule_of_a_users_own_is_not_passed_over():
    class Backwards(Adam):
        def update(self, p, g, kept, rate, t):
            return super().update(p, -g, kept, rate, t)

    params = [np.zeros(4, np.float32)]
    moved, _ = Backwards(0.1).step(params, [np.ones(4, np.float32)], Backwards(0.1).init(params), COMPILED)
    assert (moved[0] > 0).all()


def test_which_rules_are_compiled_is_known():
    a = numbers((8,), "float32", special=False) ** 2
    adam, rmsprop = ("adam", (0.1, 0.1, 0.1, 1e-7)), ("rmsprop", (0.1, 0.9, 0.1, 1e-7))
    strided, mixed = (a[::2],) * 4, (a, a, a, a.astype("float64"))
    known, *others = COMPILED.moved(*adam, [(a, a, a, a), strided, mixed])
    assert len(known) == 3
    assert others == [None, None]
    assert len(COMPILED.moved(*rmsprop, [(a, a, a)])[0]) == 2
    assert COMPILED.moved("another", (), [(a, a)]) == [None]
    assert TEXTBOOK.moved(*adam, [(a, a, a, a)]) == [None]


def test_a_backend_says_what_runs_beside_its_recurrences():
    assert backend("numpy").elementwise.origin == "textbook"
    assert backend("numba").elementwise.origin == "numba"


@pytest.fixture
def broken(monkeypatch):
    """Numba is installed, and cannot be loaded."""
    for part in ("elementwise", "kernel"):
        monkeypatch.setitem(sys.modules, f"rnnkit_kernels.numba_cpu.{part}", None)
    backends._loaded.cache_clear()
    yield
    backends._loaded.cache_clear()


def test_a_numba_that_was_asked_for_and_cannot_be_loaded_is_named(broken):
    with pytest.raises(ImportError, match=r"backend 'numba' needs Numba, .* pip install 'rnnkit\[numba\]'"):
        _ = backends.backend("numba").elementwise


def test_a_numba_that_cannot_be_loaded_is_told_once_and_the_textbook_runs(broken):
    found = backends.backend("auto")
    with pytest.warns(RuntimeWarning, match=r"cannot be loaded .* pip install --upgrade 'rnnkit\[numba\]'"):
        assert found.kernel(cells.LSTM()).origin == "textbook"
    assert found.kernel(cells.GRU()).origin == "textbook"  # a second warning would be an error
    assert type(found.elementwise) is Elementwise
