"""The cells by the names that the command line gives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rnnkit_kernels import cells
from rnnkit_kernels.contract import Cell

from .. import layers
from ..layers.base import Layer

__all__ = ["CELLS", "layer_of"]

CELLS: dict[str, type[Cell]] = {
    "gru": cells.GRU,
    "gru-before": cells.GRUBefore,
    "lstm": cells.LSTM,
    "rnn": cells.SimpleRNN,
    "peephole": cells.PeepholeLSTM,
    "layernorm-rnn": cells.LayerNormSimpleRNN,
    "layernorm-lstm": cells.LayerNormLSTM,
    "layernorm-gru": cells.LayerNormGRU,
    "coupled": cells.CoupledLSTM,
    "mgu": cells.MGU,
}

_LAYERS: dict[str, Callable[..., Layer]] = {
    "gru": layers.GRU,
    "gru-before": lambda units, activation, **options: layers.GRU(units, activation, reset_after=False, **options),
    "lstm": layers.LSTM,
    "rnn": layers.SimpleRNN,
    "peephole": layers.PeepholeLSTM,
    "layernorm-rnn": layers.LayerNormSimpleRNN,
    "layernorm-lstm": layers.LayerNormLSTM,
    "layernorm-gru": layers.LayerNormGRU,
}


def layer_of(name: str, units: int, activation: Any, *, return_sequences: bool) -> Layer:
    """The recurrent layer of that cell: a class of its own where there is one, else `RNN` around the cell."""
    if name in _LAYERS:
        return _LAYERS[name](units, activation, return_sequences=return_sequences)
    cell: Any = CELLS[name]
    return layers.RNN(cell(activation), units, return_sequences=return_sequences)
