"""The vocabulary of a collection of texts, and the texts as numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rnnkit_kernels.types import Array

from ..border import whole
from .encoding import to_indices
from .matrices import bag_of_words
from .words import FILTERS, Analyzer, analysed, check_analyzer, check_splitting, checked_words

__all__ = ["Tokenizer"]


class Tokenizer:
    """Learns the words of texts and numbers them from 1 by falling frequency; then turns texts into numbers and back.

    num_words   words 1 .. num_words - 1 are used, rarer ones left out (or read as `oov_token`); None uses all. All
                are counted and keep their number either way
    filters, lower, split   how a text is cut, see `text_to_word_sequence`
    char_level  a text's words are its characters; filters and split are not looked at
    oov_token   word number 1, which stands for words out of the vocabulary; None leaves those out
    analyzer    a function from a text to its words, in the place of filters, lower and split

    Fitting changes the tokenizer, as training changes a Sequential; nothing else does. What it learns:

    word_counts     word -> how often it was seen, in the order of first appearance
    word_docs       word -> in how many texts;   index_docs: the same by number
    word_index      word -> number;   index_word: number -> word. 0 is no word: it is left to padding
    document_count  texts seen

    A text is a str, or a list of words, which is not cut but put in lower case if `lower`. The semantics and every
    number are those of Keras (keras.preprocessing.text.Tokenizer), except that

    - a str in the place of a list of texts is refused, as it would be read as texts of one character; with
      char_level=True, where that is meant, it is taken;
    - words are str, sequences hold whole numbers from 0 up, and what is not so is refused by its position;
    - a tokenizer never fitted refuses texts, in the place of empty sequences;
    - a text that is refused leaves the tokenizer as it was;
    - the order of `word_docs` is that of first appearance in every run.

    The default filters leave ¿ and ¡ on their words; see `text_to_word_sequence`.
    Raises TypeError and ValueError for arguments of another type, and num_words below 1.
    """

    def __init__(
        self,
        num_words: int | None = None,
        filters: str = FILTERS,
        lower: bool = True,
        split: str = " ",
        char_level: bool = False,
        oov_token: str | None = None,
        analyzer: Analyzer | None = None,
    ) -> None:
        check_splitting(filters, lower, split)
        check_analyzer(analyzer)
        if not isinstance(char_level, bool):
            raise TypeError(f"char_level is True or False; got {char_level!r}")
        if oov_token is not None and not isinstance(oov_token, str):
            raise TypeError(f"oov_token is a word, such as '<OOV>', or None; got {oov_token!r}")
        self.num_words = None if num_words is None else whole("num_words", num_words, least=1)
        self.filters = filters
        self.lower = lower
        self.split = split
        self.char_level = char_level
        self.oov_token = oov_token
        self.analyzer = analyzer
        self.document_count = 0
        self.word_counts: dict[str, int] = {}
        self.word_docs: dict[str, int] = {}
        self.index_docs: dict[int, int] = {}
        self.word_index: dict[str, int] = {}
        self.index_word: dict[int, str] = {}

    def __repr__(self) -> str:
        return f"Tokenizer({len(self.word_index)} words of {self.document_count} texts, num_words={self.num_words})"

    def fit_on_texts(self, texts: Iterable[str | list[str]]) -> None:
        """Counts the words of the texts, on top of those counted before, and numbers all anew.

        Words of the same frequency stand in the order of their first appearance. If `oov_token` is itself a word of
        the texts, it has that word's number, and number 1 is nobody's.
        """
        counts, docs, documents = dict(self.word_counts), dict(self.word_docs), self.document_count
        for words in self._each(texts):
            documents += 1
            for word in words:
                counts[word] = counts.get(word, 0) + 1
            for word in dict.fromkeys(words):
                docs[word] = docs.get(word, 0) + 1
        ordered = [] if self.oov_token is None else [self.oov_token]
        ordered += sorted(counts, key=lambda word: counts[word], reverse=True)
        self.word_counts, self.word_docs, self.document_count = counts, docs, documents
        self.word_index = {word: number for number, word in enumerate(ordered, 1)}
        self.index_word = {number: word for word, number in self.word_index.items()}
        self.index_docs |= {self.word_index[word]: n for word, n in docs.items()}

    def fit_on_sequences(self, sequences: Sequence[Sequence[int]]) -> None:
        """Counts texts that are numbers already, so that `sequences_to_matrix` can weigh by tfidf; learns no words."""
        index_docs = dict(self.index_docs)
        for k, sequence in enumerate(sequences):
            for number in set(to_indices(f"sequence {k}", sequence).tolist()):
                index_docs[number] = index_docs.get(number, 0) + 1
        self.index_docs, self.document_count = index_docs, self.document_count + len(sequences)

    def texts_to_sequences(self, texts: Iterable[str | list[str]]) -> list[list[int]]:
        """The numbers of the words of each text. Raises ValueError before any text was fitted."""
        return list(self.texts_to_sequences_generator(texts))

    def texts_to_sequences_generator(self, texts: Iterable[str | list[str]]) -> Iterator[list[int]]:
        """`texts_to_sequences`, one text at a time."""
        if not self.word_index and not self.document_count:
            raise ValueError("the tokenizer has no vocabulary yet; call fit_on_texts first")
        unknown, known = self._unknown(), self._in_use()
        for words in self._each(texts):
            numbers = (known.get(word, unknown) for word in words)
            yield [number for number in numbers if number is not None]

    def sequences_to_texts(self, sequences: Iterable[Iterable[int]]) -> list[str]:
        """The words of each sequence, joined by blanks. Numbers that are no word's are left out, or `oov_token`."""
        return list(self.sequences_to_texts_generator(sequences))

    def sequences_to_texts_generator(self, sequences: Iterable[Iterable[int]]) -> Iterator[str]:
        """`sequences_to_texts`, one sequence at a time."""
        unknown = None if self._unknown() is None else self.oov_token
        known = {number: word for word, number in self._in_use().items()}
        for sequence in sequences:
            words = (known.get(number, unknown) for number in sequence)
            yield " ".join(word for word in words if word is not None)

    def texts_to_matrix(self, texts: Iterable[str | list[str]], mode: str = "binary") -> Array:
        """`sequences_to_matrix` of the texts' sequences."""
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode)

    def sequences_to_matrix(self, sequences: Sequence[Sequence[int]], mode: str = "binary") -> Array:
        """Each sequence as one row (B, num_words): "binary", "count", "freq" or "tfidf", as `bag_of_words` has them.

        Without num_words the row has a place for every word, and for 0. Needs no fitted texts if num_words is given,
        except for "tfidf". Raises ValueError where neither is there.
        """
        if self.num_words is None and not self.word_index:
            raise ValueError("the width of the matrix is unknown: pass num_words to the tokenizer, or fit it on texts")
        width = len(self.word_index) + 1 if self.num_words is None else self.num_words
        return bag_of_words(sequences, width, mode, self.document_count, self.index_docs)

    def get_config(self) -> dict[str, Any]:
        """All of it but the analyzer, with the five tables as JSON texts: Keras' form."""
        plain = ("num_words", "filters", "lower", "split", "char_level", "oov_token", "document_count")
        tables = ("word_counts", "word_docs", "index_docs", "index_word", "word_index")
        return {k: getattr(self, k) for k in plain} | {k: json.dumps(getattr(self, k)) for k in tables}

    def to_json(self, **kwargs: Any) -> str:
        """The tokenizer as JSON, as Keras writes it; `tokenizer_from_json` of either side reads it.

        kwargs  for json.dumps, such as indent=2
        raises  ValueError if there is an analyzer: a function cannot be written. Set `tokenizer.analyzer = None`
                before, and to the function again after reading
        """
        if self.analyzer is not None:
            raise ValueError(
                "an analyzer is a function and cannot be written as JSON; set tokenizer.analyzer = None before, and to "
                "the function again after reading"
            )
        return json.dumps({"class_name": "Tokenizer", "config": self.get_config()}, **kwargs)

    def _unknown(self) -> int | None:
        """The number of words out of the vocabulary, None where they are left out."""
        if self.oov_token is None:
            return None
        if self.oov_token not in self.word_index:
            raise ValueError(f"oov_token {self.oov_token!r} has no number yet; call fit_on_texts first")
        return self.word_index[self.oov_token]

    def _in_use(self) -> dict[str, int]:
        """The words that have a number below num_words."""
        limit = math.inf if self.num_words is None else self.num_words
        return {word: number for word, number in self.word_index.items() if number < limit}

    def _each(self, texts: Iterable[str | list[str]]) -> Iterator[list[str]]:
        """The words of each text."""
        if isinstance(texts, str) and not self.char_level:
            raise TypeError("texts is a list of texts; got one str: pass [text]")
        for k, text in enumerate(texts):
            if isinstance(text, list):
                words = checked_words(f"text {k}", text)
                yield [word.lower() for word in words] if self.lower else words
            elif not isinstance(text, str):
                raise TypeError(f"text {k} is a str or a list of words; got {type(text).__name__}")
            elif self.char_level:
                yield list(text.lower() if self.lower else text)
            else:
                yield analysed(text, self.filters, self.lower, self.split, self.analyzer)
