"""LSTM with peephole connections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ..contract import Adjoint, Cell, names

__all__ = ["PeepholeLSTM"]


@dataclass(frozen=True)
class PeepholeLSTM(Cell):
    """LSTM whose gates see the cell (Gers & Schmidhuber 2000, "Recurrent nets that time and count").

        i = sigmoid(x_i + u_i + p_i c)      g = tanh(x_g + u_g)             c' = f c + i g
        f = sigmoid(x_f + u_f + p_f c)      o = sigmoid(x_o + u_o + p_o c')  h' = o tanh(c')

    i and f see the old cell, o the new one; p_i, p_f, p_o are vectors over units (each gate sees its own unit's cell).
    """

    activation: Any = "tanh"
    recurrent_activation: Any = "sigmoid"

    gates, state, keep = names("i f g o"), names("h c"), names("i f g o")
    unit_vectors: ClassVar[tuple[str, ...]] = names("p_i p_f p_o")

    def step(self, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        i = F.apply(self.recurrent_activation, x.i + u.i + p.p_i * s.c)
        f = F.apply(self.recurrent_activation, x.f + u.f + p.p_f * s.c)
        g = F.apply(self.activation, x.g + u.g)
        c = f * s.c + i * g
        o = F.apply(self.recurrent_activation, x.o + u.o + p.p_o * c)
        h = o * F.apply(self.activation, c)
        return (h, c), (i, f, g, o)

    def adjoint(self, F: Any, k: Any, old: Any, new: Any, d: Any, p: Any) -> Adjoint:
        """c' reaches the loss three times: as the next cell state, through h' = o tanh(c'), and through the gate o.

        So dL/da_o comes first, and p_o carries it back to c'. The old c is met by f, by p_i and by p_f.
        A peephole's gradient is its gate's cotangent times the cell it looked at.
        """
        sigma, phi = self.recurrent_activation, self.activation
        tc = F.apply(phi, new.c)
        do = F.back(sigma, k.o, k.a_o, d.h * tc)
        dc = d.c + F.back(phi, tc, new.c, d.h * k.o) + do * p.p_o
        di = F.back(sigma, k.i, k.a_i, dc * k.g)
        df = F.back(sigma, k.f, k.a_f, dc * old.c)
        dg = F.back(phi, k.g, k.a_g, dc * k.i)
        return Adjoint(
            x=(di, df, dg, do),
            u=(di, df, dg, do),
            s=(0, dc * k.f + di * p.p_i + df * p.p_f),
            p={"p_i": di * old.c, "p_f": df * old.c, "p_o": do * new.c},
        )
