"""Shakespeare, letter by letter: a network learns to spell, and writes on.

    python examples/shakespeare.py --data tinyshakespeare.txt

The file is the 1,115,394 characters of plays that github.com/karpathy/char-rnn has as data/tinyshakespeare/input.txt;
65 of them are different. The first 90 % train, the rest validates, and the score is the mean of -log p of the right
character, in nats (natural logarithm). Beside it what counting pairs and triples of characters gives (bigramas,
trigramas; every count one more than counted).

The text is cut into rows of 1,960 characters. A row is read in 20 pieces: the state goes on from piece to piece, the
gradient does not (truncated backpropagation through time, retropropagación truncada). Writing feeds each character
drawn back into `model.stream()`; the temperature (temperatura) divides the logits: below 1 it plays safe, above 1 it
dares. A full run trains one seed only, some minutes long.
"""

import textwrap

import numpy as np
from recipe import Recipe

from rnnkit.plots.figure import BLUE, GREY, INK, ORANGE, legend, new_figure, style

UNITS, EMBEDDED, PIECE, PIECES, BATCH, EPOCHS = 256, 64, 98, 20, 64, 20


def listing(characters, units, steps):
    """A network for so many characters, whose learning rate comes down to 0 in so many steps."""

    def network(library, **seed):
        layers = library.layers
        stack = [layers.Embedding(characters, EMBEDDED), layers.LSTM(units, return_sequences=True)]
        model = library.Sequential([*stack, layers.Dropout(0.1), layers.Dense(characters)], **seed)
        rate = library.optimizers.schedules.CosineDecay(4e-3, steps)
        loss = library.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer=library.optimizers.Adam(rate, clipnorm=1.0), loss=loss)
        return model

    return network


def rows(codes, length):
    """The text in rows, and beside each character the one that follows it: x, y (rows, length)."""
    count = (len(codes) - 1) // length
    return codes[: count * length].reshape(count, length), codes[1 : count * length + 1].reshape(count, length)


def counted(train, held, order, characters):
    """Nats a character where the probability of one is counted behind the order - 1 before it."""

    def places(codes):
        return sum(codes[k : len(codes) - order + 1 + k] * characters ** (order - 1 - k) for k in range(order))

    counts = 1 + np.bincount(places(train), minlength=characters**order).reshape(-1, characters)
    p = counts / counts.sum(axis=1, keepdims=True)
    return -np.log(p.ravel()[places(held)]).mean()


def written(model, alphabet, begin, length, temperature, seed=0):
    """Goes on from the text `begin` for so many characters, each drawn from the network's probabilities."""
    rng, stream, text = np.random.default_rng(seed), model.stream(), begin
    for character in begin:
        logits = stream.step(np.array([alphabet.index(character)]))
    for _ in range(length):
        p = np.exp((logits[0] - logits.max()) / temperature).astype(float)
        code = rng.choice(len(alphabet), p=p / p.sum())
        text += alphabet[code]
        logits = stream.step(np.array([code]))
    return "\n".join(part for line in text.splitlines() for part in textwrap.wrap(line, 72) or [""])


def picture(history, baselines, text):
    """How the score came down, beside what counting gives, and what the network wrote at the end."""
    figure = new_figure(12, 5)
    axes, page = figure.subplots(1, 2)
    epochs = np.array(history.epoch) + 1
    axes.plot(epochs, history.history["loss"], color=GREY, label="training")
    axes.plot(epochs, history.history["val_loss"], color=BLUE, label="validation", marker="o", markersize=4)
    for name, nats in baselines.items():
        axes.axhline(nats, color=ORANGE, linewidth=1, linestyle=(0, (4, 2)))
        place = {"xytext": (0, 3), "textcoords": "offset points", "ha": "right"}
        axes.annotate(f"counted {name}", (epochs[-1], nats), color=GREY, fontsize=9, **place)
    axes.xaxis.get_major_locator().set_params(integer=True)
    style(axes, "Nats a character", "epoch", "nats")
    legend(axes)
    page.set_axis_off()
    page.text(0, 1, text, family="monospace", fontsize=8.5, color=INK, va="top", in_layout=False)
    return figure


def main():
    recipe = Recipe(__doc__, ["nats, validation"], file="tinyshakespeare.txt")
    recipe.seeds = recipe.seeds[:1]
    text = recipe.file.read_text("ascii")[: 300_000 if recipe.quick else None]
    alphabet = sorted(set(text))
    codes = np.array([alphabet.index(character) for character in text])
    split, characters = int(0.9 * len(codes)), len(alphabet)
    (x, y), held = rows(codes[:split], PIECE * PIECES), rows(codes[split:], PIECE * PIECES)

    baselines = {name: counted(codes[:split], codes[split:], order, characters)
                 for order, name in ((1, "single characters"), (2, "pairs"), (3, "triples"))}  # fmt: skip
    for name, nats in baselines.items():
        recipe.baseline(f"counted {name}", [nats])

    units, batch, epochs = (64, 16, 3) if recipe.quick else (UNITS, BATCH, EPOCHS)
    steps = epochs * PIECES * -(-len(x) // batch)
    fit = {"epochs": epochs, "batch_size": batch, "tbptt": PIECE, "validation_data": held}
    fit |= {"score": lambda model, history: [model.evaluate(*held, batch_size=32)["loss"]]}
    fit["peer"] = x.reshape(-1, PIECE), y.reshape(-1, PIECE)  # Keras carries no state on; the work is the same
    model, history = recipe.train(f"LSTM({units})", listing(characters, units, steps), x, y, **fit)

    texts = {heat: written(model, alphabet, "ROMEO:\n", 600, heat) for heat in (0.5, 0.8, 1.1)}
    for heat, lines in texts.items():
        print(f"\n  temperature {heat}\n{textwrap.indent(lines, '    ')}")
    recipe.finish(picture(history, baselines, f"temperature 0.8\n\n{texts[0.8]}"))


if __name__ == "__main__":
    main()
