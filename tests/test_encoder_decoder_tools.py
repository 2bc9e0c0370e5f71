"""What can be asked of an encoder-decoder: its gradient, found wrong at the right place; its kernels; to be warm."""

import re
from typing import Any

import numpy as np
import pytest
from encoder_decoder_cases import KINDS, SOURCE_MASK, SOURCES, TARGETS, TOKENS, decoder, encoder, model, scaled

from rnnkit import EncoderDecoder, Sequential, cells, gradcheck
from rnnkit.encoder_decoder import bridge
from rnnkit.encoder_decoder.steps import Steps
from rnnkit.layers import GRU, LSTM, RNN, Dense, Dropout, Embedding, Flatten
from rnnkit.losses import SparseCategoricalCrossentropy
from rnnkit.regularizers import L2

BACKENDS = ["numpy", "numba"]


def needs(backend: str) -> None:
    if backend == "numba":
        pytest.importorskip("numba", reason="needs the extra numba")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_weight_and_both_ends_of_the_bridge_are_checked_on_either_backend(kind: Any, backend: str) -> None:
    needs(backend)
    made = model(kind, 2)
    before = made.get_weights()
    found = gradcheck(made, SOURCES, TARGETS, mask=SOURCE_MASK, elements=150, backend=backend)
    assert found, found
    assert str(found).startswith("EncoderDecoder of 7 layers: right. ")
    names = {row.array for row in found.rows}
    states = kind(1).state_sizes
    assert {
        f"{side} layer {k} {kind.__name__}, {w}" for side in ("encoder", "decoder") for k in (1, 2) for w in "WUb"
    } <= names
    assert {f"encoder layer {k} {kind.__name__}, last {s}" for k in (1, 2) for s in states} <= names
    assert {f"decoder layer {k} {kind.__name__}, first {s}" for k in (1, 2) for s in states} <= names
    for one, other in zip(before, made.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (found.method, found.tolerance, found.suspect) == ("differences", 1e-7, None)


def test_the_gradient_of_the_backend_that_is_named_is_the_one_that_is_checked() -> None:
    needs("numba")
    textbook, compiled = (
        gradcheck(model(LSTM, 2), SOURCES, TARGETS, mask=SOURCE_MASK, elements=30, backend=name) for name in BACKENDS
    )
    pairs = [(a.analytic, b.analytic) for a, b in zip(textbook.rows, compiled.rows, strict=True) if a.index == b.index]
    assert any(a != b for a, b in pairs)  # sums are rounded in another order


def test_a_model_is_as_it_was_after_a_check_and_after_one_that_fails() -> None:
    made = model()
    made.teacher_forcing = 0.25
    kept, state = made.bridge, made.dropout_rng.bit_generator.state
    gradcheck(made, SOURCES, TARGETS, elements=1, teacher_forcing=0.5)
    with pytest.raises(ValueError, match="a model is checked by differences"):
        gradcheck(made, SOURCES, TARGETS, method="complex")
    assert (made.bridge, made.teacher_forcing) == (kept, 0.25)
    assert made.dropout_rng.bit_generator.state == state


def test_lengths_weights_of_samples_lists_penalties_and_dropout_are_taken() -> None:
    sides = [Embedding(TOKENS, 2), Dropout(0.3), GRU(3, kernel_regularizer=L2(0.1))], decoder(units=3)
    made = EncoderDecoder(*sides, dtype="float64", seed=2, backend="numpy")
    weight, lengths = np.array([0.5, 2.0, 1.0]), SOURCE_MASK.sum(1)
    whole = gradcheck(made, SOURCES, TARGETS, lengths=lengths, sample_weight=weight, elements=100)
    assert whole, whole
    rows = [x[:n] for x, n in zip(SOURCES, lengths, strict=True)]
    assert str(gradcheck(made, rows, TARGETS, sample_weight=weight, elements=100)) == str(whole)
    plain = gradcheck(made, SOURCES, TARGETS, lengths=lengths, elements=100)
    assert plain.worst.analytic != whole.worst.analytic
    own = gradcheck(made, SOURCES, TARGETS, lengths=lengths, teacher_forcing=0.3, elements=100)
    assert own, own
    assert own.rows[0].analytic != plain.rows[0].analytic


def wrong_vector(self: Any, y: Any, dstarts: Any) -> Any:
    dy = np.zeros_like(y)
    for place, name, first, end in self.columns:
        dy[:, first:end] -= dstarts[place][name]
    return dy, {}


def one_of_two(self: Any, y: Any, dstarts: Any) -> Any:
    return None, {giver: dstarts[place] for place, giver in self.giver.items()}


def test_a_wrong_sign_in_the_bridge_is_found_there_and_nowhere_in_the_decoder(monkeypatch: Any) -> None:
    x = np.random.default_rng(0).standard_normal((3, 7))
    made = EncoderDecoder([Dense(6, "tanh"), Dense(16)], decoder(LSTM, depth=2), dtype="float64", seed=2)
    made.build(x.shape)
    assert gradcheck(scaled(made), x, TARGETS, elements=200)
    monkeypatch.setattr(bridge._Vector, "back", wrong_vector)
    found = gradcheck(made, x, TARGETS, elements=200)
    assert not found
    assert (
        found.suspect
        == "the bridge: encoder output has a wrong gradient, and the decoder's first states have right ones"
    )
    assert f"look first at: {found.suspect}" in str(found)
    assert not any(e.array.startswith("decoder") for e in found.wrong)
    assert {"encoder output", "encoder layer 1 Dense, W", "x"} <= {e.array for e in found.wrong}
    assert re.match(
        r"encoder output, row \d, unit \d+", next(e.where for e in found.wrong if e.array == "encoder output")
    )


def test_a_bridge_that_forgets_one_of_two_layers_is_found_by_the_state_that_it_hands_back(monkeypatch: Any) -> None:
    made = EncoderDecoder(encoder(LSTM), decoder(LSTM, depth=2), dtype="float64", seed=2, backend="numpy")
    made.build((None, None))
    assert gradcheck(scaled(made), SOURCES, TARGETS, elements=100)
    monkeypatch.setattr(bridge._Handed, "back", one_of_two)
    found = gradcheck(made, SOURCES, TARGETS, elements=200)
    assert not found
    assert found.suspect is not None
    assert found.suspect.startswith("the bridge: encoder layer 1 LSTM, last c has a wrong gradient")


class Turned(cells.GRU):
    """A GRU whose way back turns the sign of the update gate."""

    def adjoint(self, F: Any, *values: Any) -> Any:
        right = super().adjoint(F, *values)
        return right._replace(x=(-right.x[0], *right.x[1:]), u=(-right.u[0], *right.u[1:]))


@pytest.mark.parametrize("side", ["encoder", "decoder"])
def test_a_wrong_cell_is_told_from_a_wrong_bridge_and_by_its_side(side: str) -> None:
    wrong = RNN(Turned(), 4, return_sequences=side == "decoder")
    sides = {"encoder": encoder(), "decoder": decoder()} | {
        side: [Embedding(TOKENS, 2), wrong, *(decoder()[2:] if side == "decoder" else [])]
    }
    made = EncoderDecoder(sides["encoder"], sides["decoder"], dtype="float64", seed=2, backend="numpy")
    made.build((None, None))
    found = gradcheck(scaled(made), SOURCES, TARGETS, elements=300)
    assert not found
    assert found.suspect is not None
    if side == "encoder":
        assert found.suspect == "the encoder: what it hands to the decoder has a right gradient"
        assert not any(e.array.startswith("decoder") or ", last" in e.array for e in found.wrong)
    else:
        assert found.suspect == "the decoder: decoder layer 1 RNN, first h, where it begins, has a wrong gradient"
        assert "decoder layer 1 RNN, U" in {e.array for e in found.wrong}


def test_a_pair_that_cannot_be_checked_is_refused_in_a_sentence() -> None:
    with pytest.raises(TypeError, match=r"gradcheck\(model, x, y\) differentiates the loss of a batch: give x and y"):
        gradcheck(model(), SOURCES)
    with pytest.raises(
        ValueError, match=r"the model is float32.*build it with EncoderDecoder\(\.\.\., dtype='float64'\)"
    ):
        gradcheck(model(dtype="float32"), SOURCES, TARGETS)
    with pytest.raises(ValueError, match="teacher_forcing is the share of steps"):
        gradcheck(model(), SOURCES, TARGETS, teacher_forcing=2)
    with pytest.raises(ValueError, match="leave the loss out"):
        gradcheck(model(), SOURCES, TARGETS, loss=SparseCategoricalCrossentropy(from_logits=True))
    with pytest.raises(ValueError, match="token 7 at sample 0"):
        gradcheck(model(), SOURCES, TARGETS + 3)


# explain and warmup


@pytest.mark.parametrize("backend", BACKENDS)
def test_explain_has_a_line_for_every_layer_of_both_sides_and_counts_what_each_counts_alone(backend: str) -> None:
    needs(backend)
    made = model(LSTM, 2, backend=backend)
    text = made.explain(8, 6, length=9)
    places = re.findall(r"^((?:encoder|decoder) \d)", text, re.MULTILINE)
    assert places == [f"encoder {k}" for k in range(3)] + [f"decoder {k}" for k in range(4)]
    assert "encoder  (8, 6) of float64, fit: forward and back" in text
    assert "decoder  (8, 9) of float64, fit: forward and back" in text
    assert text.count("backend ") == 1
    for side, steps in ((made.encoder, 6), (made.decoder, 9)):
        alone = [line.split() for line in side.explain(8, steps).splitlines() if re.match(r"\d ", line)]
        both = [line.split()[1:] for line in text.splitlines() if re.match(r"(encoder|decoder) \d ", line)]
        assert alone == (both[:3] if side is made.encoder else both[3:])
    assert max(map(len, made.explain(8, 6, length=9, measure=True).splitlines())) <= 100
    assert "evaluate: forward alone" in made.explain(8, 6, training=False)
    kernel = "numba" if backend == "numba" else "textbook"
    assert re.search(rf"{kernel} .*: encoder 1, encoder 2, decoder 1, decoder 2", " ".join(text.split()))


def test_explain_takes_as_many_tokens_as_steps_and_asks_where_there_are_none() -> None:
    made = model()
    with pytest.raises(ValueError, match=r"the model takes any number of steps.*such as steps=50"):
        made.explain()
    assert "decoder  (32, 7) of" in made.explain(steps=7)
    picture = EncoderDecoder([Flatten(), Dense(4)], decoder(), seed=1)
    with pytest.raises(ValueError, match="explain needs a built model"):
        picture.explain()
    picture.build((None, 3, 2))
    with pytest.raises(ValueError, match="say how many, such as length=20"):
        picture.explain()
    assert "decoder  (32, 5) of float32" in picture.explain(length=5)
    assert "encoder  (32, 3, 2) of float32" in picture.explain(length=5)
    for wrong in ({"steps": 0}, {"length": 0, "steps": 3}, {"batch_size": 0, "steps": 3}):
        with pytest.raises(ValueError, match="is a whole number from 1 up, got 0"):
            made.explain(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_warm_pair_is_the_pair_it_was(backend: str) -> None:
    needs(backend)
    found = []
    for warm in (False, True):
        made = EncoderDecoder([*encoder(), Dropout(0.2)], decoder(), seed=3, backend=backend)
        made.build((None, None))
        made.compile("adam")
        if warm:
            made.warmup(2)
            made.warmup(2, 3, training=False, length=4)
        made.fit(SOURCES, TARGETS, epochs=2, teacher_forcing=0.5, verbose=0)
        found.append(made.get_weights())
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_training_and_writing_compile_nothing_when_a_pair_is_warm(monkeypatch: Any) -> None:
    pytest.importorskip("numba", reason="needs the extra numba")
    from rnnkit_kernels.numba_cpu import programs

    kinds = GRU(5, "softplus"), GRU(5, "elu", return_sequences=True)  # in no other test here
    made = EncoderDecoder([Embedding(TOKENS, 2), kinds[0]], [Embedding(TOKENS, 2), kinds[1], Dense(TOKENS)], seed=1)
    made.build((None, None))
    made.compile("rmsprop")
    made.warmup(3)

    def refuse(source: Any) -> None:
        raise AssertionError(f"{source.key} was not compiled")

    monkeypatch.setattr(programs, "addresses", refuse)
    made.fit(SOURCES, TARGETS, mask=SOURCE_MASK, teacher_forcing=0.5, verbose=0)
    made.greedy(SOURCES, 4)
    made.beam(SOURCES, 2, 4)
    other = Sequential([GRU(5, "softsign")], backend="numba")
    other.build((None, 3, 2))
    with pytest.raises(AssertionError, match="was not compiled"):
        other.warmup(1)


def test_a_pair_is_warmed_with_a_step_of_decoding_and_in_training_the_optimizers_rule(monkeypatch: Any) -> None:
    made, steps, rules = model(), [], []
    real, optimizer = Steps.log_probabilities, made.optimizer

    class Watched:
        init = optimizer.init

        def step(self, *given: Any) -> Any:
            rules.append(given[-1].origin)
            return optimizer.step(*given)

    def step(self: Steps, tokens: Any, live: Any = None) -> Any:
        steps.append(len(tokens))
        return real(self, tokens, live)

    made.optimizer = Watched()
    monkeypatch.setattr(Steps, "log_probabilities", step)
    made.warmup(3, training=False)
    assert (steps, rules) == ([3], [])
    made.warmup(2)
    assert (steps, rules, made.optimizer_state) == ([3, 2], ["textbook"], None)


def test_warming_up_shows_one_bar_over_both_sides_and_refuses_what_is_not_built(capsys: Any) -> None:
    model().warmup(2, verbose=1)
    assert "/5" in capsys.readouterr().err
    with pytest.raises(ValueError, match="warmup needs a built model"):
        EncoderDecoder(encoder(), decoder()).warmup()
    with pytest.raises(ValueError, match="batch_size is a whole number from 1 up, got 0"):
        model().warmup(0)
