"""Greedy and beam decoding against exhaustive search, row by row and in batches."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from encoder_decoder_cases import END, KINDS, PAD, SOURCE_MASK, SOURCES, START, TOKENS, decoder, model
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnkit import EncoderDecoder
from rnnkit.layers import LSTM, Dense


def log_p(made: EncoderDecoder, x: Any, tokens: tuple[int, ...]) -> float:
    """log p of a sequence of tokens after x, by the full pass that reads it."""
    y, _ = made.forward(x[None], np.array([tokens]))
    return float(np.log(y[0, np.arange(len(tokens)), tokens]).sum())


def everything(length: int) -> list[tuple[int, ...]]:
    """All that can be written in `length` tokens: what ends with END, and what has not ended by then."""
    found = []
    for n in range(1, length + 1):
        for tokens in product(range(TOKENS), repeat=n):
            if END not in tokens[:-1] and (tokens[-1] == END or n == length):
                found.append(tokens)
    return found


def exhaustive(made: EncoderDecoder, x: Any, length: int, penalty: float) -> list[tuple[float, tuple[int, ...]]]:
    ranked = [(log_p(made, x, tokens), tokens) for tokens in everything(length)]
    return sorted(ranked, key=lambda found: -found[0] / len(found[1]) ** penalty)


@pytest.mark.parametrize("penalty", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_beam_as_wide_as_the_vocabulary_finds_what_exhaustive_search_finds_in_two_tokens(
    kind: Any, penalty: float
) -> None:
    made = model(kind, 2, pad=-1)
    found = made.beam(SOURCES, TOKENS, 2, length_penalty=penalty)
    for row, x in enumerate(SOURCES):
        best = exhaustive(made, x, 2, penalty)[:TOKENS]
        np.testing.assert_allclose(found.log_probabilities[row], [p for p, _ in best], rtol=1e-9)
        for k, (_, tokens) in enumerate(best):
            assert tuple(found.sequences[row, k, : found.lengths[row, k]]) == tokens
            assert (found.sequences[row, k, len(tokens) :] == -1).all()


def test_a_beam_that_never_drops_anything_finds_what_exhaustive_search_finds_in_three_tokens() -> None:
    made = model(LSTM, pad=-1)
    found = made.beam(SOURCES[:1], TOKENS**2, 3)
    best = exhaustive(made, SOURCES[0], 3, 0.0)
    np.testing.assert_allclose(found.log_probabilities[0], [p for p, _ in best[: TOKENS**2]], rtol=1e-9)
    assert [tuple(s[:n]) for s, n in zip(found.sequences[0], found.lengths[0], strict=True)] == [
        tokens for _, tokens in best[: TOKENS**2]
    ]


@settings(derandomize=True, deadline=None, max_examples=12)
@given(seed=st.integers(0, 99), kind=st.sampled_from(sorted(KINDS)), penalty=st.sampled_from([0.0, 1.0]))
def test_a_beam_of_one_is_greedy_decoding(seed: int, kind: str, penalty: float) -> None:
    made = model(KINDS[kind], seed=seed)
    one, other = made.greedy(SOURCES, 6), made.beam(SOURCES, 1, 6, length_penalty=penalty)
    np.testing.assert_array_equal(one.sequences, other.sequences[:, 0])
    np.testing.assert_array_equal(one.lengths, other.lengths[:, 0])
    np.testing.assert_allclose(one.log_probabilities, other.log_probabilities[:, 0], rtol=1e-12)


def test_greedy_writes_the_likeliest_token_after_those_before_and_stops_at_the_end() -> None:
    made, ended, sources = biased(0.0), 0, np.random.default_rng(4).integers(0, TOKENS, (9, 5))
    found = made.greedy(sources, 7)
    for x, tokens, p, n in zip(sources, *found, strict=True):
        real = tuple(int(t) for t in tokens[:n])
        y, _ = made.forward(x[None], np.array([real]))
        assert tuple(y[0].argmax(-1)) == real
        assert p == pytest.approx(log_p(made, x, real), rel=1e-9)
        assert END not in real[:-1]
        assert n == 7 or real[-1] == END
        assert (tokens[n:] == -1).all()
        ended += real[-1] == END
    assert 0 < ended < 9


def biased(bias: float) -> EncoderDecoder:
    """A model whose rows end at different steps, and the sooner the larger the bias of END."""
    made = model(pad=-1, seed=25)
    made.params[-1]["b"][END] += bias
    return made


@pytest.mark.parametrize("width", [1, 3])
def test_rows_decoded_together_are_those_decoded_one_by_one(width: int) -> None:
    made, rng = biased(0.0), np.random.default_rng(4)
    x = rng.integers(0, TOKENS, (23, 5))
    together, apart = made.beam(x, width, 6), made.beam(x, width, 6, batch_size=1)
    assert len(set(together.lengths.ravel().tolist())) > 3
    np.testing.assert_array_equal(together.sequences, apart.sequences)
    np.testing.assert_allclose(together.log_probabilities, apart.log_probabilities, rtol=1e-9)
    one, other = made.greedy(x, 6), made.greedy(x, 6, batch_size=7)
    np.testing.assert_array_equal(one.sequences, other.sequences)


def test_a_wider_beam_is_sorted_and_its_log_probabilities_are_those_of_the_full_pass() -> None:
    made, x = biased(0.2), np.random.default_rng(4).integers(0, TOKENS, (6, 5))
    found = made.beam(x, 4, 5)
    assert (np.diff(found.log_probabilities, axis=1) <= 0).all()
    for row in range(6):
        assert len({tuple(s) for s in found.sequences[row].tolist()}) == 4
        for k in range(4):
            tokens = tuple(found.sequences[row, k, : found.lengths[row, k]].tolist())
            assert found.log_probabilities[row, k] == pytest.approx(log_p(made, x[row], tokens), rel=1e-9)


def test_a_beam_wider_than_there_are_sequences_says_which_of_its_rows_are_none() -> None:
    found = model(pad=-1).beam(SOURCES, TOKENS + 2, 1)
    assert np.isfinite(found.log_probabilities[:, :TOKENS]).all()
    assert (found.log_probabilities[:, TOKENS:] == -np.inf).all()
    assert (found.lengths[:, TOKENS:] == 0).all()
    assert (found.sequences[:, TOKENS:] == -1).all()
    np.testing.assert_allclose(np.exp(found.log_probabilities[:, :TOKENS]).sum(1), 1)


def test_a_length_penalty_lifts_longer_sequences() -> None:
    made = biased(2.0)
    short, long = (made.beam(SOURCES, 5, 5, length_penalty=p) for p in (0.0, 3.0))
    assert long.lengths[:, 0].sum() > short.lengths[:, 0].sum()


def test_masked_steps_of_the_source_change_nothing_that_is_written() -> None:
    made = model(LSTM, 2)
    other = np.where(SOURCE_MASK, SOURCES, 4)
    for written in (made.greedy, lambda x, n, **beside: made.beam(x, 3, n, **beside)):
        one, two = written(SOURCES, 5, mask=SOURCE_MASK), written(other, 5, mask=SOURCE_MASK)
        np.testing.assert_array_equal(one.sequences, two.sequences)
        lists = written([x[m] for x, m in zip(SOURCES, SOURCE_MASK, strict=True)], 5)
        np.testing.assert_array_equal(one.sequences, lists.sequences)


def test_without_an_end_every_row_is_as_long_as_was_asked() -> None:
    made = EncoderDecoder(Dense(4), decoder(embedded=False), start=START, end=None, pad=PAD, seed=0)
    found = made.greedy(np.random.default_rng(0).standard_normal((4, 3)), 5)
    assert (found.lengths == 5).all()
    assert made.predict(np.ones((2, 3)), 4).shape == (2, 4)


def test_an_output_that_is_no_number_is_said() -> None:
    made = model()
    made.params[-1]["b"][0] = np.nan
    with pytest.raises(FloatingPointError, match="not a number"):
        made.greedy(SOURCES, 3)
