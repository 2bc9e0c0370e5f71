"""Dates in Spanish words turned into ISO dates, letter by letter, by encoder and decoder.

    python examples/dates.py

"el tres de marzo de mil novecientos ochenta y siete" becomes 1987-03-03. The dates, from 1900 to 2099, are made here,
the same for everybody: each is written in one of several forms, and no date of the test part (prueba) is among those of
the training part (entrenamiento). The encoder (codificador), a convolution that sees pieces of words and an LSTM, hands
its last state to the decoder (decodificador), another LSTM. That learns with the truth at hand (teacher forcing,
forzado del maestro) and, epoch by epoch, more with its own choices; then it writes the likeliest letter at each step
(voraz), or keeps a beam (haz) of three.
"""

import datetime

import numpy as np
from recipe import Recipe

from rnnkit.plots.curves import draw_curve
from rnnkit.plots.figure import new_figure
from rnnkit.schedules import CosineDecay, PolynomialDecay
from rnnkit.text import pad_sequences

ONES = "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis diecisiete \
dieciocho diecinueve veinte veintiuno veintidós veintitrés veinticuatro veinticinco veintiséis veintisiete veintiocho \
veintinueve".split()
TENS = dict(enumerate("treinta cuarenta cincuenta sesenta setenta ochenta noventa".split(), 3))
MONTHS = "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre".split()
DAYS = "lunes martes miércoles jueves viernes sábado domingo".split()
LETTERS = sorted(set("".join(ONES + MONTHS + DAYS + list(TENS.values())) + " ,0123456789"))  # 0 is padding
DIGITS, START, LENGTH, WIDTH = "0123456789-", 11, len("1987-03-03"), 3


def number(n):
    """A whole number from 0 to 99 in words: "dieciséis", "treinta y uno"."""
    if n < 30:
        return ONES[n]
    return TENS[n // 10] + (f" y {ONES[n % 10]}" if n % 10 else "")


def year(n):
    """A year from 1900 to 2099 in words."""
    return ("mil novecientos" if n < 2000 else "dos mil") + (f" {number(n % 100)}" if n % 100 else "")


def written(date, rng):
    """A date as somebody would write it: in words, in figures or in both, with the day of the week or without."""
    day = number(date.day) if rng.random() < 0.6 else str(date.day)
    if date.day == 1 and rng.random() < 0.5:
        day = "primero"
    month = "setiembre" if date.month == 9 and rng.random() < 0.2 else MONTHS[date.month - 1]
    begin = rng.choice(["el ", "", f"{DAYS[date.weekday()]}, ", f"el {DAYS[date.weekday()]} "], p=[0.5, 0.3, 0.1, 0.1])
    return f"{begin}{day} de {month} de {year(date.year) if rng.random() < 0.6 else date.year}"


def dates(count, seed=0):
    """That many different dates, in no order, and how each is written."""
    rng = np.random.default_rng(seed)
    first, last = datetime.date(1900, 1, 1).toordinal(), datetime.date(2099, 12, 31).toordinal()
    chosen = [datetime.date.fromordinal(int(n)) for n in first + rng.permutation(last - first + 1)[:count]]
    return [written(date, rng) for date in chosen], [date.isoformat() for date in chosen]


def network(updates):
    def make(library, **seed):
        layers, units = library.layers, 128
        encoder = [layers.Embedding(len(LETTERS) + 1, 32, mask_zero=True)]
        encoder += [layers.Conv1D(units, 7, strides=3, padding="same", activation="relu"), layers.LSTM(units)]
        decoder = [layers.Embedding(START + 1, 32), layers.LSTM(units, return_sequences=True)]
        decoder.append(layers.Dense(len(DIGITS), activation="softmax"))
        model = library.EncoderDecoder(encoder, decoder, start=START, end=None, pad=None, **seed)
        rate = CosineDecay(4e-3, updates, alpha=0.02)
        model.compile(library.optimizers.Adam(learning_rate=rate, global_clipnorm=1.0))
        return model

    return make


def nearest(texts, others):
    """For each text the place of the one among the others that shares most of its groups of three letters."""
    groups = [[{text[k : k + 3] for k in range(len(text) - 2)} for text in part] for part in (texts, others)]
    every = sorted(set().union(*groups[0], *groups[1]))
    asked, known = (np.array([[g in own for g in every] for own in part], np.float32) for part in groups)
    return (asked @ (known / np.linalg.norm(known, axis=1, keepdims=True)).T).argmax(axis=1)


def main():
    recipe = Recipe(__doc__, ["exact, %", "letters, %"], better="higher")
    train, test, epochs, batch = (4_000, 300, 6, 16) if recipe.quick else (8_000, 1_000, 8, 32)
    texts, isos = dates(train + test)
    x = pad_sequences([[LETTERS.index(letter) + 1 for letter in text] for text in texts], padding="post")
    y = np.array([[DIGITS.index(letter) for letter in iso] for iso in isos])
    truth = y[train:]

    def scores(told):
        return [100 * (told == truth).all(axis=1).mean(), 100 * (told == truth).mean()]

    usual = np.array([np.bincount(column).argmax() for column in y[:train].T])
    recipe.baseline("commonest digit at each place", scores(np.broadcast_to(usual, truth.shape)))
    recipe.baseline("nearest date of training", scores(y[nearest(texts[train:], texts[:train])]))
    model, history = recipe.train(
        "LSTM encoder, LSTM decoder", network(epochs * train // batch), x[:train], y[:train], epochs=epochs,
        batch_size=batch, teacher_forcing=PolynomialDecay(1.0, epochs, 0.75), validation_data=(x[train:], truth),
        peer=False, verbose=0, score=lambda model, history: scores(model.predict(x[train:], LENGTH)),
    )  # fmt: skip
    found = model.beam(x[train:], WIDTH, LENGTH)
    recipe.scored(f"the same, a beam of {WIDTH}", scores(found.sequences[:, 0]))
    right = (found.sequences[:, 0] == truth).all(axis=1)
    for row in [*np.flatnonzero(right)[:3], *np.flatnonzero(~right)[:5]]:
        print(f"\n  {texts[train + row]}\n    {'right' if right[row] else 'wrong, ' + isos[train + row]}", end="")
        for tokens, log_p in zip(found.sequences[row], found.log_probabilities[row], strict=True):
            print(f"   {''.join(DIGITS[k] for k in tokens)} {np.exp(log_p):.3f}", end="")
    print("\n")
    figure = new_figure(11, 3.8)
    for axes, name in zip(figure.subplots(1, 2), ("loss", "exact_match"), strict=True):
        draw_curve(axes, history, name)
    recipe.finish(figure)


if __name__ == "__main__":
    main()
