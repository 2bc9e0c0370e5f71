"""The simple recurrent network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..contract import Adjoint, Cell, names

__all__ = ["SimpleRNN"]


@dataclass(frozen=True)
class SimpleRNN(Cell):
    """Simple recurrent network (Elman 1990, Cognitive Science 14; Goodfellow, Bengio & Courville 2016, eq. 10.8-10.9).

        h' = tanh(x_h + u_h)

    x_h = x W + b and u_h = h U. The output of the book (its eq. 10.10) is a Dense layer here.
    """

    activation: Any = "tanh"

    gates, state, keep = names("h"), names("h"), ()

    def step(self, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        h = F.apply(self.activation, x.h + u.h)
        return (h,), ()

    def adjoint(self, F: Any, k: Any, old: Any, new: Any, d: Any, p: Any) -> Adjoint:
        """h' = f(a), a = x_h + u_h: dL/da = dL/dh' f'(a), and with tanh f'(a) = 1 - h'^2.

        F.back(f, y, a, dy) is dy f'(a), from y = f(a) where f allows it (a is None then). The old h is met only in u.
        """
        da = F.back(self.activation, new.h, k.a_h, d.h)
        return Adjoint(x=(da,), u=(da,), s=(0,))
