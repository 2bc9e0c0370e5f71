"""The tokenizer: round trips, what fitting changes, what is stored, what is refused."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnkit.text import FILTERS, Tokenizer, tokenizer_from_json

drawn = settings(derandomize=True, deadline=None, max_examples=60)
words = st.text(st.sampled_from("abcñé¿'"), min_size=1, max_size=3)
texts = st.lists(st.lists(words, max_size=6).map(" ".join), max_size=5)


def fitted(texts, **options):
    tokenizer = Tokenizer(**options)
    tokenizer.fit_on_texts(texts)
    return tokenizer


@drawn
@given(texts)
def test_texts_of_plain_words_come_back_from_their_numbers(texts):
    tokenizer = fitted(texts)
    if texts:
        assert tokenizer.sequences_to_texts(tokenizer.texts_to_sequences(texts)) == texts


@drawn
@given(texts, st.integers(1, 5), st.sampled_from([None, "?"]))
def test_numbers_in_use_lie_below_num_words_and_come_back_as_themselves(texts, num_words, oov):
    tokenizer = fitted([*texts, "a"], num_words=num_words, oov_token=oov)
    sequences = tokenizer.texts_to_sequences(texts)
    assert all(0 < n < num_words or (oov and n == 1) for row in sequences for n in row)
    assert all(len(row) == len(given.split()) for row, given in zip(sequences, texts, strict=True)) or oov is None
    again = tokenizer.texts_to_sequences(text.split(" ") for text in tokenizer.sequences_to_texts(sequences) if text)
    assert again == [row for row in sequences if row]


@drawn
@given(texts, texts)
def test_fitting_in_two_parts_is_fitting_on_both(first, second):
    tokenizer = fitted(first)
    tokenizer.fit_on_texts(second)
    assert vars(tokenizer) == vars(fitted(first + second))


@drawn
@given(texts, st.sampled_from([None, "<OOV>", "a"]), st.booleans(), st.sampled_from([None, 4]))
def test_a_tokenizer_comes_back_from_its_json(texts, oov, char_level, num_words):
    tokenizer = fitted(texts, oov_token=oov, char_level=char_level, num_words=num_words, split=".", filters="x")
    assert vars(tokenizer_from_json(tokenizer.to_json())) == vars(tokenizer)
    assert tokenizer_from_json(tokenizer.to_json(indent=1, ensure_ascii=False)).to_json() == tokenizer.to_json()


def test_texts_fitted_after_sequences_leave_the_counts_of_other_numbers():
    tokenizer = Tokenizer()
    tokenizer.fit_on_sequences([[1, 50, 50], [50]])
    tokenizer.fit_on_texts(["a b", "a"])
    assert (tokenizer.index_docs, tokenizer.document_count) == ({1: 2, 2: 1, 50: 2}, 4)


def test_words_are_numbered_by_falling_frequency_and_then_as_they_came():
    assert fitted(["d c b a", "b a a"]).word_index == {"a": 1, "b": 2, "d": 3, "c": 4}


def test_a_number_out_of_the_vocabulary_is_left_out_or_the_oov_word():
    assert fitted(["a a b"]).sequences_to_texts([[0, 1, 2, 3]]) == ["a b"]
    assert fitted(["a a b"], oov_token="?").sequences_to_texts([[0, 1, 2, 3, 4]]) == ["? ? a b ?"]


def test_a_whole_book_as_one_str_is_taken_for_characters():
    tokenizer = fitted("To be", char_level=True)
    assert (tokenizer.document_count, list(tokenizer.word_index)) == (5, ["t", "o", " ", "b", "e"])
    assert tokenizer.texts_to_sequences(["To be"]) == [[1, 2, 3, 4, 5]]


def test_spanish_signs_stay_on_their_words_unless_filtered():
    assert list(fitted(["¿Qué? ¡qué!"]).word_index) == ["¿qué", "¡qué"]
    assert list(fitted(["¿Qué? ¡qué!"], filters=FILTERS + "¿¡").word_index) == ["qué"]


def test_a_refused_text_leaves_the_tokenizer_as_it_was():
    tokenizer = fitted(["a b", "b"])
    before = tokenizer.to_json()
    for fit, wrong in ((tokenizer.fit_on_texts, ["c", None]), (tokenizer.fit_on_sequences, [[1], [-1]])):
        with pytest.raises((TypeError, ValueError)):
            fit(wrong)
        assert tokenizer.to_json() == before


def test_the_repr_says_how_much_was_learnt():
    assert repr(fitted(["a b", "b"], num_words=9)) == "Tokenizer(2 words of 2 texts, num_words=9)"


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"num_words": 0}, ValueError, "num_words is a whole number from 1 up"),
        ({"num_words": 2.5}, ValueError, "num_words is a whole number"),
        ({"filters": None}, TypeError, "filters is a str of the characters to drop"),
        ({"lower": "no"}, TypeError, "lower is True or False"),
        ({"split": None}, TypeError, "split is the str between words"),
        ({"split": ""}, ValueError, "use Tokenizer\\(char_level=True\\)"),
        ({"char_level": 1}, TypeError, "char_level is True or False"),
        ({"oov_token": 1}, TypeError, "oov_token is a word"),
        ({"analyzer": "word"}, TypeError, "analyzer is a function from a text to its words"),
    ],
)
def test_an_option_of_the_wrong_kind_is_refused(options, error, sentence):
    with pytest.raises(error, match=sentence):
        Tokenizer(**options)


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda t: t.fit_on_texts("one text"), TypeError, r"got one str: pass \[text\]"),
        (lambda t: t.texts_to_sequences("one text"), TypeError, r"got one str: pass \[text\]"),
        (lambda t: t.fit_on_texts(["a", float("nan")]), TypeError, "text 1 is a str or a list of words; got float"),
        (lambda t: t.fit_on_texts([["a"], ["b", 3]]), TypeError, "word 1 of text 1 is a str; got int: 3"),
        (
            lambda t: t.texts_to_matrix(["a"], "tf-idf"),
            ValueError,
            "mode is one of binary, count, freq, tfidf; got 'tf",
        ),
        (lambda t: t.sequences_to_matrix([[1], [-1]]), ValueError, "sequence 1 has -1; indices count from 0 up"),
        (lambda t: t.sequences_to_matrix([[1.5]]), ValueError, "sequence 0 chooses by index"),
        (lambda t: t.fit_on_sequences([[1], ["b"]]), TypeError, "sequence 1 is made of <U1"),
        (lambda t: Tokenizer().texts_to_sequences(["a"]), ValueError, "no vocabulary yet; call fit_on_texts first"),
        (lambda t: Tokenizer(oov_token="?").sequences_to_texts([[1]]), ValueError, "'\\?' has no number yet"),
        (lambda t: Tokenizer().sequences_to_matrix([[1]]), ValueError, "pass num_words to the tokenizer, or fit it"),
        (lambda t: Tokenizer(3).sequences_to_matrix([[1]], "tfidf"), ValueError, "none was counted"),
        (lambda t: fitted(["a"], analyzer=str.split).to_json(), ValueError, "set tokenizer.analyzer = None before"),
        (lambda t: fitted(["a"], analyzer=lambda text: [1]), TypeError, "word 0 of what the analyzer gave is a str"),
    ],
)
def test_what_a_tokenizer_cannot_do_is_refused(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call(fitted(["a b"]))


def test_only_numbers_fitted_do_not_number_the_oov_word():
    tokenizer = Tokenizer(oov_token="?")
    tokenizer.fit_on_sequences([[1]])
    with pytest.raises(ValueError, match="oov_token '\\?' has no number yet"):
        tokenizer.texts_to_sequences(["a"])


def changed(**config):
    whole = json.loads(fitted(["a b", "b"], oov_token="?").to_json())
    whole["config"] |= {k: v if k in ("num_words", "document_count") else json.dumps(v) for k, v in config.items()}
    return json.dumps(whole)


@pytest.mark.parametrize(
    ("stored", "sentence"),
    [
        ("", "the text is not JSON"),
        ("[" * 100_000, "the text is not JSON"),
        (b"{}", "the text is JSON in a str; got bytes"),
        ("[1]", "the text holds list, expected an object"),
        ('{"class_name": "Sequential", "config": {}}', "this is no tokenizer"),
        ('{"class_name": "Tokenizer", "config": [1]}', "this is no tokenizer"),
        ('{"class_name": "Tokenizer", "config": {"num_words": 3}}', "incomplete: filters, lower, .*word_counts"),
        (changed(num_words=-1), "num_words is a whole number from 1 up"),
        (changed(document_count=-2), "document_count is a whole number from 0 up; got -2"),
        (changed(word_counts={"a": "many"}), r"word_counts\['a'\] is a whole number"),
        (changed(word_docs=[1]), "word_docs holds list"),
        (changed(index_docs={"one": 1}), "the keys of index_docs are whole numbers; got 'one'"),
        (changed(index_word={"1": "a"}), "word_index and index_word contradict each other"),
        (changed(word_counts={"c": 1}), "'c' has no number in word_index"),
        (changed(word_index={"a": 1}, index_word={"1": "a"}), r"'\?' has no number in word_index"),
    ],
)
def test_a_stored_tokenizer_that_is_wrong_is_refused(stored, sentence):
    with pytest.raises(ValueError, match=sentence):
        tokenizer_from_json(stored)
