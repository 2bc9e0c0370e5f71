"""The recurrent layers by name, and `RNN` for any cell."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from rnnkit_kernels import cells
from rnnkit_kernels.contract import Cell
from rnnkit_kernels.types import Array

from .. import constraints
from .base import Params
from .recurrent import Recurrent

__all__ = ["GRU", "LSTM", "RNN", "LayerNormGRU", "LayerNormLSTM", "LayerNormSimpleRNN", "PeepholeLSTM", "SimpleRNN"]


@dataclass(frozen=True, repr=False)
class SimpleRNN(Recurrent):
    """Simple recurrent network; equations and source: `cells.SimpleRNN`. Weights [W, U, b]. Arguments: `Recurrent`."""

    units: int
    activation: Any = "tanh"

    def make_cell(self) -> Cell:
        return cells.SimpleRNN(self.activation)


@dataclass(frozen=True, repr=False)
class _Gated(Recurrent):
    units: int
    activation: Any = "tanh"
    recurrent_activation: Any = "sigmoid"


@dataclass(frozen=True, repr=False)
class _Forgetting(_Gated):
    """unit_forget_bias: the forget gate's bias starts at 1 (Jozefowicz, Zaremba & Sutskever 2015)."""

    _: KW_ONLY
    unit_forget_bias: bool = True

    def first(self, name: str, shape: tuple[int, ...], rng: np.random.Generator, dtype: Any) -> Array:
        weight = super().first(name, shape, rng, dtype)
        if name == "b" and self.unit_forget_bias:
            k = self.make_cell().gates.index("f")
            weight[k * self.units : (k + 1) * self.units] = 1
        return weight


@dataclass(frozen=True, repr=False)
class LSTM(_Forgetting):
    """Long short-term memory; equations and source: `cells.LSTM`. Weights [W, U, b], gates i f g o.

    Arguments: `Recurrent`; unit_forget_bias: the forget gate's bias starts at 1.
    """

    def make_cell(self) -> Cell:
        return cells.LSTM(self.activation, self.recurrent_activation)


@dataclass(frozen=True, repr=False)
class PeepholeLSTM(_Forgetting):
    """LSTM whose gates see the cell; equations and source: `cells.PeepholeLSTM`. Arguments: `LSTM`.

    Weights [W, U, b, p_i, p_f, p_o], gates i f g o; p (units,) each.
    """

    def make_cell(self) -> Cell:
        return cells.PeepholeLSTM(self.activation, self.recurrent_activation)


@dataclass(frozen=True, repr=False)
class GRU(_Gated):
    """Gated recurrent unit; equations and source: `cells.GRU` and `cells.GRUBefore`. Arguments: `Recurrent`.

    reset_after  True: the reset gate follows the recurrent product (Keras' default, cuDNN); False: it precedes it
                 (Cho et al. 2014)
    Weights [W, U, (b, b_h) as (2, 3 units)] when True, [W, U, b] when False; gates z r n. A bias constraint sees the
    (2, 3 units) too, as in Keras: a norm is that of a pair.
    """

    _: KW_ONLY
    reset_after: bool = True

    def make_cell(self) -> Cell:
        cell = cells.GRU if self.reset_after else cells.GRUBefore
        return cell(self.activation, self.recurrent_activation)

    def to_list(self, params: Params) -> list[Array]:
        if "b_h" not in params:
            return super().to_list(params)
        both = params | {"b": np.stack([params["b"], params["b_h"]])}
        return [w for name, w in both.items() if name != "b_h"]

    def from_list(self, arrays: list[Array], like: Params) -> Params:
        if "b_h" not in like:
            return super().from_list(arrays, like)
        given = dict(zip((name for name in like if name != "b_h"), arrays, strict=True))
        return {name: given["b"][("b", "b_h").index(name)] if name in ("b", "b_h") else given[name] for name in like}

    def constrained(self, params: Params) -> Params:
        if self.bias_constraint is None or "b_h" not in params:
            return super().constrained(params)
        both = constraints.get(self.bias_constraint)(np.stack([params["b"], params["b_h"]]))
        rest = super().constrained({name: w for name, w in params.items() if name not in ("b", "b_h")})
        pair = {"b": both[0], "b_h": both[1]}
        return {name: (rest | pair)[name] for name in params}


@dataclass(frozen=True, repr=False)
class LayerNormSimpleRNN(Recurrent):
    """SimpleRNN with its pre-activation normalised; equations and source: `cells.LayerNormSimpleRNN`.

    Weights [W, U, b, gamma, beta]. Arguments: `Recurrent`; epsilon: added to the variance.
    """

    units: int
    activation: Any = "tanh"
    _: KW_ONLY
    epsilon: float = 1e-3

    def make_cell(self) -> Cell:
        return cells.LayerNormSimpleRNN(self.activation, self.epsilon)


@dataclass(frozen=True, repr=False)
class LayerNormLSTM(_Forgetting):
    """LSTM with layer normalisation; equations and source: `cells.LayerNormLSTM`.

    Weights [W, U, b, gamma_x, beta_x, gamma_h, beta_h, gamma_c, beta_c], gates i f g o; gamma_c and beta_c (units,),
    the others (4 units,). Arguments: `LSTM`; epsilon: added to the variance.
    """

    _: KW_ONLY
    epsilon: float = 1e-5

    def make_cell(self) -> Cell:
        return cells.LayerNormLSTM(self.activation, self.recurrent_activation, self.epsilon)


@dataclass(frozen=True, repr=False)
class LayerNormGRU(_Gated):
    """GRU with layer normalisation; equations and source: `cells.LayerNormGRU`.

    Weights [W, U, b, gamma_x, beta_x, gamma_h, beta_h], gates z r n; gammas and betas (3 units,).
    Arguments: `Recurrent`; epsilon: added to the variance.
    """

    _: KW_ONLY
    epsilon: float = 1e-5

    def make_cell(self) -> Cell:
        return cells.LayerNormGRU(self.activation, self.recurrent_activation, self.epsilon)


@dataclass(frozen=True, repr=False)
class RNN(Recurrent):
    """Any cell as a layer: `RNN(MyCell(), 32)`, or `RNN(MyCell, 32)`. Arguments: `Recurrent`.

    A cell brings its own activations. Weights [W, U, b], then b_h and the cell's vectors where it has them.
    Raises TypeError for what is no cell.
    """

    cell: Any
    units: int

    def __post_init__(self) -> None:
        if isinstance(self.cell, type) and issubclass(self.cell, Cell):
            object.__setattr__(self, "cell", self.cell())
        if not isinstance(self.cell, Cell):
            raise TypeError(f"RNN takes a cell, an instance or a subclass of rnnkit.Cell; got {self.cell!r}")
        super().__post_init__()

    def make_cell(self) -> Cell:
        assert isinstance(self.cell, Cell)
        return self.cell
