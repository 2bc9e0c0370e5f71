"""An example of every layer and an input for it, so that a new layer is tested by existing."""

from __future__ import annotations

from dataclasses import fields

from rnnkit import layers
from rnnkit.layers import LSTM, Activation, Dense, LayerNormalization
from rnnkit_kernels import cells

# What a layer is made with; those that take units, or nothing, need no entry.
ARGUMENTS = {
    "Input": ((4, 2),),
    "Activation": ("tanh",),
    "Bidirectional": (LSTM(3, return_sequences=True),),
    "Conv1D": (4, 2, 1, "causal"),
    "Dropout": (0.4,),
    "Embedding": (7, 3),
    "RepeatVector": (3,),
    "Reshape": ((-1, 1),),
    "Residual": ((LayerNormalization(), Activation("tanh")),),
    "RNN": (cells.MGU(), 3),
    "SpatialDropout1D": (0.4,),
    "TimeDistributed": (Dense(3, "tanh"),),
    "WaveNet": (3, (1, 2)),
    "WaveNetBlock": (2, 2),
}


def example(name, **options):
    """A layer of every kind, for what `an_input` gives."""
    kind = layers.ALL[name]
    takes_units = "units" in {f.name for f in fields(kind)}
    return kind(*ARGUMENTS.get(name, (3,) if takes_units else ()), **options)


def an_input(layer, rng, rows=3, steps=4, features=2, dtype="float64"):
    """x (rows, steps, features), or what else the layer takes."""
    if layer.takes_indices:
        return rng.integers(0, 7, (rows, steps))
    return rng.standard_normal((rows, steps, features) if layer.rank != 2 else (rows, features)).astype(dtype)


def started(layer, rng, x):
    """Parameters for x away from their starting values: no bias is zero, no gain one; variances stay positive."""
    params, _ = layer.init(rng, x.shape, "float64")
    learned = layer.learned(params)
    return {
        k: w + 0.3 * (rng.standard_normal(w.shape) if k in learned else rng.random(w.shape)) for k, w in params.items()
    }
