"""The encoder-decoder: its gradient, what it reads, what masks and padding do, and what it refuses."""

from typing import Any

import numpy as np
import pytest
from encoder_decoder_cases import (
    END,
    KINDS,
    PAD,
    SOURCE_MASK,
    SOURCES,
    TARGETS,
    TOKENS,
    decoder,
    encoder,
    model,
    scaled,
)

import rnnkit
from rnnkit import EncoderDecoder, Sequential, gradcheck
from rnnkit.context import Context
from rnnkit.layers import (
    GRU,
    LSTM,
    BatchNormalization,
    Bidirectional,
    Conv1D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    SimpleRNN,
)
from rnnkit.losses import SparseCategoricalCrossentropy
from rnnkit.schedules import PolynomialDecay


def report(made: EncoderDecoder, x: Any, y: Any, mask: Any = None, share: float = 1.0) -> Any:
    """All parameters, both ends of the bridge, and x where it has a gradient, against differences of the loss: along a
    direction through all of them, and one by one, of more than 300 elements those that are drawn."""
    made.compile("adam")
    return gradcheck(made, x, y, mask=mask, teacher_forcing=share, elements=300, seed=5)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_gradient_is_the_derivative_for_every_parameter_with_both_sides_masked(kind: Any, depth: int) -> None:
    found = report(model(kind, depth), SOURCES, TARGETS, SOURCE_MASK)
    assert found, str(found)


def test_one_encoder_gives_its_state_to_both_layers_of_a_decoder_and_gets_both_gradients() -> None:
    made = EncoderDecoder(encoder(LSTM), decoder(LSTM, depth=2), dtype="float64", seed=2, backend="numpy")
    made.build((None, None))
    found = report(scaled(made), SOURCES, TARGETS, SOURCE_MASK)
    assert found, str(found)


@pytest.mark.parametrize("width", [4, 16], ids=["h of each layer", "all states"])
def test_a_vector_begins_the_decoder_and_x_has_its_gradient(width: int) -> None:
    made = EncoderDecoder(
        [Dense(6, "tanh"), Dense(width)], decoder(LSTM, depth=2), dtype="float64", seed=2, backend="numpy"
    )
    x = np.random.default_rng(0).standard_normal((3, 7))
    found = report(made, x, TARGETS)
    assert found, str(found)


def test_a_bidirectional_encoder_read_backwards_and_a_decoder_of_one_hot_rows_have_their_gradients() -> None:
    both = Bidirectional(GRU(2))
    x = np.random.default_rng(0).standard_normal((3, 4, 2))
    for side in ([both], [GRU(3, return_sequences=True, go_backwards=True), GRU(4, go_backwards=True)]):
        made = EncoderDecoder(side, decoder(embedded=False), dtype="float64", seed=2, backend="numpy")
        found = report(made, x, TARGETS)
        assert found, str(found)


def test_the_gradient_is_exact_for_the_tokens_that_were_read_when_they_are_the_decoders_own() -> None:
    made = model(GRU, 2)
    found = report(made, SOURCES, TARGETS, SOURCE_MASK, share=0.4)
    assert found, str(found)
    made.teacher_forcing, rng = 0.4, np.random.default_rng(5)
    own, _ = made.forward(SOURCES, TARGETS, mask=SOURCE_MASK, rng=rng)
    told, _ = made.forward(SOURCES, TARGETS, mask=SOURCE_MASK)
    assert not np.allclose(own, told)


def test_without_the_truth_the_decoder_reads_what_greedy_decoding_writes() -> None:
    made = model(LSTM, end=None, pad=None)
    written = made.greedy(SOURCES, 6)
    made.teacher_forcing = 0.0
    own, _ = made.forward(SOURCES, np.full((3, 6), 3), rng=np.random.default_rng(0))
    assert (own.argmax(-1) == written.sequences).all()
    np.testing.assert_allclose(np.log(own.max(-1)).sum(1), written.log_probabilities, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_padding_of_sources_and_targets_is_nothing(kind: Any) -> None:
    made = model(kind, 2)
    loss = made.evaluate(SOURCES, TARGETS, mask=SOURCE_MASK)["loss"]
    rows, tokens = [], (TARGETS != PAD).sum(1)
    for x, y, n, t in zip(SOURCES, TARGETS, SOURCE_MASK.sum(1), tokens, strict=True):
        rows.append(made.evaluate(x[None, :n], y[None, :t])["loss"])
    assert loss == pytest.approx(np.average(rows, weights=tokens), rel=1e-12)
    longer = np.pad(SOURCES, ((0, 0), (2, 1))), np.pad(TARGETS, ((0, 0), (0, 3)))
    mask = np.pad(SOURCE_MASK, ((0, 0), (2, 1)))
    assert made.evaluate(*longer, mask=mask)["loss"] == pytest.approx(loss, rel=1e-12)
    dy = np.random.default_rng(0).standard_normal((3, 4, TOKENS)) * (TARGETS != PAD)[..., None]
    short = made.forward(SOURCES, TARGETS, mask=SOURCE_MASK)[1](dy)[0]
    long = made.forward(*longer, mask=mask)[1](np.pad(dy, ((0, 0), (0, 3), (0, 0))))[0]
    for one, other in zip(short, long, strict=True):
        for name in one:
            np.testing.assert_allclose(one[name], other[name], rtol=1e-10, atol=1e-13)


def test_a_mask_that_the_encoders_embedding_makes_holds_for_the_layers_behind_it() -> None:
    made = EncoderDecoder(
        [Embedding(TOKENS, 2, mask_zero=True), *encoder()[1:]], decoder(), dtype="float64", seed=3, backend="numpy"
    )
    told, plain = made.forward(SOURCES, TARGETS)[0], model(seed=3)
    plain.set_weights(made.get_weights())
    np.testing.assert_array_equal(told, plain.forward(SOURCES, TARGETS, mask=SOURCE_MASK)[0])
    assert not np.allclose(told, plain.forward(SOURCES, TARGETS)[0])


def test_batch_statistics_inside_the_decoder_are_those_of_real_steps() -> None:
    side = [*decoder()[:-1], BatchNormalization(), decoder()[-1]]
    made = EncoderDecoder(encoder(), side, dtype="float64", seed=3, backend="numpy")
    rng, longer = np.random.default_rng(0), np.pad(TARGETS, ((0, 0), (0, 3)))
    short, long = (made.forward(SOURCES, y, rng=rng)[0] for y in (TARGETS, longer))
    np.testing.assert_allclose(short[TARGETS != PAD], long[:, :4][TARGETS != PAD], rtol=1e-10)


def test_lists_of_rows_of_different_length_train_and_score_as_padded_arrays_with_a_mask() -> None:
    xs, ys = [x[m] for x, m in zip(SOURCES, SOURCE_MASK, strict=True)], [y[y != PAD] for y in TARGETS]
    one, other = model(), model()
    assert one.evaluate(xs, ys) == other.evaluate(SOURCES, TARGETS, mask=SOURCE_MASK)
    one.fit(xs, ys, epochs=2, validation_data=(xs, ys), verbose=0)
    history = other.fit(
        SOURCES, TARGETS, mask=SOURCE_MASK, epochs=2, validation_data=(SOURCES, TARGETS, None, SOURCE_MASK), verbose=0
    )
    assert one.history is not None
    assert one.history.history == history.history
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_decoder_never_sees_the_token_that_it_is_to_write() -> None:
    made, changed = model(LSTM, 2), TARGETS.copy()
    changed[1, 2] = 3
    before, after = (made.forward(SOURCES, y)[0] for y in (TARGETS, changed))
    np.testing.assert_array_equal(before[1, :3], after[1, :3])
    assert not np.allclose(before[1, 3], after[1, 3])


def test_the_decoders_states_begin_layer_by_layer_where_the_encoders_end() -> None:
    made = model(LSTM, 2)
    x, first, second = made.encoder.params[0]["embeddings"][SOURCES], *made.encoder.layers[1:]
    ctx = Context("numpy")
    h, one, _ = first.scan(made.encoder.params[1], x, None, ctx)  # type: ignore[attr-defined]
    _, two, _ = second.scan(made.encoder.params[2], h, None, ctx)  # type: ignore[attr-defined]
    starts = made.starts(SOURCES, None)
    for place, state in ((1, one), (2, two)):
        for name in ("h", "c"):
            np.testing.assert_array_equal(starts[place][name], state[name])


@pytest.mark.slow
def test_training_learns_to_turn_sequences_round_and_a_schedule_is_asked_and_kept() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(3, 8, (600, 3))
    y = np.column_stack([x[:, ::-1], np.full(600, END)])
    parts = [Embedding(8, 8), GRU(32)], [Embedding(8, 8), GRU(32, return_sequences=True), Dense(8, "softmax")]
    made = EncoderDecoder(*parts, seed=1)
    made.compile(rnnkit.optimizers.Adam(0.01))
    history = made.fit(x[:500], y[:500], epochs=12, teacher_forcing=PolynomialDecay(1.0, 10, 0.5), verbose=0)
    assert history.history["teacher_forcing"] == pytest.approx([max(1 - 0.05 * e, 0.5) for e in range(12)])
    told = made.evaluate(x[500:], y[500:])
    assert told["exact_match"] > 0.9
    assert told["exact_match"] == (made.predict(x[500:], 4) == y[500:]).all(1).mean()


def test_the_same_seed_trains_the_same_model_with_dropout_and_own_choices() -> None:
    def trained(seed: int) -> list[Any]:
        made = EncoderDecoder([*encoder(), Dropout(0.2)], decoder(), seed=seed)
        made.compile()
        made.fit(SOURCES, TARGETS, epochs=3, teacher_forcing=0.5, verbose=0)
        return made.get_weights()

    for one, same in zip(trained(1), trained(1), strict=True):
        np.testing.assert_array_equal(one, same)
    assert any((a != b).any() for a, b in zip(trained(1), trained(2), strict=True))


def test_a_built_sequential_brings_its_weights_and_frozen_layers_stay() -> None:
    before = Sequential([Embedding(TOKENS, 3, trainable=False), GRU(4)], dtype="float64", seed=9)
    before.build((None, None))
    made = EncoderDecoder(before, decoder(), dtype="float64", seed=1)
    for old, new in zip(before.get_weights(), made.get_weights(), strict=False):
        np.testing.assert_array_equal(old, new)
    made.compile("sgd")
    made.fit(SOURCES, TARGETS, epochs=1, verbose=0)
    np.testing.assert_array_equal(made.params[0]["embeddings"], before.params[0]["embeddings"])
    assert (made.params[1]["U"] != before.params[1]["U"]).any()


def test_logits_without_a_softmax_give_the_same_losses_and_decodings() -> None:
    made = model()
    plain = EncoderDecoder(encoder(), [*decoder()[:-1], Dense(TOKENS)], dtype="float64", seed=3)
    plain.build((None, None))
    plain.set_weights(made.get_weights())
    plain.compile()
    assert plain.evaluate(SOURCES, TARGETS)["loss"] == pytest.approx(made.evaluate(SOURCES, TARGETS)["loss"], rel=1e-9)
    for one, other in zip(plain.beam(SOURCES, 3, 4), made.beam(SOURCES, 3, 4), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)


def test_a_saved_model_comes_back_with_its_tokens_weights_and_scores(tmp_path: Any) -> None:
    made = model(LSTM, 2, start=4, end=3, pad=-1)
    y = np.where(TARGETS == PAD, -1, np.where(TARGETS == 2, 3, 4))
    made.save(tmp_path / "model.safetensors")
    back = rnnkit.load(tmp_path / "model.safetensors")
    assert isinstance(back, EncoderDecoder)
    assert back.vocabulary == made.vocabulary
    assert back.evaluate(SOURCES, y) == made.evaluate(SOURCES, y)
    assert back.optimizer == made.optimizer
    np.testing.assert_array_equal(back.greedy(SOURCES, 5).sequences, made.greedy(SOURCES, 5).sequences)
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole.replace(b'"units\\": 4', b'"units\\": 5'))
    with pytest.raises(ValueError, match="cannot be read as a model"):
        rnnkit.load(tmp_path / "model.safetensors")


def test_an_image_and_a_fixed_number_of_steps_are_saved_too(tmp_path: Any) -> None:
    for side, shape in (([Flatten(), Dense(4)], (3, 8, 8)), ([GRU(4, input_shape=(5, 2))], (3, 5, 2))):
        made = EncoderDecoder(side, decoder(), end=None, pad=None, seed=1)
        x = np.random.default_rng(0).standard_normal(shape)
        written = made.greedy(x, 3).sequences
        made.save(tmp_path / "model.safetensors")
        back = rnnkit.load(tmp_path / "model.safetensors")
        np.testing.assert_array_equal(back.greedy(x, 3).sequences, written)
        assert back.encoder.input_shape == made.encoder.input_shape


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_compiled_kernels_and_the_textbook_give_the_same_gradients_and_write_the_same(kind: Any) -> None:
    pytest.importorskip("numba")
    dy = np.random.default_rng(0).standard_normal((3, 4, TOKENS))
    gradients, written = [], []
    for backend in ("numpy", "numba"):
        made = model(kind, 2, backend=backend)
        gradients.append(made.forward(SOURCES, TARGETS, mask=SOURCE_MASK)[1](dy)[0])
        written.append(made.beam(SOURCES, 3, 5, mask=SOURCE_MASK))
    for one, other in zip(*gradients, strict=True):
        for name in one:
            np.testing.assert_allclose(one[name], other[name], rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(written[0].sequences, written[1].sequences)
    np.testing.assert_allclose(written[0].log_probabilities, written[1].log_probabilities, rtol=1e-10)


def test_an_own_token_that_looks_like_padding_is_read_as_any_other() -> None:
    masking = [Embedding(TOKENS, 2, mask_zero=True), *decoder()[1:]]
    made = scaled_pair(masking)
    plain = scaled_pair(decoder())
    y = np.array([[0, 3, 0, 4]] * 3)
    np.testing.assert_array_equal(made.forward(SOURCES, y)[0], plain.forward(SOURCES, y)[0])
    np.testing.assert_array_equal(made.greedy(SOURCES, 6).sequences, plain.greedy(SOURCES, 6).sequences)


def scaled_pair(side: list[Any]) -> EncoderDecoder:
    made = EncoderDecoder(encoder(), side, end=None, pad=None, dtype="float64", seed=3)
    made.build((None, None))
    return scaled(made)


REFUSED = {
    "the decoder has no recurrent layer": lambda: EncoderDecoder(encoder(), [Embedding(5, 3), Dense(5, "softmax")]),
    r"layer 1 GRU of the decoder returns its last step": lambda: EncoderDecoder(
        encoder(), [Embedding(5, 3), GRU(4), Dense(5)]
    ),
    "reads from the end": lambda: EncoderDecoder(
        encoder(), [GRU(4, return_sequences=True, go_backwards=True), Dense(5, "softmax")]
    ),
    "layer 0 Conv1D of the decoder looks at other steps": lambda: EncoderDecoder(
        encoder(), [Conv1D(2, 3, padding="causal"), *decoder(embedded=False)]
    ),
    "give both the same kind and units": lambda: EncoderDecoder(encoder(LSTM), decoder(GRU)),
    r"\(h: 4\), and the encoder's layer 1 GRU ends in \(h: 6\)": lambda: EncoderDecoder(encoder(units=6), decoder()),
    "the encoder takes no stateful layer": lambda: EncoderDecoder([GRU(4, stateful=True)], decoder()),
    "the encoder is a layer, a list of layers or a Sequential": lambda: EncoderDecoder(7, decoder()),
    "input_dim is 5 or more": lambda: EncoderDecoder(encoder(), [Embedding(4, 3), *decoder()[1:]]),
    "start is a token that the decoder reads, 0 to 4; got 5": lambda: EncoderDecoder(encoder(), decoder(), start=5),
    "end is a token that the decoder writes, 0 to 4; got 9": lambda: EncoderDecoder(encoder(), decoder(), end=9),
    "pad and start are both 0": lambda: EncoderDecoder(encoder(), decoder(), start=0),
    "initial_state='learned'": lambda: EncoderDecoder(
        encoder(), [GRU(4, return_sequences=True, initial_state="learned"), Dense(5)]
    ),
    "gives 5 numbers a sample, and the decoder begins from 4, the h of every recurrent layer, or 8": lambda: (
        EncoderDecoder(Dense(5), decoder(LSTM)).build((None, 3))
    ),
    "ends in an output": lambda: EncoderDecoder(Dense(4), decoder()).build((None, 3, 2)),
    "token 7 at sample 1, step 0": lambda: model().fit(SOURCES, np.where(TARGETS == 3, 7, TARGETS)[::-1]),
    "padding .0. before a token at sample 0, step 1": lambda: model().fit(SOURCES, TARGETS[:, ::-1]),
    "the model knows no padding": lambda: model(pad=None).evaluate(SOURCES, [[1], [1, 2], [2]]),
    r"y is tokens \(samples, steps\)": lambda: model().fit(SOURCES, np.eye(TOKENS)[TARGETS]),
    "teacher_forcing is the share": lambda: model().fit(SOURCES, TARGETS, teacher_forcing=1.5, verbose=0),
    "leave the loss out": lambda: model().compile("adam", SparseCategoricalCrossentropy(from_logits=True)),
    "max_length is a whole number from 1": lambda: model().greedy(SOURCES, 0),
    "width is a whole number from 1": lambda: model().beam(SOURCES, 0, 3),
    "length_penalty is a number from 0": lambda: model().beam(SOURCES, 2, 3, length_penalty=-1.0),
    "call model.compile": lambda: EncoderDecoder(encoder(), decoder()).fit(SOURCES, TARGETS),
    "needs a built model": lambda: EncoderDecoder(encoder(), decoder()).get_weights(),
    "whole numbers": lambda: model().greedy(SOURCES + 0.5, 3),
    "from 0 to 4": lambda: model().greedy(SOURCES + 4, 3),
    "dL/dy, of the shape of y": lambda: model().forward(SOURCES, TARGETS)[1](np.zeros((3, 4))),
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_does_not_fit_is_refused_in_a_sentence(sentence: str) -> None:
    with pytest.raises((ValueError, TypeError), match=sentence):
        REFUSED[sentence]()


def test_a_step_that_fails_leaves_the_weights_as_they_were_and_says_where_it_broke() -> None:
    made = EncoderDecoder(encoder(SimpleRNN), decoder(SimpleRNN), seed=1)
    made.build((None, None))
    made.compile()
    made.params[3]["W"][0] = np.nan
    before = made.get_weights()
    with pytest.raises(FloatingPointError, match="layer 3 SimpleRNN"):
        made.fit(SOURCES, TARGETS, verbose=0)
    for a, b in zip(before, made.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
