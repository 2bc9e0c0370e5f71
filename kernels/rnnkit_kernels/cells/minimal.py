"""The minimal gated unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..contract import Adjoint, Cell, names

__all__ = ["MGU"]


@dataclass(frozen=True)
class MGU(Cell):
    """Minimal gated unit (Zhou, Wu, Zhang & Zhou 2016, "Minimal gated unit for recurrent neural networks", eq. 6-8).

        f = sigmoid(x_f + u_f)      n = tanh(x_n + (f h) U_n)       h' = (1 - f) h + f n

    One gate both resets and updates: a GRU (reset before the product) whose r is f and whose z is 1 - f.
    """

    activation: Any = "tanh"
    recurrent_activation: Any = "sigmoid"

    gates, state, keep = names("f n"), names("h"), names("f n")

    def step(self, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        f = F.apply(self.recurrent_activation, x.f + u.f)
        n = F.apply(self.activation, x.n + F.matmul(f * s.h, "n"))
        return (s.h + f * (n - s.h),), (f, n)

    def adjoint(self, F: Any, k: Any, old: Any, new: Any, d: Any, p: Any) -> Adjoint:
        """h' = h + f (n - h), and n sees v = f h through U_n: f is owed for both, d.h (n - h) and dL/dv h."""
        dn = F.back(self.activation, k.n, k.a_n, d.h * k.f)
        dv = F.matmul_t(dn, "n")
        df = F.back(self.recurrent_activation, k.f, k.a_f, d.h * (k.n - old.h) + dv * old.h)
        return Adjoint(x=(df, dn), u=(df, dn), s=(d.h * (1 - k.f) + dv * k.f,))
