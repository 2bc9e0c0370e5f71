"""How many steps back can a cell learn from? Two problems that ask for memory.

    python examples/memory.py

Adding (la suma; Hochreiter & Schmidhuber 1997): T random numbers, two of them marked, one in each half; told at the end
is their sum. Without memory (memoria) the best answer is 1, with a squared error of 1/6. Copy (la copia): ten symbols
of eight, T blanks, and the ten again; the best without memory, in nats a step, is 10 log 8 / (T + 20) (Arjovsky, Shah &
Bengio 2016, arXiv:1511.06464). Every cell has 32 units and Adam for 1,000 (adding) or 2,000 (copy) fresh batches
(lotes) of 32, and stops sooner once its loss is a hundredth of the baseline's. The ReLU network begins with the
identity as its U (Le, Jaitly & Hinton 2015, arXiv:1504.00941); it and layer normalisation (normalización por capas)
have smaller learning rates (tasas de aprendizaje), 0.001 and 0.003, than the 0.01 of the others. Where the numbers of
a network grow out of float32 (explotan) its cell is empty.

The picture has the gradient (gradiente) beside the scores: of the adding problem's loss with respect to the state, from
the end of the sequence back. What has vanished (desvanecido) by then teaches nothing of what stood there. Notice that
the untrained GRU, whose gate halves it every step, loses it first of all, and learns all the same, from marks that fall
near the end: that opens its gate (puerta), and trained it carries the gradient over all steps, as the identity does
from the start.
"""

import statistics
import time

import numpy as np
from memory_picture import picture
from memory_problems import Adding, Copy
from recipe import Recipe

import rnnkit
from rnnkit import bptt
from rnnkit.callbacks import LambdaCallback
from rnnkit.commands.threads import one_thread
from rnnkit.layers import GRU, LSTM, Dense, LayerNormSimpleRNN, SimpleRNN
from rnnkit.optimizers import Adam

UNITS, ROUND, SOLVED, SEEN = 32, 100, 0.01, 100  # a round is 100 batches; gradients are looked at over SEEN steps
CELLS = {
    "SimpleRNN": (SimpleRNN, 0.01, {}),
    "LayerNormSimpleRNN": (LayerNormSimpleRNN, 0.003, {}),
    "LSTM": (LSTM, 0.01, {}),
    "GRU": (GRU, 0.01, {}),
    "ReLU, U = 1": (SimpleRNN, 0.001, {"activation": "relu", "recurrent_initializer": "identity"}),
}


def network(problem, cell, seed):
    layer, rate, options = CELLS[cell]
    every = problem is Copy
    head = Dense(problem.outputs, activation=problem.activation)
    model = rnnkit.Sequential([layer(UNITS, return_sequences=every, **options), head], seed=seed)
    model.compile(Adam(learning_rate=rate, global_clipnorm=1.0), problem.loss)
    return model


def learn(problem, cell, T, seed, rounds):
    """The loss on fresh sequences, infinite where numbers grew out of float32; seconds of a round; the model."""
    model, losses = network(problem, cell, seed), []

    def enough(epoch, logs):
        losses.append(logs["loss"])
        model.stop_training = losses[-1] < SOLVED * problem.baseline(T)

    began = time.perf_counter()
    watch = LambdaCallback(on_epoch_end=enough)
    try:
        with one_thread():
            model.fit(problem(T, ROUND, seed), epochs=rounds, callbacks=[watch], verbose=0)
            loss = model.evaluate(*problem(T, 1, 1_000).batch(1_000))["loss"]
    except FloatingPointError:  # a gradient that explodes is one of the two ways to fail here
        loss = np.inf
    return loss, (time.perf_counter() - began) / max(1, len(losses)), model


def finite(losses):
    return [loss if loss is not None and np.isfinite(loss) else None for loss in losses]


def reach(model, T):
    """The length of dL/d(state) of the adding problem, from the end of the sequence back, 1 at the end."""
    norms = bptt.trace(model, *Adding(T, 1, 2_000).batch(100))[0].norms()
    length = np.sqrt(sum(norm**2 for norm in norms.values()))[::-1]
    return length / length[0]


def main():
    recipe = Recipe(__doc__, ["adding, MSE", "copy, nats"])
    seen = Adding.steps[0] if recipe.quick else SEEN
    asked = {problem: problem.steps[:1] if recipe.quick else problem.steps for problem in (Adding, Copy)}
    found, before, after = {}, {}, {}
    for T in sorted({T for steps in asked.values() for T in steps}):
        recipe.baseline(f"T = {T}: no memory", [p.baseline(T) if T in steps else None for p, steps in asked.items()])
        for cell in CELLS:
            values, spread, seconds = [None, None], [None, None], 0.0
            for k, problem in enumerate(asked):
                if T in asked[problem]:
                    rounds = 3 if recipe.quick else problem.rounds
                    runs = sorted((learn(problem, cell, T, seed, rounds) for seed in recipe.seeds), key=lambda r: r[0])
                    values[k], spread[k] = runs[len(runs) // 2][0], [runs[0][0], runs[-1][0]]
                    seconds += statistics.median(run[1] for run in runs)
                    found.setdefault((problem, cell), []).append(values[k])
                    if problem is Adding and seen == T:
                        trained = runs[len(runs) // 2][2]
                        before[cell], after[cell] = reach(network(Adding, cell, 0), T), reach(trained, T)
            recipe.scored(f"T = {T}: {cell}", finite(values), range=[r and finite(r) for r in spread], seconds=seconds)
    print(f"  length of dL/d(state) {seen} steps back, 1 at the end, of the adding problem")
    for cell in CELLS:
        print(f"  {cell:<30}{before[cell][-1]:10.1e} at the start{after[cell][-1]:10.1e} trained")
    recipe.finish(picture(found, asked, before, after))


if __name__ == "__main__":
    main()
