"""How far back does the loss reach? The gradient of the last output with respect to every state before it.

    python examples/gradient_norms.py --out gradient_norms.png

Three untrained networks of 64 units read 100 steps; the loss sees the last output only. Where |dL/dh_t| has fallen to
nothing, what happened at step t cannot be learned: the vanishing gradient (Hochreiter 1991; Bengio, Simard & Frasconi
1994), and what gates do about it.
"""

import argparse

import numpy as np

from rnnkit import Sequential, bptt
from rnnkit.layers import GRU, LSTM, Dense, SimpleRNN
from rnnkit.plots import gradient_norms, save_figure

STEPS, UNITS = 100, 64


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--out", default="gradient_norms.png")
    options = arguments.parse_args()

    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((16, STEPS, 4)), rng.standard_normal((16, 1))
    traces = {}
    for layer in (SimpleRNN(UNITS), LSTM(UNITS), GRU(UNITS)):
        model = Sequential([layer, Dense(1)], dtype="float64", seed=0)
        traces[type(layer).__name__] = bptt.trace(model, x, y)
    for name, trace in traces.items():
        norms = trace[0].norms()["h"]
        print(f"{name:<10} |dL/dh| at the last step {norms[-1]:.1e}, {STEPS - 1} steps before it {norms[1]:.1e}")
    save_figure(gradient_norms(traces), options.out)


if __name__ == "__main__":
    main()
