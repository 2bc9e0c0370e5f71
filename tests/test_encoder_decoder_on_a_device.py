"""Encoder-decoders on arrays of another place: they learn as in main memory, and nothing comes down in a step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from device_models import assert_close
from encoder_decoder_cases import SOURCE_MASK, SOURCES, TARGETS, TOKENS, decoder, encoder

import rnnkit
from rnnkit import EncoderDecoder, gradcheck
from rnnkit.layers import GRU, LSTM, BatchNormalization, Dense, Dropout, Embedding, Flatten
from rnnkit.placing import here, there
from rnnkit.second_look import Before
from tests.kernels.device_backend import ON_A_DEVICE
from tests.kernels.device_double import Device

IMAGES = np.random.default_rng(0).standard_normal((3, 4, 2))
WHOLE = np.where(TARGETS == 0, 3, TARGETS)

KINDS: dict[str, Any] = {
    "GRU": lambda: ((encoder(GRU), decoder(GRU)), {}, SOURCES, TARGETS),
    "two LSTMs": lambda: ((encoder(LSTM, depth=2), decoder(LSTM, depth=2)), {}, SOURCES, TARGETS),
    "one state for two": lambda: ((encoder(LSTM), decoder(LSTM, depth=2)), {}, SOURCES, TARGETS),
    "all states from a vector": lambda: (([Flatten(), Dense(8)], decoder(LSTM)), {}, IMAGES, TARGETS),
    "h from a vector": lambda: (([Flatten(), Dense(4)], decoder(LSTM)), {}, IMAGES, TARGETS),
    "one-hot rows": lambda: ((encoder(), decoder(embedded=False)), {}, SOURCES, TARGETS),
    "no padding": lambda: ((encoder(), decoder()), {"pad": None}, SOURCES, WHOLE),
    "logits": lambda: ((encoder(), [*decoder()[:-1], Dense(TOKENS)]), {}, SOURCES, TARGETS),
    "dropped": lambda: (
        ([Embedding(TOKENS, 2, mask_zero=True), Dropout(0.3), GRU(4, recurrent_dropout=0.2)],
         [Embedding(TOKENS, 2), Dropout(0.3), GRU(4, return_sequences=True), BatchNormalization(),
          Dense(TOKENS, "softmax", kernel_regularizer="l2")]), {}, SOURCES, TARGETS,
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _nothing_has_happened() -> None:
    Device.waits.clear()
    Device.uploads.clear()


def on_a_device(model: EncoderDecoder) -> Any:
    model.backend, model.params = ON_A_DEVICE, there(ON_A_DEVICE, model.params)
    return model


def pair_of(kind: str, device: bool, **compiled: Any) -> tuple[Any, Any, Any]:
    sides, options, x, y = KINDS[kind]()
    model: Any = EncoderDecoder(*sides, backend="numpy", seed=3, **options)
    model.compile(**({"optimizer": rnnkit.optimizers.Adam(0.05)} | compiled))
    return (on_a_device(model) if device else model), x, y


def same_weights(one: Any, other: Any) -> None:
    """To the last bit."""
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        assert type(a) is np.ndarray
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("share", [1.0, 0.5])
@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_to_the_same_weights_and_nothing_comes_down_in_a_step(kind: str, share: float) -> None:
    (model, x, y), (there, _, _) = pair_of(kind, False), pair_of(kind, True)
    Device.uploads.clear()
    wanted = model.fit(x, y, batch_size=2, epochs=3, teacher_forcing=share, verbose=0)
    found = there.fit(x, y, batch_size=2, epochs=3, teacher_forcing=share, verbose=0)
    # the loss of the first step; then each epoch its sums, and whether the weights are finite
    assert len(Device.waits) == 1 + 2 * 3, Device.waits
    assert all(type(w) is Device for p in there.params for w in p.values())
    assert_close(found.history, wanted.history)
    same_weights(there, model)
    batches, drawn = 2 * 3, sum(w.size > 0 for p in there.encoder.params for w in p.values())
    assert len(Device.uploads) == 2 * batches + drawn


@pytest.mark.parametrize("kind", KINDS)
def test_what_it_hands_out_lies_in_main_memory(kind: str, tmp_path: Any) -> None:
    (model, x, y), (there, _, _) = pair_of(kind, False), pair_of(kind, True)
    for each in (model, there):
        each.build(x.shape)
        each.set_weights([3 * w for w in each.get_weights()])
    assert_close(there.evaluate(x, y, batch_size=2), model.evaluate(x, y, batch_size=2))
    for found, wanted in (
        (there.greedy(x, 5, batch_size=2), model.greedy(x, 5, batch_size=2)),
        (there.beam(x, 3, 5, length_penalty=0.5), model.beam(x, 3, 5, length_penalty=0.5)),
    ):
        np.testing.assert_array_equal(found.sequences, wanted.sequences)
        np.testing.assert_allclose(found.log_probabilities, wanted.log_probabilities, rtol=1e-5)
    np.testing.assert_array_equal(there.predict(x, 5), model.predict(x, 5))
    (out, pullback), (out_there, pullback_there) = model.forward(x, y), there.forward(x, y)
    np.testing.assert_allclose(out_there, out, atol=1e-6)
    assert type(out_there) is np.ndarray
    wanted, dx = pullback(np.ones_like(out))
    grads, dx_there = pullback_there(np.ones_like(out))
    np.testing.assert_allclose(dx_there, dx, atol=1e-5)
    for part, part_there in zip(wanted, grads, strict=True):
        for name, g in part.items():
            np.testing.assert_allclose(part_there[name], g, atol=1e-5)
    there.save(tmp_path / "pair.safetensors")
    loaded = rnnkit.load(tmp_path / "pair.safetensors", backend="numpy")
    assert loaded.backend.name == loaded.encoder.backend.name == loaded.decoder.backend.name == "numpy"
    same_weights(loaded, there)
    assert_close(there.train_on_batch(x, y), loaded.train_on_batch(x, y))


def test_a_file_is_read_to_a_device(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model, x, y = pair_of("GRU", False)
    model.build(x.shape)
    model.save(tmp_path / "pair.safetensors")
    monkeypatch.setattr("rnnkit.saving.backend_of", {"cuda": ON_A_DEVICE}.get)
    loaded = rnnkit.load(tmp_path / "pair.safetensors", backend="cuda")
    assert all(type(w) is Device for side in (loaded.encoder, loaded.decoder) for p in side.params for w in p.values())
    assert loaded.backend is loaded.encoder.backend is loaded.decoder.backend is ON_A_DEVICE
    assert_close(loaded.evaluate(x, y), model.evaluate(x, y))


def test_masks_lists_and_batches_that_come_one_by_one_learn_the_same() -> None:
    rows = [row[row != 0] for row in SOURCES], [row[row != 0] for row in TARGETS]
    data = [
        ((SOURCES, TARGETS), {"mask": SOURCE_MASK, "validation_data": (SOURCES, TARGETS)}),
        (rows, {"validation_data": rows}), (([(SOURCES[:2], TARGETS[:2]), (SOURCES[1:], TARGETS[1:])],), {}),
        ((SOURCES, TARGETS), {"sample_weight": np.array([1.0, 0.5, 0.0])}),
    ]  # fmt: skip
    for given, beside in data:
        (model, _, _), (there, _, _) = pair_of("GRU", False), pair_of("GRU", True)
        wanted = model.fit(*given, epochs=2, verbose=0, **beside)
        assert_close(there.fit(*given, epochs=2, verbose=0, **beside).history, wanted.history)
        same_weights(there, model)


WRONG = {
    "no token": (np.array([[4, 9, 2, 0]]), "y has the token 9 at sample 0, step 1"),
    "padding before a token": (np.array([[4, 0, 2, 0]]), "before a token at sample 0, step 2"),
    "a fraction": (np.array([[4, 0.5, 2, 0]]), "expected whole numbers, got 0.5"),
}


@pytest.mark.parametrize("one_by_one", [False, True])
@pytest.mark.parametrize("case", WRONG)
def test_targets_that_are_none_are_refused_before_they_go_up(case: str, one_by_one: bool) -> None:
    y, sentence = WRONG[case]
    model, _, _ = pair_of("GRU", True)
    model.build((None, None))
    before = model.get_weights()
    x = SOURCES[:1]
    for ask in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match=sentence):
            ask(*(([(x, y)],) if one_by_one else (x, y)), verbose=0)
    same_weights(model, _with(before))


def _with(weights: Any) -> Any:
    model, _, _ = pair_of("GRU", False)
    model.build((None, None))
    model.set_weights(weights)
    return model


def test_a_source_that_is_not_in_the_table_is_refused_with_the_same_sentence() -> None:
    told = []
    for device in (False, True):
        model, x, y = pair_of("GRU", device)
        wrong = np.where(x == 4, 7, x)
        for ask in (model.fit, model.evaluate):
            with pytest.raises(ValueError, match="0 to 4") as caught:
                ask(wrong, y, verbose=0)
            told.append(str(caught.value))
    assert told[2:] == told[:2]


def test_a_number_that_is_not_finite_is_named_as_on_the_cpu_and_the_weights_are_those_before() -> None:
    told = []
    for device in (False, True):
        model, x, y = pair_of("h from a vector", device, optimizer=rnnkit.optimizers.SGD(3e37))
        with pytest.raises(FloatingPointError) as caught:
            model.fit(x, y, batch_size=2, epochs=4, verbose=0)
        told.append((str(caught.value), model))
    assert told[1][0] == told[0][0]
    assert "epoch" in told[0][0]
    same_weights(told[1][1], told[0][1])


def test_what_is_put_back_is_all_that_steps_change() -> None:
    found = []
    for interrupted in (False, True):
        model, x, y = pair_of("dropped", True)
        before = Before(model)
        if interrupted:  # unbuilt again
            model.fit(x, y, batch_size=2, epochs=1, verbose=0)
            before.put_back()
            assert not model.built
        model.fit(x, y, batch_size=2, epochs=1, teacher_forcing=0.5, verbose=0)
        if interrupted:
            before = Before(model)
            model.fit(x, y, batch_size=2, epochs=1, verbose=0)
            before.put_back()
        model.fit(x, y, batch_size=2, epochs=1, verbose=0)
        found.append((model.get_weights(), here(model.optimizer_state["momentum"])))
    for a, b in zip(found[1][0], found[0][0], strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(found[1][1][0]["embeddings"], found[0][1][0]["embeddings"])


def test_one_that_is_unbuilt_again_may_be_built_for_another_vector() -> None:
    model, x, y = pair_of("all states from a vector", True)
    before = Before(model)
    model.fit(x, y, epochs=1, verbose=0)
    before.put_back()
    model.encoder.layers[-1] = Dense(4)  # the h of each layer alone
    model.fit(x[:, :2], y, epochs=1, verbose=0)
    assert model.encoder.output_shape == (None, 4)


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_its_gradient_is_checked_there_on_both_ends_of_the_bridge(share: float, monkeypatch: Any) -> None:
    monkeypatch.setattr("rnnkit.context.backend_of", lambda name: ON_A_DEVICE if name == "cuda" else pytest.fail(name))
    for where in ("auto", "cuda"):
        kernels = "numpy" if where == "cuda" else "auto"
        model: Any = EncoderDecoder(encoder(), decoder(), backend=kernels, dtype="float64", seed=2)
        model = on_a_device(model) if where == "cuda" else model
        given = {"mask": SOURCE_MASK, "teacher_forcing": share, "elements": 40, "backend": "cuda"}
        found = gradcheck(model, SOURCES, TARGETS, **given)
        assert found, str(found)
        assert "encoder layer 1 GRU, last h" in {row.array for row in found.rows}


def test_words_about_it_and_warming_up_work() -> None:
    model, x, _ = pair_of("two LSTMs", True)
    model.build(x.shape)
    before = model.get_weights()
    model.warmup(verbose=0)
    assert "cuda" in str(model.explain(steps=4))
    assert "LSTM" in str(model.summary())
    with pytest.raises(ValueError, match="measure=True times layers on the CPU"):
        model.explain(steps=4, measure=True)
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)
