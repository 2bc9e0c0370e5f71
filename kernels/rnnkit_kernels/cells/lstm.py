"""Long short-term memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..contract import Adjoint, Cell, names

__all__ = ["LSTM"]


@dataclass(frozen=True)
class LSTM(Cell):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate: Gers, Schmidhuber & Cummins 2000, eq. 2-6).

        i = sigmoid(x_i + u_i)      g = tanh(x_g + u_g)        c' = f c + i g
        f = sigmoid(x_f + u_f)      o = sigmoid(x_o + u_o)     h' = o tanh(c')

    x_q = x W_q + b_q and u_q = h U_q for each gate q. `recurrent_activation` stands for sigmoid, `activation` for tanh.
    Keras and the course write c for g ("candidate") and carry c'; the equations are the same.
    """

    activation: Any = "tanh"
    recurrent_activation: Any = "sigmoid"

    gates, state, keep = names("i f g o"), names("h c"), names("i f g o")

    def step(self, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        i = F.apply(self.recurrent_activation, x.i + u.i)
        f = F.apply(self.recurrent_activation, x.f + u.f)
        g = F.apply(self.activation, x.g + u.g)
        o = F.apply(self.recurrent_activation, x.o + u.o)
        c = f * s.c + i * g
        h = o * F.apply(self.activation, c)
        return (h, c), (i, f, g, o)

    def adjoint(self, F: Any, k: Any, old: Any, new: Any, d: Any, p: Any) -> Adjoint:
        """c' reaches the loss twice: as the next cell state (d.c) and through h' = o tanh(c').

            dL/dc' = d.c + d.h o tanh'(c')
            dL/di = dL/dc' g,  dL/df = dL/dc' c,  dL/dg = dL/dc' i,  dL/do = d.h tanh(c')

        and each passes its own activation: F.back(sigmoid, i, ., di) is di i (1 - i), F.back(tanh, g, ., dg) is
        dg (1 - g^2). What returns to c is dL/dc' f: multiplied by f alone, the error carousel. h is met only in u.
        """
        sigma, phi = self.recurrent_activation, self.activation
        tc = F.apply(phi, new.c)
        dc = d.c + F.back(phi, tc, new.c, d.h * k.o)
        di = F.back(sigma, k.i, k.a_i, dc * k.g)
        df = F.back(sigma, k.f, k.a_f, dc * old.c)
        dg = F.back(phi, k.g, k.a_g, dc * k.i)
        do = F.back(sigma, k.o, k.a_o, d.h * tc)
        return Adjoint(x=(di, df, dg, do), u=(di, df, dg, do), s=(0, dc * k.f))
