"""What goes wrong on a device is told as in main memory, though nobody looks at the numbers of a step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from device_models import L, X, model_of

import rnnkit
from rnnkit import Sequential, callbacks
from rnnkit.placing import here
from rnnkit.second_look import Before
from tests.kernels.device_backend import ON_A_DEVICE


def failing(device: bool, epochs: int, **options: Any) -> tuple[Any, BaseException]:
    """A model that overflows, and what it says."""
    model, x, y = model_of("SimpleRNN", device, optimizer=rnnkit.optimizers.SGD(3e15), metrics=[])
    with pytest.raises(FloatingPointError) as caught:
        model.fit(x, y, batch_size=5, epochs=epochs, verbose=0, **options)
    return model, caught.value


@pytest.mark.parametrize("options", [{}, {"shuffle": False}, {"callbacks": [callbacks.EarlyStopping("loss")]}])
def test_a_number_that_is_not_finite_is_named_as_on_the_cpu_and_the_weights_are_those_before(options: Any) -> None:
    (model, wanted), (there, found) = failing(False, 4, **options), failing(True, 4, **options)
    assert str(found) == str(wanted)
    for a, b in zip(there.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_batches_that_come_once_cannot_be_looked_at_again_and_the_weights_are_those_before_the_epoch() -> None:
    model, x, y = model_of("SimpleRNN", True, optimizer=rnnkit.optimizers.SGD(3e15), metrics=[])
    model.build(x.shape)
    before = model.get_weights()
    with pytest.raises(FloatingPointError, match="in epoch 1, and the batches cannot be gone through again to see"):
        model.fit(((x[k : k + 5], y[k : k + 5]) for k in range(0, 20, 5)), verbose=0)
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("ask", ["fit", "train_on_batch", "evaluate", "predict"])
def test_memory_that_is_full_is_told_with_what_to_do_and_the_model_is_as_it_was(
    ask: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, x, y = model_of("SimpleRNN", True, metrics=[])
    model.build(x.shape)
    before, calls = model.get_weights(), []
    kind = type(model.layers[0])
    run = kind.__call__

    def full(layer: Any, *given: Any) -> Any:
        calls.append(layer)
        if len(calls) > 2 or ask == "train_on_batch":
            raise MemoryError("Out of memory allocating 8,192 bytes")
        return run(layer, *given)

    monkeypatch.setattr(kind, "__call__", full)
    given = (x,) if ask == "predict" else (x, y)
    how = {} if ask == "train_on_batch" else {"batch_size": 5, "verbose": 0}
    with pytest.raises(MemoryError, match=r"no memory left \(Out of memory .* 8,192 bytes\): give fewer rows at once"):
        getattr(model, ask)(*given, **how)
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("ask", ["fit", "train_on_batch", "evaluate"])
def test_a_label_that_is_no_class_is_refused_with_the_same_sentence(ask: str) -> None:
    told = []
    for device in (False, True):
        model, x, y = model_of("tokens", device)
        model.build(x.shape)
        before = model.get_weights()
        wrong = np.where(np.arange(24)[:, None] == 3, 9, y)
        with pytest.raises(ValueError, match="target has 9") as caught:
            getattr(model, ask)(x, wrong, **({"verbose": 0, "shuffle": False, "batch_size": 2} if ask == "fit" else {}))
        told.append((str(caught.value), getattr(caught.value, "__notes__", [])))
        if ask != "fit":
            for a, b in zip(model.get_weights(), before, strict=True):
                np.testing.assert_array_equal(a, b)
    assert told[1] == told[0]


@pytest.mark.parametrize("ask", ["fit", "predict", "evaluate", "train_on_batch"])
def test_an_index_that_is_not_in_the_table_is_refused_with_the_same_sentence(ask: str) -> None:
    told = []
    for device in (False, True):
        model, x, y = model_of("tokens", device)
        model.build(x.shape)
        wrong = x.copy()
        wrong[5, 2] = 7
        with pytest.raises(ValueError, match="0 to 6") as caught:
            getattr(model, ask)(*((wrong,) if ask == "predict" else (wrong, y)))
        told.append(str(caught.value))
    assert told[1] == told[0]


def test_an_unbuilt_model_that_fails_in_its_first_epoch_has_the_weights_that_it_would_have_on_the_cpu() -> None:
    (model, _), (there, _) = failing(False, 1), failing(True, 1)
    for a, b in zip(there.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_epoch_that_is_looked_at_again_is_seen_by_callbacks_once() -> None:
    seen: list[int] = []
    epochs: list[int] = []
    counts = callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: epochs.append(epoch),
        on_train_batch_end=lambda batch, logs: seen.append(batch),
    )
    failing(True, 4, callbacks=[counts])
    assert epochs
    assert seen == [*range(5)] * len(epochs)


def test_what_is_put_back_is_all_that_steps_change() -> None:
    found = []
    for interrupted in (False, True):
        model, x, y = model_of("penalties", True)
        model.fit(x, y, batch_size=8, epochs=1, verbose=0)
        if interrupted:
            before = Before(model)
            model.fit(x, y, batch_size=8, epochs=1, verbose=0)
            before.put_back()
        model.fit(x, y, batch_size=8, epochs=1, verbose=0)
        found.append((model.get_weights(), here(model.states)[0]["h"], here(model.optimizer_state["momentum"])))
    for a, b in zip(found[1][0], found[0][0], strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(found[1][1], found[0][1])
    np.testing.assert_array_equal(found[1][2][0]["W"], found[0][2][0]["W"])


def test_an_output_that_is_not_finite_is_named_where_the_loss_does_not_tell() -> None:
    """A crossentropy cuts what is no probability to one."""
    told = []
    for device in (False, True):
        model: Any = Sequential([L.Dense(1)], backend="numpy", seed=0)
        model.backend = ON_A_DEVICE if device else model.backend
        model.compile("sgd", "binary_crossentropy")
        x = np.full((24, 1), 10, "f")
        model.build(x.shape)
        model.set_weights([np.full((1, 1), 3e38), np.zeros(1)])
        with pytest.raises(FloatingPointError) as caught:
            model.evaluate(x, np.ones((24, 1)))
        told.append(str(caught.value))
    assert told[1] == told[0]


def test_predictions_that_are_not_finite_name_the_batch_and_leave_the_states() -> None:
    told = []
    for device in (False, True):
        model: Any = Sequential([L.SimpleRNN(2, "relu", stateful=True)], backend="numpy", seed=0)
        model.backend = ON_A_DEVICE if device else model.backend
        model.build(X.shape)
        model.predict(X[:5])
        before = here(model.states)
        model.set_weights([w * 1e25 for w in model.get_weights()])
        with pytest.raises(FloatingPointError) as caught:
            model.predict(X, batch_size=5)
        told.append(str(caught.value))
        if device:
            np.testing.assert_array_equal(here(model.states)[0]["h"], before[0]["h"])
    assert told[1] == told[0]
