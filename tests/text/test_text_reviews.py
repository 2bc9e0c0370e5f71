"""Texts as numbers, and as lines of a table: what is read, and every file that is none."""

import gzip
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from rnnkit.text import read_coded_reviews, read_labelled_texts, write_coded_reviews

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
CODED, RAW = DATA / "imdb_int20k.npz", DATA / "imdb_text_4000.tsv.gz"
needs_data = pytest.mark.skipif(not (CODED.is_file() and RAW.is_file()), reason="the reviews are in shared/data")

TRAIN, TEST = ([[1, 5, 70_000], [], [1, 2]], [0, 1, 1]), ([[1, 9]], [0])
texts = st.lists(arrays.arrays(np.int32, st.integers(0, 6), elements=st.integers(0, 99_999)), max_size=5)


@pytest.fixture
def coded(tmp_path):
    """Writes the arrays of a good file, with some of them in the place of the good ones; None leaves one out."""

    def write(**changed):
        path = tmp_path / "reviews.npz"
        good = {"train_tokens": [1, 5, 9, 1, 4], "train_offsets": [0, 3, 5], "train_labels": [0, 1]}
        good |= {"test_tokens": [1, 7], "test_offsets": [0, 2], "test_labels": [1]}
        kept = {name: np.asarray(array) for name, array in (good | changed).items() if array is not None}
        np.savez(path, **kept)
        return path

    return write


@needs_data
def test_the_fifty_thousand_reviews_begin_as_recorded():
    (x, y), (x_test, y_test) = read_coded_reviews(CODED)
    assert x[0][:8].tolist() == [1, 121, 81, 13, 380, 3126, 4, 425]
    assert [len(part) for part in (x, y, x_test, y_test)] == [25_000] * 4
    assert (sum(map(len, x)), sum(map(len, x_test))) == (5_967_841, 5_833_817)
    assert y.sum() == y_test.sum() == 12_500
    assert x[0].dtype == np.int32
    assert y.dtype == np.int64


@needs_data
def test_rarer_words_become_the_unknown_one():
    (x, _), _ = read_coded_reviews(CODED)
    (fewer, _), _ = read_coded_reviews(CODED, 10_000)
    for all_words, kept in zip(x[:200], fewer[:200], strict=True):
        np.testing.assert_array_equal(kept, np.where(all_words >= 10_000, 2, all_words))
    assert max(row.max() for row in fewer) == 9_999


@settings(derandomize=True, deadline=None, max_examples=20)
@given(train=texts, test=texts, classes=st.lists(st.integers(0, 9), min_size=5, max_size=5))
def test_what_was_written_is_read_again(tmp_path_factory, train, test, classes):
    path = tmp_path_factory.mktemp("coded") / "reviews.npz"
    write_coded_reviews(path, (train, classes[: len(train)]), (test, classes[: len(test)]))
    for given_texts, (x, y) in zip((train, test), read_coded_reviews(path), strict=True):
        assert [row.tolist() for row in x] == [row.tolist() for row in given_texts]
        assert y.tolist() == classes[: len(given_texts)]


def test_lists_are_written_too_and_the_unknown_word_can_be_chosen(tmp_path):
    path = tmp_path / "reviews.npz"
    write_coded_reviews(path, TRAIN, TEST)
    (x, y), (x_test, _) = read_coded_reviews(path, 9, oov_char=3)
    assert [row.tolist() for row in x] == [[1, 5, 3], [], [1, 2]]
    assert y.tolist() == [0, 1, 1]
    assert x_test[0].tolist() == [1, 3]


@pytest.mark.parametrize(
    ("train", "error", "said"),
    [
        (([[1, -2]], [0]), ValueError, "text 0 of train has -2"),
        (([[1], [[2]]], [0, 1]), ValueError, r"text 1 of train is a list of whole numbers; got shape \(1, 1\)"),
        (([[1], [2]], [0]), ValueError, r"train has 2 texts and classes of shape \(1,\)"),
        (([[1 << 31]], [0]), ValueError, "train has the number 2147483648"),
        (([[1.5]], [0]), ValueError, "text 0 of train"),
    ],
)
def test_what_cannot_be_written_is_refused_and_leaves_no_file(tmp_path, train, error, said):
    with pytest.raises(error, match=said):
        write_coded_reviews(tmp_path / "reviews.npz", train, TEST)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"test_labels": None}, "reviews.npz has no test_labels"),
        ({"train_labels": [0]}, "train has 2 texts and 1 classes"),
        ({"train_offsets": [0, 3, 4]}, "train_offsets do not cut its 5 tokens"),
        ({"train_offsets": [1, 3, 5]}, "train_offsets do not cut its 5 tokens"),
        ({"train_offsets": [0, 7, 5]}, "train_offsets do not cut its 5 tokens"),
        ({"train_offsets": [0, -2, 5]}, "train_offsets do not cut its 5 tokens"),
        ({"train_offsets": np.zeros(0, int)}, "train_offsets do not cut its 5 tokens"),
        ({"train_tokens": [1, -5, 9, 1, 4]}, "train_tokens has -5"),
        ({"train_tokens": [1, 1 << 31, 9, 1, 4]}, "train_tokens has 2147483648"),
        ({"test_labels": [-1]}, "test_labels has -1"),
        ({"test_tokens": [1.0, 7.0]}, "test_tokens is a vector of whole numbers; got float64"),
        ({"test_tokens": [[1, 7]]}, r"test_tokens is a vector of whole numbers; got int64 of shape \(1, 2\)"),
        ({"test_tokens": np.array([[1, 7], None], object)}, "test_tokens holds Python objects, which can run code"),
    ],
)
def test_a_file_that_is_not_whole_is_refused(coded, changed, said):
    read_coded_reviews(coded())
    with pytest.raises(ValueError, match=said):
        read_coded_reviews(coded(**changed))


def test_a_header_that_claims_more_than_the_file_has_takes_no_memory(coded, tmp_path):
    path, other = coded(), tmp_path / "other.npz"
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(other, "w") as changed:
        for name in archive.namelist():
            content = archive.read(name)
            if name == "train_tokens.npy":
                content = content.replace(b"(5,), }" + b" " * 12, b"(5000000000000,), }")
                assert b"5000000000000" in content
            changed.writestr(name, content)
    with pytest.raises(ValueError, match="train_tokens should have 5000000000000 numbers, and has 5"):
        read_coded_reviews(other)


def test_a_file_larger_than_the_limit_is_not_unpacked(tmp_path):
    path = tmp_path / "reviews.npz"
    write_coded_reviews(path, ([[0] * 200_000], [0]), TEST)
    assert path.stat().st_size < 4_000
    with pytest.raises(ValueError, match=r"more than 300000; raise the limit"):
        read_coded_reviews(path, limit=300_000)


def test_other_files_are_named_for_what_they_are(tmp_path, coded):
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"PK\x03\x04 and nothing more")
    with pytest.raises(ValueError, match=r"broken.npz is no .npz file, or a damaged one"):
        read_coded_reviews(broken)
    content = bytearray(coded().read_bytes())
    content[content.index(b"\x93NUMPY") + 130] ^= 1  # a token: the checksum tells
    broken.write_bytes(bytes(content))
    with pytest.raises(ValueError, match="damaged"):
        read_coded_reviews(broken)
    with zipfile.ZipFile(broken, "w") as archive:
        for name in ("tokens", "offsets", "labels"):
            for part in ("train", "test"):
                archive.writestr(f"{part}_{name}.npy", b"1 2 3")
    with pytest.raises(ValueError, match="train_tokens is no array in NumPy's format"):
        read_coded_reviews(broken)
    with pytest.raises(FileNotFoundError):
        read_coded_reviews(tmp_path / "nowhere.npz")
    with pytest.raises(ValueError, match="not a regular file"):
        read_coded_reviews(tmp_path)


def test_the_file_of_keras_is_refused_with_what_to_do(tmp_path):
    content = io.BytesIO()
    np.savez(content, x_train=np.array([[1], [1, 2]], object), y_train=[0, 1], x_test=[1], y_test=[1])
    (tmp_path / "imdb.npz").write_bytes(content.getvalue())
    with pytest.raises(ValueError, match=r"Keras' own imdb\.npz is another file; see write_coded_reviews"):
        read_coded_reviews(tmp_path / "imdb.npz")


@needs_data
def test_the_raw_reviews_are_read_by_their_split():
    train, classes = read_labelled_texts(RAW, where={"split": "train"})
    assert train[0].startswith("Story of a man who has unnatural feelings for a pig.")
    assert (len(train), classes.sum()) == (2000, 1000)
    assert len(read_labelled_texts(RAW)[0]) == 4000
    assert set(read_labelled_texts(RAW, label="stars", where={"label": "0"})[1].tolist()) <= {1, 2, 3, 4}


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_quotes_are_characters_and_the_order_is_that_of_the_file(tmp_path, pack):
    path = tmp_path / "texts.tsv"
    path.write_bytes(pack('kind\tlabel\ttext\na\t1\t"so, ¿qué?\nb\t0\tno\na\t3\t\n'.encode()))
    texts, classes = read_labelled_texts(path, where={"kind": "a"})
    assert (texts, classes.tolist()) == (['"so, ¿qué?', ""], [1, 3])


@pytest.mark.parametrize(
    ("content", "where", "said"),
    [
        ("label\ttext\n1\tgood\n2\n", None, "line 3: 2 cells are expected, as in the header; got 1"),
        ("label\ttext\n1\tgood\tbad\n", None, "line 2: 2 cells are expected, as in the header; got 3"),
        ("label\ttext\ngood\tgood\n", None, "line 2: a class is a whole number from 0; got 'good'"),
        ("label\ttext\n²\tgood\n", None, "line 2: a class is a whole number from 0; got '²'"),
        ("label\ttexts\n1\tgood\n", None, "texts"),
        ("label\ttext\n1\tgood\n", {"splits": "train"}, "splits"),
        ("label\ttext\n1\tgood\n", {"label": "0"}, "no line follows with label = '0'"),
        ("label\ttext\n", None, "no line follows"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_by_its_line(tmp_path, content, where, said):
    path = tmp_path / "texts.tsv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        read_labelled_texts(path, where=where)
