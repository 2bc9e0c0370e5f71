"""Texts as numbers: the words of a vocabulary, hashes, one-hot vectors, bags of words, and word vectors from files."""

from .encoding import one_hot_sequences, to_categorical
from .glove import load_glove
from .hashing import hashing_trick, one_hot
from .labelled import read_labelled_texts
from .padding import pad_sequences
from .reviews import read_coded_reviews, write_coded_reviews
from .stored import tokenizer_from_json
from .tokenizer import Tokenizer
from .words import FILTERS, ngrams, text_to_word_sequence

__all__ = [
    "FILTERS",
    "Tokenizer",
    "hashing_trick",
    "load_glove",
    "ngrams",
    "one_hot",
    "one_hot_sequences",
    "pad_sequences",
    "read_coded_reviews",
    "read_labelled_texts",
    "text_to_word_sequence",
    "to_categorical",
    "tokenizer_from_json",
    "write_coded_reviews",
]
