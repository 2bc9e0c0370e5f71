"""Layers: frozen configuration, Keras 3's names, a pullback beside every output."""

from __future__ import annotations

from .base import Layer
from .bidirectional import Bidirectional
from .convolution import Conv1D
from .core import Activation, Dense, Dropout, Input
from .embedding import Embedding
from .global_pooling import GlobalAveragePooling1D, GlobalMaxPooling1D
from .masking import Masking
from .normalization import BatchNormalization, LayerNormalization
from .pooling import AveragePooling1D, MaxPooling1D
from .recurrent import Recurrent
from .residual import Residual
from .rnn import GRU, LSTM, RNN, LayerNormGRU, LayerNormLSTM, LayerNormSimpleRNN, PeepholeLSTM, SimpleRNN
from .shapes import Flatten, RepeatVector, Reshape
from .spatial import SpatialDropout1D
from .timedistributed import TimeDistributed
from .wavenet import WaveNetBlock
from .wavenet_stack import WaveNet

__all__ = [
    "ALL",
    "GRU",
    "LSTM",
    "RNN",
    "Activation",
    "AveragePooling1D",
    "AvgPool1D",
    "BatchNormalization",
    "Bidirectional",
    "Conv1D",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "GlobalAveragePooling1D",
    "GlobalAvgPool1D",
    "GlobalMaxPool1D",
    "GlobalMaxPooling1D",
    "Input",
    "Layer",
    "LayerNormGRU",
    "LayerNormLSTM",
    "LayerNormSimpleRNN",
    "LayerNormalization",
    "Masking",
    "MaxPool1D",
    "MaxPooling1D",
    "PeepholeLSTM",
    "Recurrent",
    "RepeatVector",
    "Reshape",
    "Residual",
    "SimpleRNN",
    "SpatialDropout1D",
    "TimeDistributed",
    "WaveNet",
    "WaveNetBlock",
]

# Keras' second names.
AvgPool1D, MaxPool1D = AveragePooling1D, MaxPooling1D
GlobalAvgPool1D, GlobalMaxPool1D = GlobalAveragePooling1D, GlobalMaxPooling1D

# By name, as a saved file calls them.
ALL: dict[str, type[Layer]] = {
    layer.__name__: layer
    for layer in (
        Input, Dense, Activation, Dropout,
        SimpleRNN, LSTM, GRU, PeepholeLSTM, LayerNormSimpleRNN, LayerNormLSTM, LayerNormGRU, RNN,
        Embedding, Flatten, Reshape, RepeatVector, Masking, SpatialDropout1D, LayerNormalization, BatchNormalization,
        Bidirectional, TimeDistributed,
        Conv1D, MaxPooling1D, AveragePooling1D, GlobalMaxPooling1D, GlobalAveragePooling1D,
        Residual, WaveNetBlock, WaveNet,
    )
}  # fmt: skip
