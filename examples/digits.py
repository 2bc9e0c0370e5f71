"""From an image to a sequence: a handwritten digit and its name, letter by letter.

    python examples/digits.py --data FOLDER

The folder has optdigits_train.csv and optdigits_test.csv (UCI Optical Recognition of Handwritten Digits, Alpaydin &
Kaynak 1998: archive.ics.uci.edu, data set 80): 3,823 images of 8 x 8 to learn from, and 1,797 by other writers to be
scored on. From a vector to a sequence (de vector a secuencia): dense layers (capas densas) make of an image the state
in which a GRU begins, and that spells "cero", "uno", ... "nueve", or, in a second model, the English names. Both also
learn from the images moved by a pixel each way. A name counts where every letter of it is right.
"""

import textwrap
from functools import partial

import numpy as np
from recipe import Recipe

from rnnkit.data import read_table
from rnnkit.plots.figure import BLUE, ORANGE, new_figure
from rnnkit.schedules import CosineDecay

NAMES = {
    "Spanish": "cero uno dos tres cuatro cinco seis siete ocho nueve".split(),
    "English": "zero one two three four five six seven eight nine".split(),
}
PAD, START, END, FIRST = 0, 1, 2, 3  # tokens; the letters follow
COLUMNS, ROWS = 6, 3  # of the picture
SHIFTS, BATCH = 5, 64


def read(path):
    """Images (N, 64) from 0 to 1, and digits (N,)."""
    numbers = read_table(path).values
    return (numbers[:, :-1] / 16).astype(np.float32), numbers[:, -1].astype(int)


def shifted(images):
    """The images, and each of them a pixel to the left, to the right, up and down: (SHIFTS * N, 64)."""
    wide = np.pad(images.reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)))
    corners = (1, 1), (1, 2), (1, 0), (2, 1), (0, 1)
    return np.concatenate([wide[:, r : r + 8, c : c + 8].reshape(-1, 64) for r, c in corners])


def spelt(names):
    """The letters of some names, and the names as rows of tokens."""
    letters = sorted(set("".join(names)))
    rows = np.full((len(names), max(map(len, names)) + 1), PAD)
    for row, name in zip(rows, names, strict=True):
        row[: len(name) + 1] = [*(FIRST + letters.index(letter) for letter in name), END]
    return letters, rows


def network(tokens, updates):
    def make(library, **seed):
        layers = library.layers
        encoder = [layers.Dense(512, activation="relu"), layers.Dropout(0.3), layers.Dense(128, activation="relu")]
        encoder += [layers.Dropout(0.3), layers.Dense(64, activation="tanh")]
        decoder = [layers.Embedding(tokens, 16), layers.GRU(64, return_sequences=True)]
        decoder.append(layers.Dense(tokens, activation="softmax"))
        model = library.EncoderDecoder(encoder, decoder, start=START, end=END, pad=PAD, **seed)
        model.compile(library.optimizers.Adam(learning_rate=CosineDecay(2e-3, updates, alpha=0.02)))
        return model

    return make


def scores(told, wanted):
    """The share of names that are right, and of letters, END among them."""
    right, real = told == wanted, wanted != PAD
    return [100 * right.all(axis=1).mean(), 100 * (right & real).sum() / real.sum()]


def main():
    recipe = Recipe(__doc__, ["names, %", "letters, %"], file="optdigits_train.csv", better="higher")
    (images, digits), (asked, truth) = read(recipe.file), read(recipe.file.with_name("optdigits_test.csv"))
    x, epochs = shifted(images), 2 if recipe.quick else 20

    models = {}
    near = ((images**2).sum(axis=1) - 2 * asked @ images.T).argmin(axis=1)
    for language, names in NAMES.items():
        letters, tokens = spelt(names)
        score = partial(scores, wanted=tokens[truth])
        commonest = np.bincount(digits).argmax()
        recipe.baseline(f"{language}: the commonest, {names[commonest]}", score(tokens[[commonest]]))
        recipe.baseline(f"{language}: nearest image", score(tokens[digits[near]]))
        models[language], _ = recipe.train(
            f"{language}: Dense encoder, GRU", network(FIRST + len(letters), epochs * len(x) // BATCH), x,
            np.tile(tokens[digits], (SHIFTS, 1)), batch_size=BATCH, epochs=epochs, peer=False,
            score=lambda model, _, score=score, longest=tokens.shape[1]: score(model.predict(asked, longest)),
        )  # fmt: skip
    told = {language: read_names(model, language, asked) for language, model in models.items()}
    right = np.array([told["Spanish"][k] == NAMES["Spanish"][digit] for k, digit in enumerate(truth)])
    wrong = [f"{told['Spanish'][k]} for {NAMES['Spanish'][truth[k]]}" for k in np.flatnonzero(~right)[:5]]
    print(textwrap.fill(f"wrong: {', '.join(wrong)}", 78, initial_indent="\n  ", subsequent_indent="    "))
    recipe.finish(picture(asked, truth, told, right))


def read_names(model, language, images):
    """What a model writes for each image."""
    letters, tokens = spelt(NAMES[language])
    return ["".join(letters[k - FIRST] for k in row if k >= FIRST) for row in model.predict(images, tokens.shape[1])]


def picture(images, truth, told, right):
    """Images with the names that were decoded, the last ones of them wrong."""
    figure = new_figure(11, 5.4)
    wrong = np.flatnonzero(~right)[:COLUMNS]
    shown = [*np.flatnonzero(right)[: COLUMNS * ROWS - len(wrong)], *wrong]
    for axes, k in zip(figure.subplots(ROWS, COLUMNS).ravel(), shown, strict=False):
        axes.imshow(images[k].reshape(8, 8), cmap="Greys")
        axes.set_axis_off()
        name = f"{told['Spanish'][k]} / {told['English'][k]}"
        name, colour = (name, BLUE) if right[k] else (f"{name}\nis {NAMES['Spanish'][truth[k]]}", ORANGE)
        axes.set_title(name, fontsize=10, color=colour)
    return figure


if __name__ == "__main__":
    main()
