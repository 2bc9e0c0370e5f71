"""A song of three sentences: what a simple recurrent layer forgets, an LSTM sings.

    python examples/song.py

The three sentences (frases) are the same but for two words: the animal at their beginning, and what it sings at their
end, 21 words on. A network reads a word and names the next one (la palabra siguiente), with the whole song as one batch
(lote). All of it can be learnt from one or two words before, except the endings, which need the animal kept in mind:
long memory (memoria a largo plazo). Which animal comes after "El" cannot be known, and is not scored.

Both networks have 64 units and the same Adam. The simple layer soon knows every word but the endings, and guesses them:
one of three is right. Its state is overwritten at every word, and what the gradient (gradiente) tells of the ending
fades on its way back to the animal. The LSTM's cell is added to, and keeps it; not at once, hundreds of epochs (épocas)
pass before the two words are linked. Over five words (--quick) the simple layer is as good, and faster.
"""

import math

import numpy as np
from recipe import Recipe

from rnnkit.plots.figure import BLUE, GREY, ORANGE, legend, new_figure, style
from rnnkit.text import Tokenizer, pad_sequences

ANIMALS = {"gallo": "quiquiriquí", "pato": "cuacuá", "gato": "miau"}
MIDDLE = "que vive en la casa de la orilla del río, cuando sale el sol y se va la niebla, canta"
SHORT = "que vive en la casa, canta"


def network(cell, words):
    """The listing of one of two networks, which differ in one layer."""

    def listing(library, **seed):
        layers = library.layers
        model = library.Sequential([layers.Embedding(words, 32)], **seed)
        model.add(getattr(layers, cell)(64, return_sequences=True))
        model.add(layers.Dense(words, activation="softmax"))
        model.compile(optimizer=library.optimizers.Adam(learning_rate=0.01), loss="sparse_categorical_crossentropy")
        return model

    return listing


def main():
    recipe = Recipe(__doc__, ["words right, %", "endings right, 3"], better="higher")
    middle = SHORT if recipe.quick else MIDDLE
    song = [f"El {animal} {middle} {sound}." for animal, sound in ANIMALS.items()]
    tokenizer = Tokenizer()
    tokenizer.fit_on_texts(song)
    numbers = pad_sequences(tokenizer.texts_to_sequences(song))
    x, y = numbers[:, :-1], numbers[:, 1:]

    def score(model, history):
        right = (model.predict(x).argmax(axis=-1) == y)[:, 1:]
        return 100 * float(right.mean()), int(right[:, -1].sum())

    follower = {number: y[x == number] for number in np.unique(x)}
    usual = np.array([[np.bincount(follower[number]).argmax() for number in row] for row in x])
    right = (usual == y)[:, 1:]
    recipe.baseline("the usual word after this one", [100 * float(right.mean()), int(right[:, -1].sum())])
    fit = {"epochs": 200 if recipe.quick else 2000, "batch_size": 3, "score": score, "verbose": 0}
    runs = {}
    for cell in ("SimpleRNN", "LSTM"):
        runs[cell] = recipe.train(f"{cell}(64)", network(cell, len(tokenizer.word_index) + 1), x, y, **fit)
    recipe.finish(picture(runs, x, y))
    for cell, (model, _) in runs.items():
        print(f"\n{cell}(64) sings, from the first two words on; its errors stand in brackets:")
        for line, truth in zip(sung(model, numbers), numbers, strict=True):
            words = tokenizer.sequences_to_texts([line])[0].split()
            print(*(word if a == b else f"[{word}]" for word, a, b in zip(words, line, truth, strict=True)))


def sung(model, numbers):
    """Each line from its first two words: every word named is the next one read."""
    stream = model.stream(batch_size=len(numbers))
    stream.step(numbers[:, 0])
    line = [numbers[:, 0], numbers[:, 1]]
    while len(line) < numbers.shape[1]:
        line.append(stream.step(line[-1]).argmax(axis=-1))
    return np.stack(line, axis=1)


def picture(runs, x, y):
    """How sure of each word, and the loss on its way between the two floors: without long memory, and with it."""
    figure = new_figure(11, 4.2)
    words, losses = figure.subplots(1, 2)
    floor = math.log(len(x)) / x.shape[1]  # of the animal that nobody can know, and as much again of the endings
    for (cell, (model, history)), colour in zip(runs.items(), (ORANGE, BLUE), strict=True):
        sure = np.take_along_axis(model.predict(x), y[..., None], axis=-1)[..., 0].mean(axis=0)
        words.plot(np.arange(2, x.shape[1] + 2), sure, "o-", color=colour, markersize=4, label=f"{cell}(64)")
        losses.plot(np.array(history.epoch) + 1, history.history["loss"], color=colour, label=f"{cell}(64)")
    for k, name in ((1, "the endings known"), (2, "the endings guessed")):
        losses.axhline(k * floor, color=GREY, linewidth=0.8)
        losses.text(1, k * floor * 1.04, name, color=GREY, fontsize=8.5, va="bottom")
    losses.set(xscale="log", yscale="log")
    style(words, "Probability of the right word", "word of the sentence", "mean of the three sentences")
    style(losses, "Loss", "epoch", "cross entropy, nats a word")
    legend(losses)
    return figure


if __name__ == "__main__":
    main()
