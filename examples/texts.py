"""Texts as numbers: bags of words, TF-IDF, and every tool on four sentences.

    python examples/texts.py --data imdb_text_4000.tsv.gz

The file has 4,000 reviews, half of them to learn from; see glove.py for where it comes from, and for what networks make
of it that see the order of words. A bag of words (bolsa de palabras) gives it up, and with so few texts it wins: one
Dense(1) with a sigmoid on the 10,000 most frequent words. TF-IDF counts a word (TF, frecuencia) the more the fewer
texts have it (IDF, frecuencia inversa de documentos): scikit-learn's, pip install 'rnnkit[text]', worked out by hand
below on four sentences.

Stop words (palabras vacías) are a caller's own list, or one of scikit-learn (English) or NLTK (Spanish among many:
nltk.corpus.stopwords.words("spanish")). Stemming (truncado: a word cut to its stem, raíz) is NLTK's:
nltk.stem.SnowballStemmer("spanish"). Lemmatisation (lematización: "fuimos" is of "ir") needs a dictionary and the
sentence: spaCy's es_core_news_sm, word.lemma_. Each becomes the analyzer of a Tokenizer, as the stop words do below.
"""

import numpy as np
from glove import WORDS, raw_reviews
from recipe import Recipe

from rnnkit.callbacks import EarlyStopping
from rnnkit.plots.figure import BLUE, new_figure, style
from rnnkit.text import Tokenizer, ngrams, one_hot_sequences, pad_sequences, text_to_word_sequence

try:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer, TfidfVectorizer
except ImportError:
    raise SystemExit("TF-IDF is scikit-learn's: pip install 'rnnkit[text]'") from None

SENTENCES = [
    "El gato duerme en la casa.",
    "El perro duerme en el patio.",
    "El gato juega en el patio.",
    "La casa tiene patio.",
]
STOP = {"el", "la", "en"}


def linear(library, **seed):
    """Logistic regression: a weight a word."""
    model = library.Sequential([library.layers.Dense(1, activation="sigmoid")], **seed)
    optimizer = library.optimizers.Adam(learning_rate=1e-2)
    model.compile(optimizer=optimizer, loss="binary_crossentropy", metrics=["acc"])
    return model


def main():
    recipe = Recipe(__doc__, ["val. accuracy", "test accuracy"], file="imdb_text_4000.tsv.gz", better="higher")
    (texts, y), (held, y_held), (test, y_test) = raw_reviews(recipe.file)
    recipe.baseline("always the same answer", [max(part.mean(), 1 - part.mean()) for part in (y_held, y_test)])
    cut = {"max_features": WORDS, "tokenizer": text_to_word_sequence, "token_pattern": None, "dtype": np.float32}
    bags = {
        "a word is there, or not": CountVectorizer(binary=True, **cut),
        "TF-IDF": TfidfVectorizer(**cut),
        "TF-IDF without stop words": TfidfVectorizer(stop_words=sorted(ENGLISH_STOP_WORDS), **cut),
        "TF-IDF, words and pairs": TfidfVectorizer(ngram_range=(1, 2), **cut),
    }
    for name, bag in bags.items():
        x, x_held, x_test = bag.fit_transform(texts).toarray(), *(bag.transform(t).toarray() for t in (held, test))

        def score(model, history, x_test=x_test):
            return max(history.history["val_acc"]), model.evaluate(x_test, y_test)["acc"]

        best = EarlyStopping("val_acc", mode="max", patience=3, restore_best_weights=True)
        fit = {"epochs": 4 if recipe.quick else 15, "callbacks": [best], "validation_data": (x_held, y_held)}
        model, _ = recipe.train(name, linear, x, y, score=score, **fit)
        if name == "TF-IDF":
            figure = picture(bag.get_feature_names_out(), model.get_weights()[0][:, 0])
    recipe.finish(figure)
    tools()
    by_hand()


def tools():
    """What rnnkit.text makes of the four sentences."""
    tokenizer = Tokenizer(analyzer=lambda text: [word for word in text_to_word_sequence(text) if word not in STOP])
    tokenizer.fit_on_texts(SENTENCES)
    numbers = tokenizer.texts_to_sequences(SENTENCES)
    print("\nFour sentences:", *SENTENCES, sep="\n  ")
    print("words of the first   ", *text_to_word_sequence(SENTENCES[0]))
    print("pairs side by side   ", ", ".join(sorted(pair for pair in ngrams(SENTENCES[0], 2) if " " in pair)))
    print("without stop words, all four\n ", "; ".join(tokenizer.sequences_to_texts(numbers)))
    print("numbered             ", *(f"{word} {number}" for word, number in tokenizer.word_index.items()))
    print("sequences, padded    ", str(pad_sequences(numbers).tolist()))
    print("first, one-hot       ", str(one_hot_sequences(numbers[:1]).astype(int)[0].tolist()))


def by_hand():
    """TF-IDF from its formula, and scikit-learn's: tf ln((1 + N) / (1 + d)) + tf, each sentence to length 1."""
    bag = TfidfVectorizer(analyzer=text_to_word_sequence)
    theirs = bag.fit_transform(SENTENCES).toarray()
    words = list(bag.get_feature_names_out())
    tf = np.array([[text_to_word_sequence(text).count(word) for word in words] for text in SENTENCES])
    d = (tf > 0).sum(axis=0)
    idf = np.log((1 + len(SENTENCES)) / (1 + d)) + 1
    ours = tf * idf / np.linalg.norm(tf * idf, axis=1, keepdims=True)
    print("\nTF-IDF by hand: tf x idf, idf = ln((1 + N) / (1 + d)) + 1; d of the N sentences")
    print("have the word, and the numbers of a sentence are divided by their length")
    print(f"  {'':<8}{'d':>3}{'idf':>8}" + "".join(f"{f'tf {k}':>5}{'TF-IDF':>8}" for k in (1, 2, 3, 4)))
    for j, word in enumerate(words):
        print(f"  {word:<8}{d[j]:>3}{idf[j]:>8.4f}" + "".join(f"{tf[k, j]:>5}{ours[k, j]:>8.4f}" for k in range(4)))
    print(f"  largest difference from scikit-learn: {np.abs(ours - theirs).max():.1e}")


def picture(words, weights):
    """The words that speak most for a bad review and for a good one."""
    order = np.argsort(weights)
    chosen = np.concatenate([order[:12], order[-12:]])
    figure = new_figure(7, 6)
    axes = figure.subplots()
    axes.barh(np.arange(len(chosen)), weights[chosen], color=BLUE)
    axes.set_yticks(np.arange(len(chosen)), words[chosen])
    style(axes, "What the words say, by TF-IDF", "weight: bad on the left, good on the right")
    return figure


if __name__ == "__main__":
    main()
