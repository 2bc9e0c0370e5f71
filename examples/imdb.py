"""Film reviews, good or bad: the course's five networks on the IMDB texts.

    python examples/imdb.py --data imdb_int20k.npz

The file has the 50,000 reviews of the Large Movie Review Dataset (ai.stanford.edu/~amaas/data/sentiment; Maas et al.
2011) as word numbers: `rnnkit.text.write_coded_reviews("imdb.npz", *keras.datasets.imdb.load_data(num_words=20_000))`
makes one where Keras is installed. Of 25,000 reviews to learn from (entrenamiento) the last 5,000 validate; 25,000 more
are the test (prueba). 10,000 words; the last 500 of a review, or 20; RMSprop, at most 10 epochs (épocas): training ends
when four of them bring nothing new, and the best one by validation accuracy (exactitud) is scored.

The embedding (incrustación) of 20 words sees no more than a review's end; reading all of it, word after word, is worth
eight points to a simple recurrent layer, and twelve to an LSTM. The convolution (convolución) ends in a sigmoid here,
which the course's listing forgets: its outputs are then taken for probabilities, and where the first ones all lie below
0, as with three seeds (semillas) of six, the loss has no gradient (gradiente) and nothing is learnt. With the sigmoid
the listing's learning rate, 1e-4, is slow.
"""

from functools import partial

import numpy as np
from recipe import Recipe

from rnnkit.callbacks import EarlyStopping
from rnnkit.plots.curves import draw_curve
from rnnkit.plots.figure import new_figure
from rnnkit.text import pad_sequences, read_coded_reviews

WORDS, LENGTH, SHORT, TRAIN = 10_000, 500, 20, 20_000


def classifier(library, layers, seed, learning_rate=1e-3):
    """The layers, and one output with a sigmoid: how probably the review is a good one."""
    model = library.Sequential([*layers, library.layers.Dense(1, activation="sigmoid")], **seed)
    optimizer = library.optimizers.RMSprop(learning_rate=learning_rate)
    model.compile(optimizer=optimizer, loss="binary_crossentropy", metrics=["acc"])
    return model


def flat(library, **seed):
    return classifier(library, [library.layers.Embedding(WORDS, 8), library.layers.Flatten()], seed)


def simple(library, **seed):
    return classifier(library, [library.layers.Embedding(WORDS, 32), library.layers.SimpleRNN(32)], seed)


def lstm(library, **seed):
    return classifier(library, [library.layers.Embedding(WORDS, 32), library.layers.LSTM(32)], seed)


def both_ways(library, **seed):
    layers = library.layers
    return classifier(library, [layers.Embedding(WORDS, 32), layers.Bidirectional(layers.LSTM(32))], seed)


def convolution(library, learning_rate=1e-4, **seed):
    layers = library.layers
    stack = [layers.Embedding(WORDS, 128), layers.Conv1D(32, 7, activation="relu"), layers.MaxPooling1D(5)]
    stack += [layers.Conv1D(32, 7, activation="relu"), layers.GlobalMaxPooling1D()]
    return classifier(library, stack, seed, learning_rate)


def main():
    recipe = Recipe(__doc__, ["val. accuracy", "test accuracy"], file="imdb_int20k.npz", better="higher")
    train, test = read_coded_reviews(recipe.file, WORDS)
    # A quick run reads a fifth of the reviews, and 60 words of them.
    share, length = (5, 60) if recipe.quick else (1, LENGTH)
    (x, y), (x_test, y_test) = (
        (pad_sequences(texts[: len(texts) // share], length), classes[: len(texts) // share])
        for texts, classes in (train, test)
    )
    held = slice(TRAIN // share, None)
    recipe.baseline("always the same answer", [max(part.mean(), 1 - part.mean()) for part in (y[held], y_test)])

    # name, listing, words of a review, reviews a batch, epochs, recorded best validation accuracy, timed in Keras too
    models = [
        ("Embedding(8) of 20, Flatten", flat, SHORT, 32, 10, 0.7594, True),
        ("SimpleRNN(32)", simple, length, 128, 10, 0.8460, True),
        ("LSTM(32)", lstm, length, 128, 10, 0.8928, True),
        ("Bidirectional LSTM(32)", both_ways, length, 128, 6, 0.8856, False),
        ("Conv1D(32, 7) x 2", convolution, length, 128, 10, 0.8382, False),
        ("Conv1D, learning rate 1e-3", partial(convolution, learning_rate=1e-3), length, 128, 5, None, False),
    ]
    histories = {}
    for name, network, words, batch, epochs, known, peer in models:
        if recipe.quick and network is convolution:
            continue  # at its learning rate a few hundred steps lead nowhere

        def score(model, history, words=words):
            return max(history.history["val_acc"]), model.evaluate(x_test[:, -words:], y_test)["acc"]

        best = EarlyStopping("val_acc", mode="max", patience=4, restore_best_weights=True)
        fit = {"batch_size": 32 if recipe.quick else batch, "callbacks": [best], "score": score, "peer": peer}
        fit |= {"epochs": 3 if recipe.quick else epochs, "validation_data": (x[held, -words:], y[held])}
        fit["recorded"] = None if recipe.quick or known is None else [known, None]
        _, histories[name] = recipe.train(name, network, x[: held.start, -words:], y[: held.start], **fit)
    recipe.finish(picture(histories))


def picture(histories):
    """Accuracy of training and validation, a panel a network, on one scale."""
    figure = new_figure(12, 7)
    panels = figure.subplots(2, 3, sharey=True).ravel()
    for panel, (name, history) in zip(panels, histories.items(), strict=False):
        best = history.epoch[int(np.argmax(history.history["val_acc"]))] + 1
        draw_curve(panel, history, "acc", name, mark=best)
        panel.get_legend().remove()  # one below stands for all
        panel.set_ylabel("accuracy")
    for panel in panels[len(histories) :]:
        panel.set_axis_off()
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure


if __name__ == "__main__":
    main()
