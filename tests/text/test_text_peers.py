"""The text functions beside Keras', number by number, over `peers/text_cases.py`.

Where rnnkit differs on purpose no case asks: a str in the place of a list of texts, a tokenizer never fitted, negative
and fractional classes, maxlen=0, and the default hash (md5 here; Keras' is another one in every run).
"""

import json

import numpy as np
import pytest
from peers import text_cases as cases

from rnnkit import text

RECORDED = cases.load()


def with_analyzer(options):
    return options | {"analyzer": cases.ANALYZERS[options["analyzer"]]} if "analyzer" in options else options


def agrees(ours, recorded):
    """A float64 matrix against [shape, places that are not zero, values to 12 digits]."""
    shape, places, values = recorded
    assert (list(ours.shape), ours.dtype) == (shape, np.float64)
    assert np.flatnonzero(ours).tolist() == places
    np.testing.assert_allclose(ours.ravel()[places], values, rtol=1e-11)


def pairs(recorded):
    return [tuple(pair) for pair in recorded]


@pytest.fixture(scope="module", params=cases.TOKENIZERS, ids=str)
def fitted(request):
    options, collections = cases.TOKENIZERS[request.param]
    tokenizer = text.Tokenizer(**with_analyzer(options))
    for texts in collections:
        tokenizer.fit_on_texts(texts)
    return tokenizer, [*collections[-1], *cases.NEW], RECORDED["tokenizers"][request.param]


def test_the_vocabulary_its_counts_and_their_order_are_those_of_keras(fitted):
    tokenizer, _, answer = fitted
    assert tokenizer.document_count == answer["document_count"]
    assert list(tokenizer.word_counts.items()) == pairs(answer["word_counts"])
    assert list(tokenizer.word_index.items()) == pairs(answer["word_index"])
    assert sorted(tokenizer.word_docs.items()) == pairs(answer["word_docs"])
    assert sorted(tokenizer.index_docs.items()) == pairs(answer["index_docs"])
    assert tokenizer.index_word == {number: word for word, number in pairs(answer["word_index"])}


def test_texts_become_the_numbers_of_keras_and_numbers_its_texts(fitted):
    tokenizer, asked, answer = fitted
    assert tokenizer.texts_to_sequences(asked) == answer["sequences"]
    assert tokenizer.sequences_to_texts(cases.NUMBERS) == answer["back"]
    assert tokenizer.sequences_to_texts([np.array(row, np.int32) for row in cases.NUMBERS]) == answer["back"]


@pytest.mark.parametrize("mode", cases.MODES)
def test_a_matrix_of_texts_is_that_of_keras(fitted, mode):
    tokenizer, _, answer = fitted
    agrees(tokenizer.texts_to_matrix(cases.NEW, mode), answer["matrices"][mode])


def test_sequences_fitted_after_texts_weigh_in_tfidf_as_in_keras(fitted):
    tokenizer, _, answer = fitted
    before = tokenizer.document_count, dict(tokenizer.index_docs)
    tokenizer.fit_on_sequences(cases.NUMBERS)
    agrees(tokenizer.texts_to_matrix(cases.NEW, "tfidf"), answer["tfidf after sequences"])
    tokenizer.document_count, tokenizer.index_docs = before  # other tests share it


@pytest.mark.parametrize(("case", "answer"), list(zip(cases.COUNTED, RECORDED["counted"], strict=True)))
@pytest.mark.parametrize("mode", cases.MODES)
def test_a_matrix_of_numbers_needs_no_texts(case, answer, mode):
    num_words, fitted, asked = case
    tokenizer = text.Tokenizer(num_words)
    tokenizer.fit_on_sequences(fitted)
    agrees(tokenizer.sequences_to_matrix(asked, mode), answer[mode])
    agrees(tokenizer.sequences_to_matrix([np.array(row, int) for row in asked], mode), answer[mode])


def test_json_is_read_and_written_as_keras_does():
    theirs = RECORDED["json"]
    tokenizer = text.Tokenizer(num_words=6, oov_token="<OOV>")
    tokenizer.fit_on_texts(cases.SPANISH)
    read = text.tokenizer_from_json(theirs)
    assert vars(read) == vars(tokenizer)
    ours, theirs = json.loads(tokenizer.to_json()), json.loads(theirs)
    assert list(ours) == list(theirs)
    assert list(ours["config"]) == list(theirs["config"])
    for key in ("word_docs", "index_docs"):  # in Keras their order is another one in every run
        assert json.loads(ours["config"].pop(key)) == json.loads(theirs["config"].pop(key))
    assert ours == theirs


@pytest.mark.parametrize(("case", "answer"), list(zip(cases.WORDS, RECORDED["words"], strict=True)))
def test_a_text_has_the_words_that_keras_finds(case, answer):
    assert text.text_to_word_sequence(case[0], **case[1]) == answer


@pytest.mark.parametrize(("case", "answer"), list(zip(cases.HASHES, RECORDED["hashes"], strict=True)))
def test_md5_gives_the_numbers_that_it_gives_in_keras(case, answer):
    given, n, options = case
    options = with_analyzer(options)
    assert text.hashing_trick(given, n, **options) == answer
    assert text.one_hot(given, n, **options) == answer


@pytest.mark.parametrize(("case", "answer"), list(zip(cases.PADS, RECORDED["pads"], strict=True)))
def test_sequences_are_padded_and_cut_as_in_keras(case, answer):
    name, options = case
    padded = text.pad_sequences(cases.PADDED[name], **options)
    assert [str(padded.dtype), list(padded.shape), padded.ravel().tolist()] == answer


@pytest.mark.parametrize(("case", "answer"), list(zip(cases.CLASSES, RECORDED["classes"], strict=True)))
def test_classes_become_the_vectors_of_keras(case, answer):
    agrees(text.to_categorical(*case), answer)
