"""What Keras' text functions are asked; the answers are in `text.json`, written by `make_text.py`."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

PATH = Path(__file__).with_name("text.json")

CATS = ["The cat sat on the mat.", "The dog ate my homework, the cat's dinner & the MAT!", "", "  ...  "]
SPANISH = [
    "¿Qué aprende la red? La red aprende la señal: mañana será otro día.",
    "¡Ánimo! El niño NO leyó «El Quijote»; ÁÉÍÓÚ Ñ ü.",
    "La señal, la señal, la señal…\nY\tla red.",
]
LISTS = [["The", "cat", "sat"], ["the", "CAT", "The cat", ""], [], ["dog", "dog", "dog"]]
ODD = ["İstanbul ßtraße", "a_b-c'd \x85 e\u00a0f g\u2028h", "x,y,,z", "oov word oov", "1 2 3 2 1"]
NEW = ["the dog sat on the red mat, the red unicorn", "¿Qué señal? mañana", "", "oov"]


def sentence_halves(text):
    """An analyzer: not in lower case, cut at commas and points."""
    return [part.strip() for half in text.split(",") for part in half.split(".") if part.strip()]


ANALYZERS = {"halves": sentence_halves, "split": str.split}

# name -> (arguments of Tokenizer, the collections of texts fitted one after the other)
OPTIONS = {
    "plain": {},
    "num_words": {"num_words": 5},
    "num_words 1": {"num_words": 1},
    "oov": {"oov_token": "<OOV>"},
    "oov and num_words": {"oov_token": "<OOV>", "num_words": 4},
    "oov in the texts": {"oov_token": "oov"},
    "oov in the texts and num_words": {"oov_token": "the", "num_words": 6},
    "case kept": {"lower": False},
    "no filters": {"filters": ""},
    "own filters": {"filters": "aeiou¿¡«»", "num_words": 7},
    "split at commas": {"split": ",", "filters": "."},
    "split of two": {"split": "th"},
    "characters": {"char_level": True},
    "characters, case kept, oov": {"char_level": True, "lower": False, "oov_token": "?", "num_words": 9},
    "analyzer": {"analyzer": "halves"},
    "analyzer, oov": {"analyzer": "split", "oov_token": "-", "num_words": 8},
}
COLLECTIONS = {
    "cats": [CATS],
    "Spanish": [SPANISH],
    "lists and texts": [LISTS + CATS[:1]],
    "twice": [CATS, SPANISH + ODD],
}
TOKENIZERS = {f"{o}, {c}": (OPTIONS[o], COLLECTIONS[c]) for o, c in product(OPTIONS, COLLECTIONS)}
MODES = ("binary", "count", "freq", "tfidf")
NUMBERS = [[1, 2, 2, 9, 0], [], [5, 5, 5], [3, 7, 1, 1, 400]]

# Only numbers: (num_words, sequences fitted, sequences asked)
COUNTED = [(10, NUMBERS, NUMBERS), (3, NUMBERS, [[1, 1, 8], [2], [0, 0]]), (6, [[1], [1], [1, 2]], NUMBERS[:3])]

WORDS = [
    (text, options)
    for text in (*CATS, *SPANISH, *ODD)
    for options in ({}, {"lower": False}, {"filters": ""}, {"filters": "¿¡«».,"}, {"split": ","}, {"split": "the"})
]

HASHES = [(text, n, {}) for text in (*CATS, *SPANISH) for n in (2, 7, 1000)] + [
    (SPANISH[0], 50, {"lower": False, "filters": "?"}),
    (CATS[1], 50, {"analyzer": "halves"}),
]

PADDED = {
    "numbers": [[1, 2, 3], [4], [], [5, 6, 7, 8, 9]],
    "fractions": [[1.5, -2.25], [0.5, 3.75, 4.0]],
    "all empty": [[], []],
    "pairs": [[[1, 2]], [[3, 4], [5, 6], [7, 8]], []],
    "grids": [[[[1], [2]], [[3], [4]]], [[[5], [6]]]],
    "words": [["uno", "dos"], ["tres"]],
}
_EITHER = ("pre", "post")
PADS = [
    (name, {"padding": p, "truncating": t, "maxlen": m, "dtype": d, "value": v})
    for name, p, t, m in product(PADDED, _EITHER, _EITHER, (None, 1, 2, 4, 7))
    for d, v in (
        [("object", "-"), ("<U3", "fin")] if name == "words" else [("int32", 0.0), ("float64", -1.5), ("int8", 7)]
    )
    if not (name == "all empty" and d != "int32")
]

CLASSES = [
    ([0, 2, 1, 2], None),
    ([2], None),
    ([[1], [0]], 3),
    ([[0, 1], [3, 2]], None),
    ([], 2),
    (4, None),
    ([1.0, 0.0], 2),
]


def load():
    return json.loads(PATH.read_text())
