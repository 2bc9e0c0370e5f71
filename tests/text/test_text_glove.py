"""GloVe files: what is read, what is kept, and every line that is none."""

import gzip
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from rnnkit import layers
from rnnkit.text import Tokenizer, load_glove

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
EXTRACT = DATA / "glove.6B.50d.head2445.txt.gz"
needs_data = pytest.mark.skipif(not EXTRACT.is_file(), reason="the extract is in shared/data beside the checkout")
SMALL = "the 0.5 -1\nseñal 1e-3 .25\n. . . 3 4\nat name@domain.com 5 6\n\x85 7 8\nthe 9 10\n"


@pytest.fixture
def file(tmp_path):
    def write(content):
        path = tmp_path / "glove.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@needs_data
def test_the_published_vectors_are_read_to_the_last_digit():
    vectors = load_glove(EXTRACT)
    assert (len(vectors), {v.shape for v in vectors.values()}) == (2445, {(50,)})
    assert vectors["the"][:4].tolist() == np.float32([0.418, 0.24968, -0.41242, 0.1217]).tolist()
    assert vectors[","][3] == np.float32(0.40951)


@needs_data
def test_a_tokenizers_words_have_their_rows():
    tokenizer = Tokenizer(num_words=4)
    tokenizer.fit_on_texts(["the the the king qwertyuiop the king qwertyuiop qwertyuiop of"])
    vectors = load_glove(EXTRACT)
    matrix, found = load_glove(EXTRACT, tokenizer.word_index, dim=50, num_words=4)
    assert (matrix.shape, matrix.dtype, found) == ((4, 50), np.float32, 2)
    np.testing.assert_array_equal(matrix, [0 * vectors["the"], vectors["the"], 0 * vectors["the"], vectors["king"]])
    matrix, found = load_glove(EXTRACT, tokenizer.word_index)
    assert (matrix.shape, found) == ((5, 50), 3)
    np.testing.assert_array_equal(matrix[4], vectors["of"])


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", " \n"])
def test_words_may_have_blanks_and_a_second_vector(file, pack, ending):
    vectors = load_glove(file(pack(SMALL.replace("\n", ending).encode())))
    assert {word: v.tolist() for word, v in vectors.items()} == {
        "the": [9, 10],
        "señal": np.float32([1e-3, 0.25]).tolist(),
        ". . .": [3, 4],
        "at name@domain.com": [5, 6],
        "\x85": [7, 8],
    }


def test_a_word_with_blanks_may_come_first_where_the_size_is_given(file):
    path = file(". . . 3 4\nthe 1 2\n")
    matrix, found = load_glove(path, {"the": 2, ". . .": 1, "a": 3}, dim=2)
    assert (matrix.tolist(), found) == ([[0, 0], [3, 4], [1, 2], [0, 0]], 2)
    with pytest.raises(ValueError, match=r"line 1: '\.' is not a number"):
        load_glove(path)


def test_rows_from_num_words_up_are_left_out_and_a_word_that_comes_twice_is_found_once(file):
    path = file(SMALL)
    matrix, found = load_glove(path, {"the": 1, "señal": 2, ". . .": 3}, num_words=2)
    assert (matrix.tolist(), found) == ([[0, 0], [9, 10]], 1)
    assert load_glove(path, {"the": 1}, num_words=5)[0].shape == (5, 2)
    assert load_glove(path, {}, num_words=3)[1] == 0


def test_an_embedding_starts_from_the_matrix_and_stays_with_it_when_frozen(file):
    matrix, _ = load_glove(file(SMALL), {"the": 1, "señal": 2, "none": 3})
    embedding = layers.Embedding(4, 2, weights=matrix, trainable=False)
    params, _ = embedding.init(np.random.default_rng(0), (None, 3), "float32")
    y, _ = embedding(params, np.array([[2, 1, 3]]))
    np.testing.assert_array_equal(y, matrix[[[2, 1, 3]]])
    assert not embedding.learned(params)


def test_memory_is_taken_for_the_words_asked_for_only(file):
    row = " ".join(["0.125"] * 50)
    path = file("".join(f"w{k} {row}\n" for k in range(5000)))
    tracemalloc.start()
    matrix, found = load_glove(path, {"w7": 1, "w4999": 2})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (matrix.shape, found, matrix.sum()) == ((3, 50), 2, 12.5)
    assert peak < 5000 * 50 * 4 / 4  # a quarter of what all vectors take


def test_of_lines_not_asked_for_only_the_number_of_fields_is_looked_at(file):
    path = file("the 1 2\nof x y\n")
    assert load_glove(path, {"the": 0})[0].tolist() == [[1, 2]]
    with pytest.raises(ValueError, match="line 2: 'x' is not a number"):
        load_glove(path)


def test_a_progress_bar_is_shown_only_when_asked_for(file, capsys):
    path = file(SMALL)
    load_glove(path)
    assert capsys.readouterr().err == ""
    load_glove(path, verbose=1)
    assert "GloVe" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "glove.txt is empty"),
        ("the\n", "line 1: expected a word and its numbers"),
        ("400000 50\nthe 1 2\n", "line 1: '400000 50' is the head of a word2vec file"),
        ("the 1 2\na 1\n", "line 2: expected a word and 2 numbers; found 2 fields"),
        ("the 1 2\n\na 1 3\n", "line 2: expected a word and 2 numbers; found 1 fields"),
        ("the 1 2\na 1 2 3\n", "line 2: more than 2 numbers follow the word"),
        ("the 1 2\n 1 2\n", "line 2: the line begins with a blank"),
        ("the 1 2\na 1 x\n", "line 2: 'x' is not a number; expected 2 of them"),
        ("the 1 2\na 1 nan\n", "line 2: 'nan' is no finite number"),
        ("the 1 2\na 1e99 0\n", "line 2: '1e99' is no finite number in float32"),
        ("the 1  2\n", "line 1: '' is not a number"),
        ("the 1 2\na\t1 2\n", "line 2: expected a word and 2 numbers; found 2 fields"),
        (b"the 1 2\n\xff 1 2\n", "line 2: the text is not UTF-8"),
        (b"the 1 2\n\0 1 2\n", "line 2: this is a binary file"),
        (gzip.compress(b"the 1 2\n" * 9, mtime=0)[:-9], "truncated gzip"),
        ("the 1 2 " + "3 " * 600_000, "line 1: the line is longer than 1 MiB"),
    ],
)
def test_a_malformed_file_is_refused_by_the_number_of_its_line(file, content, sentence):
    path = file(content)
    with pytest.raises(ValueError, match=sentence):
        load_glove(path)
    with pytest.raises(ValueError, match=sentence):
        load_glove(path, {"the": 1, "a": 2})


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_file_above_the_limit_is_refused_before_it_is_read(file, pack):
    with pytest.raises(ValueError, match="holds more than 20 bytes of text; raise the limit"):
        load_glove(file(pack(b"the 1 2\n" * 3)), limit=20)


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"dim": 0}, ValueError, "dim is a whole number from 1 up"),
        ({"dim": 3}, ValueError, "line 1: expected a word and 3 numbers; found 3 fields"),
        ({"dim": 1}, ValueError, "line 1: more than 1 numbers follow the word"),
        ({"num_words": 5}, ValueError, "pass both"),
        ({"word_index": ["the"]}, TypeError, "word_index is a dict word -> row"),
        ({"word_index": {}}, ValueError, "word_index is empty: fit the tokenizer first"),
        ({"word_index": {"the": -1}}, ValueError, "the row of 'the' is a whole number from 0 up"),
        ({"word_index": {"the": 1}, "num_words": 0}, ValueError, "num_words is a whole number from 1 up"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(file, options, error, sentence):
    with pytest.raises(error, match=sentence):
        load_glove(file("the 0.5 0.5\n"), **options)


def test_a_missing_file_is_the_systems_own_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_glove(tmp_path / "none.txt")


@pytest.mark.parametrize("line", ["cat  1 2", " cat 1 2", "  cat   1 2"])
def test_a_word_with_a_blank_beside_it_would_never_be_found_and_is_refused(file, line):
    with pytest.raises(ValueError, match="line 2: there is a blank too many beside the word 'cat'"):
        load_glove(file(f"the 1 2\n{line}\n"), dim=2)
