"""LSTM whose input and forget gates are one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..contract import Adjoint, Cell, names

__all__ = ["CoupledLSTM"]


@dataclass(frozen=True)
class CoupledLSTM(Cell):
    """LSTM with coupled input and forget gate (Greff et al. 2017, "LSTM: A search space odyssey", CIFG, f = 1 - i).

        i = sigmoid(x_i + u_i)      o = sigmoid(x_o + u_o)          c' = c + i (g - c)
        g = tanh(x_g + u_g)                                         h' = o tanh(c')

    What is written is what is forgotten: c' = (1 - i) c + i g. The paper's form also has peepholes; none here.
    """

    activation: Any = "tanh"
    recurrent_activation: Any = "sigmoid"

    gates, state, keep = names("i g o"), names("h c"), names("i g o")

    def step(self, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        i = F.apply(self.recurrent_activation, x.i + u.i)
        g = F.apply(self.activation, x.g + u.g)
        o = F.apply(self.recurrent_activation, x.o + u.o)
        c = s.c + i * (g - s.c)
        h = o * F.apply(self.activation, c)
        return (h, c), (i, g, o)

    def adjoint(self, F: Any, k: Any, old: Any, new: Any, d: Any, p: Any) -> Adjoint:
        """As in `LSTM` with f = 1 - i: i gains g and loses c, and 1 - i of dL/dc' returns to c."""
        sigma, phi = self.recurrent_activation, self.activation
        tc = F.apply(phi, new.c)
        dc = d.c + F.back(phi, tc, new.c, d.h * k.o)
        di = F.back(sigma, k.i, k.a_i, dc * (k.g - old.c))
        dg = F.back(phi, k.g, k.a_g, dc * k.i)
        do = F.back(sigma, k.o, k.a_o, d.h * tc)
        return Adjoint(x=(di, dg, do), u=(di, dg, do), s=(0, dc * (1 - k.i)))
