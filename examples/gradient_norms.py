"""How far back does the loss reach? The gradient of the last output with respect to every state before it.

    python examples/gradient_norms.py --out gradient_norms.png

Untrained networks of 64 units read 100 steps; the loss sees the last output only. Where |dL/dh_t| has fallen to
nothing, what happened at step t cannot be learned (Hochreiter 1991; Bengio, Simard & Frasconi 1994). What decides it at
the start is the bias of the gate that holds: an LSTM's forget gate begins at sigmoid(1) = 0.73 and a GRU's z at 0.5, a
factor for every step. Open them, with a bias of 5, and the gradient stays (Gers, Schmidhuber & Cummins 2000;
Jozefowicz, Zaremba & Sutskever 2015). The SimpleRNN lives by its orthogonal U alone.
"""

import argparse

import numpy as np

from rnnkit import Sequential, bptt
from rnnkit.layers import GRU, LSTM, Dense, SimpleRNN
from rnnkit.plots import gradient_norms, save_figure

STEPS, UNITS, OPEN = 100, 64, 5.0


def network(layer, holds=None):
    """The layer and a Dense(1), float64; `holds`: which block of the bias, in units, belongs to the gate that holds."""
    model = Sequential([layer, Dense(1)], dtype="float64", seed=0)
    model.build((None, STEPS, 4))
    if holds is not None:
        model.params[0]["b"][holds * UNITS : (holds + 1) * UNITS] = OPEN
    return model


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--out", default="gradient_norms.png")
    options = arguments.parse_args()

    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((16, STEPS, 4)), rng.standard_normal((16, 1))
    models = {
        "SimpleRNN": network(SimpleRNN(UNITS)),
        "LSTM": network(LSTM(UNITS)),
        "GRU": network(GRU(UNITS)),
        "LSTM, f open": network(LSTM(UNITS), holds=1),
        "GRU, z open": network(GRU(UNITS), holds=0),
    }
    traces = {name: bptt.trace(model, x, y) for name, model in models.items()}
    for name, trace in traces.items():
        norms = trace[0].norms()["h"]
        print(f"{name:<13} |dL/dh| at the last step {norms[-1]:.1e}, {STEPS - 1} steps before it {norms[1]:.1e}")
    save_figure(gradient_norms(traces), options.out)


if __name__ == "__main__":
    main()
