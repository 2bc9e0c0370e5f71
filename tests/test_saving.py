"""Files: what is saved comes back to the last bit, and nothing else comes back at all."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layer_cases import an_input, example
from safetensors import safe_open
from safetensors.numpy import load as tensors_of
from safetensors.numpy import save as to_bytes
from test_layers import Leaky

import rnnkit
from rnnkit import Sequential, files, initializers, layers, losses, metrics, optimizers
from rnnkit.layers import GRU, LSTM, RNN, Dense, Input, SimpleRNN

X = np.random.default_rng(0).standard_normal((5, 4, 2))
Y = np.random.default_rng(1).standard_normal((5, 1))
FILES = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.rnn"


def there_and_back(model, path, **options):
    model.save(path)
    return rnnkit.load(path, **options)


def trained(stack, **options):
    model = Sequential(stack, **({"seed": 0} | options))
    model.compile("adam", "mse", ["mae"])
    model.fit(X, Y, verbose=0)
    return model


def alike(a, b, x=X):
    """The same bits, the same dtype, the same layers and the same predictions."""
    assert a.dtype == b.dtype
    assert a.seed == b.seed
    assert a.layers == b.layers
    assert a.input_shape == b.input_shape
    assert a.output_shape == b.output_shape
    for p, q in zip(a.params, b.params, strict=True):
        assert list(p) == list(q)
        for k in p:
            assert p[k].dtype == q[k].dtype == a.dtype
            np.testing.assert_array_equal(p[k], q[k])
    np.testing.assert_array_equal(a.predict(x), b.predict(x))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(layers.ALL.keys() - {"Input"}))
def test_every_layer_comes_back_to_the_last_bit(name, dtype, path):
    layer = example(name)
    x = an_input(layer, np.random.default_rng(0))
    model = Sequential([layer, Dense(1)], dtype=dtype, seed=4)
    model.predict(x)
    alike(there_and_back(model, path), model, x)


@pytest.mark.parametrize(
    "layer",
    [
        LSTM(2, "swish", "hard_sigmoid", use_bias=False, dropout=0.25, recurrent_dropout=0.5, return_sequences=True),
        GRU(2, reset_after=False, go_backwards=True, stateful=True, name="lower"),
        LSTM(2, unit_forget_bias=False, kernel_initializer=initializers.RandomNormal(0.0, 0.1)),
        SimpleRNN(np.int64(2), recurrent_initializer=initializers.Orthogonal, input_shape=[None, 2]),
        layers.LayerNormLSTM(2, epsilon=1e-2),
        RNN(rnnkit.cells.LSTM("relu"), 3),  # a cell, where a layer has the same name
        RNN(rnnkit.cells.GRUBefore(), 3),
    ],
    ids=repr,
)
def test_every_option_of_a_layer_comes_back(layer, path):
    model = trained([layer, Dense(1)] if not layer.return_sequences else [layer, GRU(2), Dense(1)])
    model.reset_states()
    model.save(path)
    loaded = rnnkit.load(path)
    for name in {"input_shape", "kernel_initializer", "recurrent_initializer"} ^ set(layer.config()):
        assert getattr(loaded.layers[0], name) == getattr(layer, name), name
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_a_compiled_model_comes_back_compiled(path):
    model = Sequential([LSTM(2), Dense(1)], seed=0)
    optimizer = optimizers.SGD(0.1, momentum=0.9, nesterov=True, clipnorm=1.0)
    model.compile(optimizer, losses.Huber(2.0), ["mae", "mean_squared_error", metrics.rmse])
    model.fit(X, Y, verbose=0)
    loaded = there_and_back(model, path)
    assert loaded.optimizer == optimizer
    assert loaded.loss == losses.Huber(2.0)
    assert [m.name for m in loaded.metrics] == ["mae", "mean_squared_error", "rmse"]
    assert loaded.evaluate(X, Y) == model.evaluate(X, Y)
    assert loaded.optimizer_state is None  # moments are not saved
    model.compile(optimizer, losses.Huber(2.0))
    loaded.compile(optimizer, losses.Huber(2.0))
    again = [m.fit(X, Y, epochs=2, shuffle=False, verbose=0).history["loss"] for m in (model, loaded)]
    assert again[0] == again[1]
    uncompiled = Sequential([LSTM(2)], seed=0)
    uncompiled.predict(X)
    assert there_and_back(uncompiled, path).loss is None


def test_fixed_and_free_numbers_of_steps_come_back_as_they_were(path):
    for model in (Sequential([Input((4, 2)), LSTM(2)]), Sequential([Input((None, 2)), LSTM(2)]), Sequential([LSTM(2)])):
        model.predict(X)
        loaded = there_and_back(model, path)
        alike(loaded, model)
        if model.input_shape[1] is None:
            np.testing.assert_array_equal(loaded.predict(X[:, :3]), model.predict(X[:, :3]))
        else:
            with pytest.raises(ValueError, match="the model was built for inputs"):
                loaded.predict(X[:, :3])


def test_a_shape_of_numpys_own_numbers_is_kept_as_a_shape(path):
    model = Sequential([LSTM(2)], seed=0)
    model.build((None, np.int64(4), np.int32(2)))
    alike(there_and_back(model, path), model)


def test_a_path_may_be_text_and_the_file_has_nothing_but_weights_and_a_configuration(path):
    model = trained([GRU(2), Dense(1)])
    model.save(str(path))
    with safe_open(path, framework="numpy") as file:
        assert sorted(file.keys()) == ["0.U", "0.W", "0.b", "0.b_h", "1.W", "1.b"]
        assert list(file.metadata()) == ["rnnkit"]
        assert json.loads(file.metadata()["rnnkit"])["layers"][0]["class"] == "GRU"
    alike(rnnkit.load(str(path)), model)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


# What is a user's own


class Cube:
    """An activation with a number of its own."""

    def __init__(self, scale=1.0):
        self.scale = scale

    def value(self, a):
        return self.scale * a * a * a

    def derivative(self, a):
        return 3 * self.scale * a * a


def square(a):
    return a * a


class Bias:
    """A metric of a user's own: the mean error with its sign."""

    name = "bias"

    def __call__(self, y, target, *, sample_weight=None, mask=None):
        return float((y - target).sum()), float(y.size)

    def result(self, total, count):
        return total / count


def test_a_users_own_classes_come_back_through_custom_and_are_asked_for(path):
    model = trained([RNN(Leaky(), 3, return_sequences=True), LSTM(2, square), Dense(1, Cube(2.0))])
    with pytest.raises(
        ValueError, match=r"made with 'Leaky', which is not part of rnnkit; pass it as load\(path, custom=\[Leaky"
    ):
        there_and_back(model, path)
    cube = Cube(2.0)
    loaded = rnnkit.load(path, custom=[Leaky, square, cube])
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.layers[0].cell == Leaky()
    assert loaded.layers[2].activation is cube
    with pytest.raises(
        ValueError, match=r"made with an object of Cube; pass one, as load\(path, custom=\[Cube\(\)\]\)"
    ):
        rnnkit.load(path, custom=[Leaky, square, Cube])


def test_a_users_own_metric_comes_back_through_custom(path):
    model = Sequential([LSTM(2), Dense(1)], seed=0)
    model.compile("sgd", "mse", [Bias(), "mae"])
    model.predict(X)
    model.save(path)
    with pytest.raises(
        ValueError,
        match=r"it was made with 'Bias', which is not part of rnnkit; pass it as load\(path, custom=\[Bias\]",
    ):
        rnnkit.load(path)
    for custom in (Bias, Bias()):
        assert rnnkit.load(path, custom=[custom]).evaluate(X, Y) == model.evaluate(X, Y)


def test_what_a_file_cannot_name_is_not_saved(path):
    with pytest.raises(ValueError, match="an unbuilt model has no weights to save: build it, or use it on data first"):
        Sequential([LSTM(2)]).save(path)
    with pytest.raises(ValueError, match="a lambda has no name that a file could keep; write it with def"):
        trained([LSTM(2), Dense(1, lambda a: a * a)]).save(path)

    @dataclass(frozen=True)
    class MGU(Leaky):
        pass

    with pytest.raises(ValueError, match="a class of yours is called MGU, as one of rnnkit's own is"):
        trained([RNN(MGU(), 2), Dense(1)]).save(path)
    assert not path.exists()


# Files that are no models


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "model.rnn"
    trained([LSTM(3), Dense(1)]).save(path)
    return path.read_bytes()


@FILES
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_that_is_cut_short_is_refused(good, path, share):
    path.write_bytes(good[: int(share * len(good))])
    with pytest.raises(
        ValueError, match=r"model\.rnn is no whole safetensors file .*; it may be cut short, or be something"
    ):
        rnnkit.load(path)


@FILES
@given(content=st.binary(max_size=200))
def test_random_bytes_are_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"is no whole safetensors file|without a model of rnnkit"):
        rnnkit.load(path)


@FILES
@given(at=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_file_with_a_wrong_byte_is_refused_or_loads_as_a_whole(good, path, at, flip):
    content = bytearray(good)
    content[int(at * len(good))] ^= flip
    path.write_bytes(bytes(content))
    try:
        model = rnnkit.load(path)
    except ValueError:
        return
    # A bit of a weight, of a name, or of a number in the configuration: still a whole model.
    plans = [layer.plan(shape)[0] for layer, shape in zip(model.layers, model.shapes[:-1], strict=True)]
    assert [{k: w.shape for k, w in p.items()} for p in model.params] == plans


def test_files_of_others_and_files_that_are_not_there_are_refused(path):
    path.write_bytes(to_bytes({"weight": np.ones(3)}))
    with pytest.raises(
        ValueError, match="cannot be read as a model: it is a safetensors file without a model of rnnkit"
    ):
        rnnkit.load(path)
    with pytest.raises(FileNotFoundError, match=r"there is no file .*nowhere\.rnn"):
        rnnkit.load(path.with_name("nowhere.rnn"))
    with pytest.raises(FileNotFoundError, match="there is no file"):
        rnnkit.load(path.parent)


def changed(good, path, change, tensors=None):
    """Loads the good file with its configuration changed, or with other tensors."""
    path.write_bytes(good)
    with safe_open(path, framework="numpy") as file:
        config = json.loads(file.metadata()["rnnkit"])
    text = change(config)
    held = tensors_of(good) | (tensors or {})
    path.write_bytes(to_bytes({k: v for k, v in held.items() if v is not None}, {"rnnkit": text or json.dumps(config)}))
    return rnnkit.load(path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: c["layers"][0].update(units=10**9), r"weight 0\.U should be \(\(1000000000, 4000000000\), 'F32'\)"),
        (lambda c: c["layers"][0].update(units=10**30), r"weight 0\.U should be"),
        (lambda c: c.update(shape=[None, 4, 10**12]), r"weight 0\.W should be \(\(1000000000000, 12\)"),
        (
            lambda c: c["layers"].append({"class": "Dense", "kind": "layer", "units": 10**9}),
            r"weight 2\.W should be .* and is absent",
        ),
        (lambda c: c["layers"].pop(), r"weight 1\.W should be absent"),
        (lambda c: c.update(layers=[]), "should be absent"),
        (lambda c: c.update(dtype="float64"), "'F64'"),
        (lambda c: c.update(dtype="float16"), "dtype is 'float32' or 'float64', got 'float16'"),
        (lambda c: c.update(shape=[None, -4, 2]), r"its input shape is \(None, -4, 2\)"),
        (lambda c: c.update(shape=[]), r"LSTM takes \(batch, time, features\); got shape \(\)"),
        (lambda c: c.update(seed="a"), "its configuration is broken"),
        (lambda c: c.update(format="rnnkit model 99"), "without a model of rnnkit in it"),
        (lambda c: c["layers"][0].update(units=-3), "units is a whole number from 1 up, got -3"),
        (lambda c: c["layers"][0].update(units=True), "units is a whole number from 1 up, got True"),
        (lambda c: c["layers"][0].update(activation="tahn"), "unknown activation 'tahn'; did you mean 'tanh'"),
        (lambda c: c["layers"][0].update(return_state=True), "has several outputs"),
        (lambda c: c["layers"][0].update(colour="red"), "its configuration is broken .*colour"),
        (
            lambda c: c["layers"].__setitem__(0, {"class": "os.system", "kind": "layer"}),
            "made with 'os.system', which is not part",
        ),
        (
            lambda c: c["layers"].__setitem__(0, {"class": "SGD", "kind": "optimizer"}),
            "has 'SGD', one of the kind 'optimizer', where one of the kind 'layer' belongs",
        ),
        (lambda c: c["layers"].__setitem__(0, "LSTM"), "its configuration is broken"),
        (
            lambda c: c["compiled"].update(optimizer={"class": "Dense", "kind": "layer", "units": 1}),
            "has 'Dense', one of the kind 'layer', where one of the kind 'optimizer' belongs",
        ),
        (
            lambda c: c["compiled"].update(loss={"class": "LSTM", "kind": "layer", "units": 1}),
            "has 'LSTM', one of the kind 'layer', where one of the kind 'loss' belongs",
        ),
        (
            lambda c: c["layers"][0].update(kernel_regularizer={"class": "MSE", "kind": "loss"}),
            "has 'MSE', one of the kind 'loss', where one of the kind 'regularizer' belongs",
        ),
        (
            lambda c: c["layers"][1].update(activation={"class": "Zeros", "kind": "initializer"}),
            "has 'Zeros', one of the kind 'initializer', where one of the kind 'activation' belongs",
        ),
        (
            lambda c: c["compiled"]["optimizer"].update(learning_rate={"class": "MSE", "kind": "loss"}),
            "has 'MSE', one of the kind 'loss', where one of the kind 'schedule' belongs",
        ),
        (
            lambda c: (c.update(steps_fixed=False), c["layers"][0].update(input_shape=[10**9, 10**9])),
            r"its first layer says input_shape=\(1000000000, 1000000000\), and that the shape is free",
        ),
        (lambda c: c["layers"][1].update(kernel_initializer=None), "its configuration is broken"),
        (
            lambda c: (c.update(shape=[]), c["layers"].insert(0, {"class": "Flatten", "kind": "layer"})),
            "its configuration is broken",
        ),
        (lambda c: c.update(compiled={}), "its configuration is broken"),
        (lambda c: c.pop("layers") and None, "its configuration is broken"),
        (lambda c: "{", "its configuration is broken"),
        (lambda c: "[]", "without a model of rnnkit in it"),
        (lambda c: "[" * 100_000, "its configuration is broken"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused_before_memory_is_taken(good, path, change, sentence):
    with pytest.raises(ValueError, match=rf"model\.rnn cannot be read as a model: .*{sentence}"):
        changed(good, path, lambda c: text if isinstance(text := change(c), str) else None)


@pytest.mark.parametrize(
    ("tensors", "sentence"),
    [
        ({"0.U": None}, r"weight 0\.U should be \(\(3, 12\), 'F32'\) and is absent"),
        ({"9.W": np.ones(3)}, r"weight 9\.W should be absent and is \(\(3,\), 'F64'\)"),
        (
            {"0.U": np.ones((3, 3), np.float32)},
            r"weight 0\.U should be \(\(3, 12\), 'F32'\) and is \(\(3, 3\), 'F32'\)",
        ),
        ({"0.U": np.ones((3, 12))}, r"weight 0\.U should be \(\(3, 12\), 'F32'\) and is \(\(3, 12\), 'F64'\)"),
    ],
)
def test_weights_that_do_not_match_the_configuration_are_refused(good, path, tensors, sentence):
    with pytest.raises(ValueError, match=sentence):
        changed(good, path, lambda c: None, tensors)


# Writing


def test_a_save_that_fails_midway_leaves_the_old_file_and_nothing_beside_it(path, monkeypatch):
    model = trained([LSTM(2), Dense(1)])
    model.save(path)
    old = path.read_bytes()
    model.fit(X, Y, verbose=0)

    def fails(*arguments):
        raise OSError(28, "No space left on device")

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, fails)
            with pytest.raises(OSError, match="No space left on device"):
                model.save(path)
        assert path.read_bytes() == old
        assert [p.name for p in path.parent.iterdir()] == [path.name]
    model.save(path)
    assert path.read_bytes() != old
    alike(rnnkit.load(path), model)


def test_a_write_that_is_interrupted_leaves_the_old_file(path, monkeypatch):
    files.write_atomically(path, b"old")

    class Interrupted:
        def __init__(self, handle):
            self.handle = handle

        def __enter__(self):
            return self

        def __exit__(self, *_):
            os.close(self.handle)

        def write(self, content):
            os.write(self.handle, content[:2])
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "fdopen", lambda handle, mode: Interrupted(handle))
    with pytest.raises(KeyboardInterrupt):
        files.write_atomically(path, b"new content")
    assert path.read_bytes() == b"old"
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_place_that_cannot_be_written_to_is_told(path, monkeypatch):
    model = trained([LSTM(2), Dense(1)])
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere to write model\.rnn into"):
        model.save(path.parent / "nowhere" / "model.rnn")
    with pytest.raises(IsADirectoryError, match="is a folder; give the name of a file"):
        model.save(path.parent)

    def refuses(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files.tempfile, "mkstemp", refuses)  # root may write anywhere
    with pytest.raises(PermissionError, match=r"the folder .* cannot be written to, so model\.rnn was not saved"):
        model.save(path)
    assert not path.exists()


def test_a_saved_file_has_the_rights_of_any_new_file(path):
    trained([LSTM(2), Dense(1)]).save(path)
    other = Path(path.parent / "other")
    other.touch()
    assert path.stat().st_mode == other.stat().st_mode


def test_a_table_that_was_given_is_kept_as_weights_and_not_as_an_argument(path):
    model = Sequential([layers.Embedding(3, 2, weights=np.ones((3, 2)))])
    model.build((None, 4))
    again = there_and_back(model, path)
    assert again.layers[0].weights is None
    np.testing.assert_array_equal(again.params[0]["embeddings"], np.ones((3, 2)))
