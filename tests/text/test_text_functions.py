"""Words, n-grams, hashes, one-hot vectors and padding: the listings of the course, and refusals."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnkit import text

SAMPLES = ["The cat sat on the mat.", "The dog ate my homework."]


def test_n_grams_are_those_of_the_course():
    two = {"The", "The cat", "cat", "cat sat", "sat", "sat on", "on", "on the", "the", "the mat", "mat"}
    assert text.ngrams(SAMPLES[0], 2, lower=False) == two
    three = two | {"The cat sat", "cat sat on", "sat on the", "on the mat"}
    assert text.ngrams(SAMPLES[0], 3, lower=False) == three
    assert text.ngrams(SAMPLES[0], 1) == {"the", "cat", "sat", "on", "mat"}


def test_n_grams_take_words_as_they_are_and_an_analyzer():
    assert text.ngrams(["La", "red."], 9) == {"La", "red.", "La red."}
    assert text.ngrams("La red.", 2, analyzer=str.split) == {"La", "red.", "La red."}
    assert text.ngrams("...", 2) == set()


def test_one_hot_vectors_of_words_are_those_of_the_course_listing():
    token_index = {}
    for sample in SAMPLES:
        for word in sample.split():
            token_index.setdefault(word, len(token_index) + 1)
    expected = np.zeros((2, 10, max(token_index.values()) + 1))
    for i, sample in enumerate(SAMPLES):
        for j, word in list(enumerate(sample.split()))[:10]:
            expected[i, j, token_index[word]] = 1
    tokenizer = text.Tokenizer(filters="", lower=False)
    tokenizer.fit_on_texts(SAMPLES)
    assert tokenizer.word_index == token_index  # every word is there once, and so numbered as it came
    vectors = text.one_hot_sequences(tokenizer.texts_to_sequences(SAMPLES), max_length=10)
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, expected)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(st.lists(st.integers(0, 6), max_size=5), min_size=1, max_size=4), st.integers(1, 6), st.integers(7, 9))
def test_a_one_hot_vector_has_its_one_at_the_index_and_rows_after_the_end_have_none(sequences, length, vocabulary):
    vectors = text.one_hot_sequences(sequences, length, vocabulary, dtype="int8")
    assert vectors.shape == (len(sequences), length, vocabulary)
    for sequence, rows in zip(sequences, vectors, strict=True):
        kept = sequence[:length]
        assert rows.sum(axis=1).tolist() == [1] * len(kept) + [0] * (length - len(kept))
        assert rows.argmax(axis=1)[: len(kept)].tolist() == kept


def test_sizes_of_one_hot_vectors_are_taken_from_the_sequences():
    assert text.one_hot_sequences([[1], [0, 4, 2]]).shape == (2, 3, 5)
    assert text.one_hot_sequences([], 3, 4).shape == (0, 3, 4)
    assert text.one_hot_sequences([[9, 1]], max_length=1).shape == (1, 1, 10)
    assert not text.one_hot_sequences([[]], 2, 2).any()


def test_the_hash_is_the_same_in_every_run_and_leaves_zero_free():
    word = int(hashlib.md5("año".encode()).hexdigest(), 16)
    assert text.one_hot("Año", 1000) == [word % 999 + 1]
    numbers = text.one_hot(" ".join(map(str, range(500))), 10)
    assert set(numbers) == set(range(1, 10))


def test_half_a_character_has_a_hash_too():
    assert text.one_hot("a \ud800 b", 10) == text.one_hot("a \ud800 b", 10)
    assert len(text.one_hot("a \ud800 b", 10)) == 3
    assert text.hashing_trick("one two", 10, hash_function=lambda word: np.int64(len(word))) == [4, 4]


def test_a_single_class_is_one_vector_however_it_comes():
    for one in (2, np.int64(2), np.array(2)):
        assert text.to_categorical(one, 4).tolist() == [0, 0, 1, 0]


def test_any_function_may_hash():
    assert text.hashing_trick("uno dos", 10, hash_function=len) == [4, 4]
    assert text.one_hot("uno dos", 10, hash_function=lambda word: -1) == [9, 9]


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda: text.text_to_word_sequence(b"a"), TypeError, "a text is a str; got bytes: b'a'"),
        (lambda: text.text_to_word_sequence(["a"] * 99), TypeError, r"got list: \['a', .*\.\.\.$"),
        (lambda: text.ngrams("a", 0), ValueError, "n is a whole number from 1 up"),
        (lambda: text.ngrams([1], 1), TypeError, "word 0 of the text is a str"),
        (lambda: text.ngrams("a", 1, analyzer=3), TypeError, "analyzer is a function"),
        (lambda: text.one_hot("a", 1), ValueError, "n is a whole number from 2 up"),
        (lambda: text.one_hot("a", 9, hash_function="sha"), TypeError, "hash_function is 'md5' or a function"),
        (lambda: text.hashing_trick("a", 9, None), TypeError, "hash_function is 'md5' or a function"),
        (lambda: text.one_hot("a", 9, hash_function=str), TypeError, "gives a whole number; got 'a' for 'a'"),
        (lambda: text.to_categorical([0, -1]), ValueError, "y has -1; indices count from 0 up"),
        (lambda: text.to_categorical([0.5]), ValueError, "expected whole numbers"),
        (lambda: text.to_categorical([0, 3], 3), ValueError, "y has 3; with num_classes=3 indices go from 0 to 2"),
        (lambda: text.to_categorical([], None), ValueError, "pass num_classes"),
        (lambda: text.to_categorical([0], 0), ValueError, "num_classes is a whole number from 1 up"),
        (lambda: text.to_categorical(["a"]), TypeError, "y is made of <U1"),
        (lambda: text.one_hot_sequences([[1], [5]], vocabulary=5), ValueError, "sequence 1 has 5; with vocabulary=5"),
        (lambda: text.one_hot_sequences([[1], [-5]]), ValueError, "sequence 1 has -5"),
        (lambda: text.one_hot_sequences([[[1]]]), ValueError, "sequence 0 is a list of whole numbers"),
        (lambda: text.one_hot_sequences([]), ValueError, "pass max_length"),
        (lambda: text.one_hot_sequences([[]]), ValueError, "pass vocabulary"),
        (lambda: text.one_hot_sequences([[1]], 0), ValueError, "max_length is a whole number from 1 up"),
    ],
)
def test_what_cannot_be_encoded_is_refused(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()


@pytest.mark.parametrize(
    ("sequences", "options", "sentence"),
    [
        ([[1]], {"padding": "left"}, "padding is 'pre' or 'post'; got 'left'"),
        ([[1]], {"truncating": None}, "truncating is 'pre' or 'post'; got None"),
        ([[1]], {"maxlen": 0}, "maxlen is a whole number from 1 up"),
        ([], {}, "there are no sequences to take the length from; pass maxlen"),
        (iter([[1]]), {}, "sequences is a list of sequences; got list_iterator"),
        ("ab", {}, "sequences is a list of sequences; got str"),
        (np.array(3), {}, "sequences is a list of sequences; got ndarray"),
        ([[1], 2], {}, "sequence 1 is a list or an array of items; got int 2"),
        ([[1], "ab"], {}, "sequence 1 is a list or an array of items; got str 'ab'"),
        ([[1]], {"value": "x"}, "value 'x' does not fit dtype int32; pass dtype=object"),
        ([[1], [[2]]], {}, r"the items of sequence 1 have shape \(1,\), those before it \(\)"),
        ([[[1], [2, 3]]], {}, "the items of sequence 0 cannot be held in int32"),
        ([[1], ["x"]], {}, "the items of sequence 1 cannot be held in int32"),
        ([[2**40]], {}, "the items of sequence 0 cannot be held in int32"),
        ([np.array([1, 2**40])], {}, "in int32: it goes from .* these from 1 to 1099511627776"),
        ([np.array([np.nan, 1])], {}, "the items of sequence 0 cannot be held in int32"),
        ([np.array([-1])], {"dtype": "uint8"}, "the items of sequence 0 cannot be held in uint8"),
        ([[1]], {"dtype": "uint8", "value": 300}, "the value cannot be held in uint8"),
        ([[1]], {"value": float("nan")}, "the value cannot be held in int32"),
    ],
)
def test_what_cannot_be_padded_is_refused(sequences, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        text.pad_sequences(sequences, **options)


def test_padding_takes_arrays_and_no_sequences_with_a_length():
    np.testing.assert_array_equal(text.pad_sequences(np.arange(6).reshape(2, 3), 2), [[1, 2], [4, 5]])
    assert text.pad_sequences([], 3).shape == (0, 3)
    filled = text.pad_sequences([[[1, 2]], [[3, 4], [5, 6]]], value=[8, 9], dtype="int64")
    np.testing.assert_array_equal(filled[0], [[8, 9], [1, 2]])
