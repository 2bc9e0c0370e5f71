"""Asks Keras what `text_cases.py` holds, and writes the answers to `text.json`.

    PYTHONHASHSEED=0 python tests/peers/make_text.py

Keras' tokenizer goes through sets of words: the seed gives its JSON the same order in every run.
Needs keras 3; the tests that read the answers do not.
"""

from __future__ import annotations

import json

import numpy as np
from asking import keras
from keras.src.legacy.preprocessing import text
from peers import text_cases as cases


def with_analyzer(options):
    return options | {"analyzer": cases.ANALYZERS[options["analyzer"]]} if "analyzer" in options else options


def tables(tokenizer):
    """What was learnt. The order of word_docs and index_docs changes from run to run, so these are sorted."""
    return {
        "document_count": tokenizer.document_count,
        "word_counts": list(tokenizer.word_counts.items()),
        "word_index": list(tokenizer.word_index.items()),
        "word_docs": sorted(tokenizer.word_docs.items()),
        "index_docs": sorted(tokenizer.index_docs.items()),
    }


def sparse(matrix):
    """[shape, places, values to 12 digits] of what is not zero."""
    places = np.flatnonzero(matrix)
    return [list(matrix.shape), places.tolist(), [float(f"{v:.12g}") for v in matrix.ravel()[places]]]


def tokenizer(options, collections):
    made = text.Tokenizer(**with_analyzer(options))
    for texts in collections:
        made.fit_on_texts(texts)
    asked = [*collections[-1], *cases.NEW]
    answer = tables(made) | {
        "sequences": made.texts_to_sequences(asked),
        "back": made.sequences_to_texts(cases.NUMBERS),
        "matrices": {mode: sparse(made.texts_to_matrix(cases.NEW, mode)) for mode in cases.MODES},
    }
    made.fit_on_sequences(cases.NUMBERS)
    return answer | {"tfidf after sequences": sparse(made.texts_to_matrix(cases.NEW, "tfidf"))}


def counted(num_words, fitted, asked):
    made = text.Tokenizer(num_words)
    made.fit_on_sequences(fitted)
    return {mode: sparse(made.sequences_to_matrix(asked, mode)) for mode in cases.MODES}


def stored():
    made = text.Tokenizer(num_words=6, oov_token="<OOV>")
    made.fit_on_texts(cases.SPANISH)
    return made.to_json()


def padded(name, options):
    if options["dtype"] == "object":  # Keras knows the type by this object alone
        options = options | {"dtype": object}
    made = keras.utils.pad_sequences(cases.PADDED[name], **options)
    return [str(made.dtype), list(made.shape), made.ravel().tolist()]


def main():
    answers = {
        "tokenizers": {name: tokenizer(*case) for name, case in cases.TOKENIZERS.items()},
        "counted": [counted(*case) for case in cases.COUNTED],
        "json": stored(),
        "words": [text.text_to_word_sequence(given, **options) for given, options in cases.WORDS],
        "hashes": [
            text.hashing_trick(given, n, hash_function="md5", **with_analyzer(options))
            for given, n, options in cases.HASHES
        ],
        "pads": [padded(*case) for case in cases.PADS],
        "classes": [sparse(keras.utils.to_categorical(y, n)) for y, n in cases.CLASSES],
    }
    cases.PATH.write_text(json.dumps(answers, separators=(",", ":"), ensure_ascii=False) + "\n")
    print(cases.PATH, cases.PATH.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
