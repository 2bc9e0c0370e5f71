"""Models on arrays of another place: they learn along the same curve, and the host waits once an epoch, not a step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from device_models import LABELS, MODELS, STEPS, L, X, Y, assert_close, model_of

import rnnkit
from rnnkit import Sequential, bptt, callbacks, gradcheck
from tests.kernels.device_backend import ON_A_DEVICE
from tests.kernels.device_double import Device


@pytest.fixture(autouse=True)
def _nothing_has_happened() -> None:
    Device.waits.clear()
    Device.uploads.clear()


@pytest.mark.parametrize("name", MODELS)
def test_a_model_learns_to_the_same_weights_and_waits_twice_an_epoch(name: str) -> None:
    (model, x, y), (there, _, _) = model_of(name, False), model_of(name, True)
    wanted = model.fit(x, y, batch_size=5, epochs=3, verbose=0)
    found = there.fit(x, y, batch_size=5, epochs=3, verbose=0)
    # the loss of the first step; then each epoch its sums, and whether the weights are finite
    assert len(Device.waits) == 1 + 2 * 3, Device.waits
    batches = 5 * 3
    parameters = [w.shape for p in there.params for w in p.values()]
    assert len(Device.uploads) == 2 * batches + len(parameters)
    assert_close(found.history, wanted.history)
    assert {type(value) for values in found.history.values() for value in values} == {float}
    for a, b in zip(there.get_weights(), model.get_weights(), strict=True):
        assert type(a) is np.ndarray
        np.testing.assert_array_equal(a, b)
    assert all(type(w) is Device for p in there.params for w in p.values())


@pytest.mark.parametrize("name", MODELS)
def test_what_a_model_hands_out_lies_in_main_memory(name: str, tmp_path: Any) -> None:
    (model, x, y), (there, _, _) = model_of(name, False), model_of(name, True)
    for each in (model, there):
        each.build(x.shape)
    y_here = model.predict(x, batch_size=7)
    np.testing.assert_array_equal(there.predict(x, batch_size=7), y_here)
    assert_close(there.evaluate(x, y, batch_size=7), model.evaluate(x, y, batch_size=7))
    (out, pullback), (out_there, pullback_there) = model.forward(x[:3]), there.forward(x[:3])
    np.testing.assert_array_equal(out_there, out)
    grads, dx = pullback_there(np.ones_like(out))
    wanted, dx_here = pullback(np.ones_like(out))
    np.testing.assert_array_equal(dx, dx_here)
    for a, b in zip(there.get_weights(grads), model.get_weights(wanted), strict=True):
        np.testing.assert_array_equal(a, b)
    there.set_weights([w + 1 for w in model.get_weights()])
    there.save(tmp_path / "model.safetensors")
    loaded = rnnkit.load(tmp_path / "model.safetensors")
    loaded.backend = model.backend
    for a, b in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b + 1)
    assert_close(there.train_on_batch(x[:4], y[:4]), loaded.train_on_batch(x[:4], y[:4]))


def test_evaluation_waits_twice_and_prediction_once_a_batch() -> None:
    model, x, y = model_of("LSTM", True)
    model.build(x.shape)
    model.evaluate(x, y, batch_size=4)
    assert len(Device.waits) == 2
    Device.waits.clear()
    model.predict(x, batch_size=4)
    assert len(Device.waits) == 6


@pytest.mark.parametrize("masked", [False, True])
def test_truncated_steps_learn_to_the_same_weights(masked: bool) -> None:
    MODELS["truncated"] = lambda: ([L.GRU(3, return_sequences=True), L.Dense(1)], X, STEPS)
    mask = np.arange(6) < np.random.default_rng(1).integers(1, 7, 24)[:, None] if masked else None
    found = []
    for device in (False, True):
        model, x, y = model_of("truncated", device)
        history = model.fit(x, y, batch_size=5, epochs=2, tbptt=2, mask=mask, verbose=0)
        found.append((history.history, model.get_weights()))
    if not masked:
        assert len(Device.waits) - len(found[0][1]) == 1 + 2 * 2
    assert_close(found[1][0], found[0][0])
    for a, b in zip(found[1][1], found[0][1], strict=True):
        np.testing.assert_array_equal(a, b)
    del MODELS["truncated"]


def test_callbacks_see_the_same_logs_and_only_one_that_reads_those_of_a_batch_waits() -> None:
    seen: dict[bool, list[dict[str, float]]] = {False: [], True: []}
    for device in (False, True):
        model, x, y = model_of("GRU", device)
        quiet = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
        model.fit(x, y, batch_size=8, epochs=1, callbacks=[quiet], verbose=0)
        assert len(Device.waits) == 3 * device
        Device.waits.clear()
        reads = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs, to=seen[device]: to.append(dict(logs)))
        model.fit(x, y, batch_size=8, epochs=1, callbacks=[reads], verbose=0)
        assert len(Device.waits) == (3 + 3) * device
        Device.waits.clear()
    for found, wanted in zip(seen[True], seen[False], strict=True):
        assert_close(found, wanted)


def test_a_users_own_mean_is_added_up_in_double_as_on_the_cpu() -> None:
    found = []
    for device in (False, True):
        model, x, y = model_of("GRU", device, metrics=[lambda wanted, y: np.mean(np.abs(wanted - y))])
        found.append(model.fit(x, y, batch_size=5, epochs=2, verbose=0).history)
    assert_close(found[1], found[0])


WATCHED: dict[str, dict[str, Any]] = {
    "the best weights": {
        "validation_split": 0.25, "epochs": 4, "optimizer": rnnkit.optimizers.SGD(0.5, momentum=0.9),
        "callbacks": lambda path: callbacks.EarlyStopping("val_loss", patience=1, restore_best_weights=True),
    },
    "files of weights": {"callbacks": lambda path: callbacks.ModelCheckpoint(path / "m.safetensors", monitor="loss")},
    "a rate that is halved": {
        "epochs": 3, "callbacks": lambda path: callbacks.ReduceLROnPlateau("loss", patience=0, factor=0.5, min_delta=9),
    },
    "weights of classes": {"y": LABELS, "class_weight": {0: 1.0, 1: 2.0, 2: 0.5}},
    "rows that begin anew": {"reset": np.arange(6) == np.arange(24)[:, None] % 6},
    "a mask": {"mask": np.arange(6) < 1 + np.arange(24)[:, None] % 6, "weighted_metrics": ["mse"]},
    "a mean of two gradients": {"optimizer": rnnkit.optimizers.Nadam(0.1, gradient_accumulation_steps=2, clipnorm=0.1)},
}  # fmt: skip


@pytest.mark.parametrize("name", WATCHED)
def test_what_fit_is_told_beside_the_data_leads_to_the_same_weights(name: str, tmp_path: Any) -> None:
    weights, told = [], WATCHED[name]
    for device in (False, True):
        given = {"epochs": 2, "batch_size": 5, "verbose": 0} | told
        compiled = {k: given.pop(k) for k in ("optimizer", "loss", "weighted_metrics") if k in given}
        if "callbacks" in given:
            given["callbacks"] = [given["callbacks"](tmp_path)]
        model, x, y = model_of("LSTM", device, **compiled)
        model.fit(x, given.pop("y", y), **given)
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_logs_of_a_batch_that_are_read_later_are_those_of_that_batch() -> None:
    kept: dict[bool, list[Any]] = {False: [], True: []}
    for device in (False, True):
        model, x, y = model_of("GRU", device)
        keeps = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs, to=kept[device]: to.append(logs))
        model.fit(x, y, batch_size=8, epochs=1, callbacks=[keeps], verbose=0)
    for found, wanted in zip(kept[True], kept[False], strict=True):
        assert_close(dict(found), wanted)
        assert str(found).startswith("{'loss': ")


def test_a_stream_runs_in_main_memory_and_gives_the_same() -> None:
    (model, x, _), (there, _, _) = model_of("GRU", False), model_of("GRU", True)
    for each in (model, there):
        each.build(x.shape)
    streams = model.stream(3), there.stream(3)
    Device.waits.clear()
    for t in range(4):
        a, b = (stream.step(x[:3, t]) for stream in streams)
        np.testing.assert_allclose(b, a, rtol=1e-6)
    assert Device.waits == []


def test_a_trace_is_the_same_and_lies_in_main_memory() -> None:
    (model, x, y), (there, _, _) = model_of("LSTM", False), model_of("LSTM", True)
    found, wanted = bptt.trace(there, x[:3], y[:3]), bptt.trace(model, x[:3], y[:3])
    assert type(found.loss) is float
    assert found.loss == wanted.loss
    for name, gate in wanted[0].gates.items():
        np.testing.assert_array_equal(found[0].gates[name], gate)
    for name, state in wanted[0].dstate.items():
        np.testing.assert_array_equal(found[0].dstate[name], state)
    np.testing.assert_array_equal(found[0].dU, wanted[0].dU)
    np.testing.assert_array_equal(found.dx, wanted.dx)
    found[0].norms()


def test_gradients_are_checked_where_the_model_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    model: Any = Sequential([L.LSTM(2, kernel_regularizer="l2"), L.Dense(1)], backend="numpy", dtype="float64", seed=0)
    model.backend = ON_A_DEVICE
    monkeypatch.setattr("rnnkit.context.backend_of", lambda name: ON_A_DEVICE if name == "cuda" else pytest.fail(name))
    assert gradcheck(model, X[:2], Y[:2], backend="cuda", elements=20).ok
    monkeypatch.undo()
    assert gradcheck(model, X[:2], Y[:2], elements=20).ok
    assert all(type(w) is Device for p in model.params for w in p.values())


def test_warming_up_and_the_words_about_a_model_work() -> None:
    model, x, _ = model_of("convolution", True)
    model.build(x.shape)
    model.warmup(verbose=0)
    assert "cuda" in str(model.explain())
    assert model.count_params()
    with pytest.raises(ValueError, match="measure=True times layers on the CPU"):
        model.explain(measure=True)
