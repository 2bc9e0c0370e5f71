"""A text cut into words, and words put together to n-grams."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from ..border import whole

__all__ = [
    "FILTERS",
    "Analyzer",
    "analysed",
    "check_analyzer",
    "check_splitting",
    "checked_words",
    "ngrams",
    "text_to_word_sequence",
]

Analyzer: TypeAlias = Callable[[str], Iterable[str]]
"""A text to its words; takes the place of filters, lower and split together."""

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
"""The characters that Keras drops. The apostrophe is not among them, nor is what is not ASCII: ¿ ¡ « » — …"""


def text_to_word_sequence(input_text: str, filters: str = FILTERS, lower: bool = True, split: str = " ") -> list[str]:
    """The words of a text, in their order.

    input_text  any str
    filters     every one of these characters counts as `split`
    lower       the text is put in lower case first (so É becomes é; accents stay)
    split       what stands between words; of several in a row no empty words come
    raises      TypeError for other than str (lower: bool), ValueError for an empty `split`

    The default filters are those of Keras, and leave ¿ and ¡ on their words: "¿Qué?" gives "¿qué". For Spanish pass
    `filters=rnnkit.text.FILTERS + "¿¡«»—…"`.
    """
    check_splitting(filters, lower, split)
    if not isinstance(input_text, str):
        raise TypeError(f"a text is a str; got {type(input_text).__name__}: {_short(input_text)}")
    if lower:
        input_text = input_text.lower()
    parts = input_text.translate({ord(character): split for character in filters}).split(split)
    return [word for word in parts if word]


def ngrams(
    text: str | list[str],
    n: int,
    *,
    filters: str = FILTERS,
    lower: bool = True,
    split: str = " ",
    analyzer: Analyzer | None = None,
) -> set[str]:
    """The bag of n-grams of a text: the set of all groups of 1 to n words that stand side by side in it.

    text     a str, cut into words as `text_to_word_sequence` does or by `analyzer`; or a list of words, taken as it is
    n        the most words in a group, from 1 up
    returns  strings, the words of a group joined by one blank; an empty set for a text without words
    raises   ValueError for n below 1, TypeError for a text of another type

    "the cat sat" with n = 2 gives {"the", "cat", "sat", "the cat", "cat sat"}. Their order is given up, as in every bag
    of words. With lower=False "The" and "the" are two words.
    """
    n = whole("n", n, least=1)
    if isinstance(text, list):
        words = checked_words("the text", text)
    else:
        words = analysed(text, filters, lower, split, analyzer)
    return {" ".join(words[k : k + size]) for size in range(1, n + 1) for k in range(len(words) - size + 1)}


def analysed(text: str, filters: str, lower: bool, split: str, analyzer: Analyzer | None) -> list[str]:
    """The words of a text by the analyzer, if there is one, else by filters, lower and split."""
    if analyzer is None:
        return text_to_word_sequence(text, filters, lower, split)
    check_analyzer(analyzer)
    return checked_words("what the analyzer gave", list(analyzer(text)))


def checked_words(what: str, words: list[Any]) -> list[str]:
    """The words themselves. Raises TypeError for the first that is no str."""
    for k, word in enumerate(words):
        if not isinstance(word, str):
            raise TypeError(f"word {k} of {what} is a str; got {type(word).__name__}: {_short(word)}")
    return words


def check_splitting(filters: Any, lower: Any, split: Any) -> None:
    """Refuses filters, lower and split that are not what `text_to_word_sequence` takes."""
    if not isinstance(filters, str):
        raise TypeError(f"filters is a str of the characters to drop, '' for none; got {filters!r}")
    if not isinstance(lower, bool):
        raise TypeError(f"lower is True or False; got {lower!r}")
    if not isinstance(split, str):
        raise TypeError(f"split is the str between words; got {split!r}")
    if not split:
        raise ValueError("split is empty; for single characters use Tokenizer(char_level=True)")


def check_analyzer(analyzer: Any) -> None:
    """Refuses an analyzer that cannot be called."""
    if analyzer is not None and not callable(analyzer):
        raise TypeError(f"analyzer is a function from a text to its words, or None; got {analyzer!r}")


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
