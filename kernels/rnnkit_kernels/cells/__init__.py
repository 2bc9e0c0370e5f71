"""The cells: equations written once, one file for each family, the adjoint by hand beside them.

`ALL` is the table that tests, gradient checks and documentation run over: a cell is tested by standing in it.
"""

from __future__ import annotations

from ..contract import Adjoint, Cell, names
from .coupled import CoupledLSTM
from .gru import GRU, GRUBefore
from .layernorm import LayerNormGRU, LayerNormLSTM, LayerNormSimpleRNN
from .lstm import LSTM
from .minimal import MGU
from .peephole import PeepholeLSTM
from .simple import SimpleRNN

__all__ = [
    "ALL",
    "GRU",
    "LSTM",
    "MGU",
    "Adjoint",
    "Cell",
    "CoupledLSTM",
    "GRUBefore",
    "LayerNormGRU",
    "LayerNormLSTM",
    "LayerNormSimpleRNN",
    "PeepholeLSTM",
    "SimpleRNN",
    "names",
]

ALL: tuple[Cell, ...] = (
    SimpleRNN(),
    LSTM(),
    GRU(),
    GRUBefore(),
    PeepholeLSTM(),
    CoupledLSTM(),
    LayerNormSimpleRNN(),
    LayerNormLSTM(),
    LayerNormGRU(),
    MGU(),
)
