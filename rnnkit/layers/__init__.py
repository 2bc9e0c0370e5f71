"""Layers: frozen configuration, Keras 3's names, a pullback beside every output."""

from __future__ import annotations

from .base import Layer
from .core import Activation, Dense, Dropout, Input
from .recurrent import Recurrent
from .rnn import GRU, LSTM, RNN, LayerNormGRU, LayerNormLSTM, LayerNormSimpleRNN, PeepholeLSTM, SimpleRNN

__all__ = [
    "ALL",
    "GRU",
    "LSTM",
    "RNN",
    "Activation",
    "Dense",
    "Dropout",
    "Input",
    "Layer",
    "LayerNormGRU",
    "LayerNormLSTM",
    "LayerNormSimpleRNN",
    "PeepholeLSTM",
    "Recurrent",
    "SimpleRNN",
]

# By name, as a saved file calls them.
ALL: dict[str, type[Layer]] = {
    layer.__name__: layer
    for layer in (
        Input, Dense, Activation, Dropout,
        SimpleRNN, LSTM, GRU, PeepholeLSTM, LayerNormSimpleRNN, LayerNormLSTM, LayerNormGRU, RNN,
    )
}  # fmt: skip
