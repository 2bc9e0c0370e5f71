"""A tokenizer read from JSON."""

from __future__ import annotations

import json
from typing import Any

from .tokenizer import Tokenizer

__all__ = ["tokenizer_from_json"]

_OPTIONS = ("num_words", "filters", "lower", "split", "char_level", "oov_token")
_BY_WORD, _BY_NUMBER = ("word_counts", "word_docs", "word_index"), ("index_docs", "index_word")


def tokenizer_from_json(json_string: str) -> Tokenizer:
    """The tokenizer that `Tokenizer.to_json` wrote, rnnkit's or Keras'.

    raises  ValueError for what is no JSON, no tokenizer, incomplete, or whose tables contradict each other; TypeError
            for options of another type, as the constructor

    The analyzer is not part of it; see `Tokenizer.to_json`.
    """
    whole = _table("the text", _read("the text", json_string))
    config = whole.get("config")
    if whole.get("class_name") != "Tokenizer" or not isinstance(config, dict):
        raise ValueError('this is no tokenizer: expected {"class_name": "Tokenizer", "config": {...}}')
    missing = [k for k in (*_OPTIONS, "document_count", *_BY_WORD, *_BY_NUMBER) if k not in config]
    if missing:
        raise ValueError(f"the tokenizer is incomplete: {', '.join(missing)} not found in its config")
    tokenizer = Tokenizer(**{k: config[k] for k in _OPTIONS})
    tokenizer.document_count = _count("document_count", config["document_count"])
    tables = {k: _table(k, _read(k, config[k])) for k in (*_BY_WORD, *_BY_NUMBER)}
    for name in ("word_counts", "word_docs", "index_docs", "word_index"):
        for key, value in tables[name].items():
            _count(f"{name}[{key!r}]", value)
    tokenizer.word_counts, tokenizer.word_docs, tokenizer.word_index = (tables[k] for k in _BY_WORD)
    tokenizer.index_docs, tokenizer.index_word = (_by_number(k, tables[k]) for k in _BY_NUMBER)
    if tokenizer.index_word != {number: word for word, number in tokenizer.word_index.items()}:
        raise ValueError("word_index and index_word contradict each other; the file was changed or cut")
    oov = [tokenizer.oov_token] if tokenizer.word_index and tokenizer.oov_token is not None else []
    unnumbered = [k for k in (*oov, *tokenizer.word_counts, *tokenizer.word_docs) if k not in tokenizer.word_index]
    if unnumbered:
        raise ValueError(f"{unnumbered[0]!r} has no number in word_index; the file was changed or cut")
    return tokenizer


def _read(name: str, text: Any) -> Any:
    if not isinstance(text, str):
        raise ValueError(f"{name} is JSON in a str; got {type(text).__name__}")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} is not JSON: {error}") from None


def _table(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} holds {type(value).__name__}, expected an object")
    return value


def _count(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{name} is a whole number from 0 up; got {value!r}")
    return value


def _by_number(name: str, table: dict[str, Any]) -> dict[int, Any]:
    """JSON has only str for keys: "7" is number 7."""
    for key in table:
        if not (key.isascii() and key.isdigit()):
            raise ValueError(f"the keys of {name} are whole numbers; got {key!r}")
    return {int(key): value for key, value in table.items()}
