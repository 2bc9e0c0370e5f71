"""Film reviews, few examples: word vectors from a file, and vectors learnt here.

    python examples/glove.py --data FOLDER

The folder has imdb_text_4000.tsv.gz, 4,000 reviews of the Large Movie Review Dataset (ai.stanford.edu/~amaas/data/
sentiment; Maas et al. 2011) as they were written, with tabs between the columns split, label, stars, id and text; and
beside it glove.6B.50d.head2445.txt.gz, the 2,445 most frequent words of GloVe's vectors (nlp.stanford.edu/projects/
glove; any file of that format is read alike, `head -2445 glove.6B.50d.txt | gzip` makes this one).

A tokenizer numbers the words of the 2,000 texts to learn from; of a review the last 100 words are kept. The embedding
(incrustación) is read from the file and frozen (congelada), or learnt with the rest; then Flatten, Dense(32) and a
sigmoid, RMSprop, 10 epochs (épocas), as in the course. Of the other 2,000 texts half validate (validación), and choose
the epoch; half are the test (prueba), where one standard deviation of chance is 1.6 points.

200 texts, the course's number, are too few for either. With ten times as many the learnt vectors win: the file here has
three of four words of a text, but neither "awful" nor "wonderful". The recorded runs had 400,000 words of 100 numbers.
"""

from functools import partial

import numpy as np
from recipe import Recipe

from rnnkit.callbacks import EarlyStopping
from rnnkit.plots.curves import draw_curve
from rnnkit.plots.figure import new_figure
from rnnkit.text import Tokenizer, load_glove, pad_sequences, read_labelled_texts

WORDS, LENGTH, FEW, VECTORS = 10_000, 100, 200, "glove.6B.50d.head2445.txt.gz"


def course(library, embedding, **seed):
    layers = library.layers
    model = library.Sequential([layers.Embedding(WORDS, **embedding), layers.Flatten()], **seed)
    model.add(layers.Dense(32, activation="relu"))
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["acc"])
    return model


def raw_reviews(file):
    """Texts and classes in an order of chance: 2,000 to learn from, 1,000 to validate with and 1,000 to test on."""
    parts = []
    for split in ("train", "test"):
        texts, classes = read_labelled_texts(file, where={"split": split})
        order = np.random.default_rng(0).permutation(len(texts))
        parts.append(([texts[k] for k in order], classes[order]))
    train, (texts, classes) = parts
    half = len(texts) // 2
    return train, (texts[:half], classes[:half]), (texts[half:], classes[half:])


def main():
    recipe = Recipe(__doc__, ["val. accuracy", "test accuracy"], file="imdb_text_4000.tsv.gz", better="higher")
    parts = raw_reviews(recipe.file)
    tokenizer = Tokenizer(num_words=WORDS)
    tokenizer.fit_on_texts(parts[0][0])
    (x, y), held, test = ((pad_sequences(tokenizer.texts_to_sequences(texts), LENGTH), z) for texts, z in parts)
    matrix, found = load_glove(recipe.file.parent / VECTORS, tokenizer.word_index, num_words=WORDS)
    recipe.baseline("always the same answer", [max(part[1].mean(), 1 - part[1].mean()) for part in (held, test)])

    def score(model, history):
        return max(history.history["val_acc"]), model.evaluate(*test)["acc"]

    frozen = {"output_dim": matrix.shape[1], "weights": [matrix], "trainable": False}
    learnt = {"output_dim": matrix.shape[1]}
    models = [
        ("GloVe, frozen, 200 texts", frozen, FEW, [0.5723, 0.5366]),
        ("learnt, 200 texts", learnt, FEW, [0.5282, None]),
        ("GloVe, frozen, 2,000 texts", frozen, len(x), None),
        ("learnt, 2,000 texts", learnt, len(x), None),
    ]
    histories, epochs = {}, 5 if recipe.quick else 10
    for name, embedding, count, recorded in models:
        best = EarlyStopping("val_acc", mode="max", patience=epochs, restore_best_weights=True)
        fit = {"epochs": epochs, "batch_size": 32, "validation_data": held, "callbacks": [best], "score": score}
        fit["recorded"] = None if recipe.quick else recorded
        _, histories[name] = recipe.train(name, partial(course, embedding=embedding), x[:count], y[:count], **fit)
    recipe.finish(picture(histories))
    known = matrix[x[x > 0]].any(axis=1).mean()
    print(f"  {found} of the {WORDS} words have a vector in {VECTORS};\n  they are {known:.0%} of the text.")


def picture(histories):
    """Accuracy of training and validation, a panel a row of the table, on one scale."""
    figure = new_figure(10, 6.8)
    for panel, (name, history) in zip(figure.subplots(2, 2, sharey=True).ravel(), histories.items(), strict=True):
        best = history.epoch[int(np.argmax(history.history["val_acc"]))] + 1
        draw_curve(panel, history, "acc", name, mark=best)
        panel.set_ylabel("accuracy")
    return figure


if __name__ == "__main__":
    main()
