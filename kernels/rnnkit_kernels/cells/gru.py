"""Gated recurrent units: the reset after the recurrent product, and before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ..contract import Adjoint, Cell, names

__all__ = ["GRU", "GRUBefore"]


@dataclass(frozen=True)
class GRU(Cell):
    """Gated recurrent unit, reset after the product: Keras' default and cuDNN's form (Chung et al. 2014 with the
    second bias of cuDNN; Keras `reset_after=True`).

        z = sigmoid(x_z + u_z)      n = tanh(x_n + r u_n)
        r = sigmoid(x_r + u_r)      h' = z h + (1 - z) n

    x_q = x W_q + b_q and u_q = h U_q + b_h,q: the recurrent part has a bias of its own because r multiplies it.
    Cho et al. 2014 (eq. 7) and Keras let z keep the old state, as here. Chung et al. 2014 (eq. 5), and the course's
    text after it, write h' = (1 - z) h + z n: the same cell with z and 1 - z exchanged, so its z is 1 - z here.
    """

    activation: Any = "tanh"
    recurrent_activation: Any = "sigmoid"

    gates, state, keep = names("z r n"), names("h"), names("z r n un")
    recurrent_bias: ClassVar[bool] = True

    def step(self, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        z = F.apply(self.recurrent_activation, x.z + u.z)
        r = F.apply(self.recurrent_activation, x.r + u.r)
        n = F.apply(self.activation, x.n + r * u.n)
        return (n + z * (s.h - n),), (z, r, n, u.n)

    def adjoint(self, F: Any, k: Any, old: Any, new: Any, d: Any, p: Any) -> Adjoint:
        """h' = n + z (h - n): dL/dz = d.h (h - n), dL/dn = d.h (1 - z), and d.h z returns to h directly.

        With a_n = x_n + r u_n the candidate hands dL/da_n to x_n as it is, u_n times it to r, and r times it to u_n.
        """
        sigma, phi = self.recurrent_activation, self.activation
        dz = F.back(sigma, k.z, k.a_z, d.h * (old.h - k.n))
        dn = F.back(phi, k.n, k.a_n, d.h * (1 - k.z))
        dr = F.back(sigma, k.r, k.a_r, dn * k.un)
        return Adjoint(x=(dz, dr, dn), u=(dz, dr, dn * k.r), s=(d.h * k.z,))


@dataclass(frozen=True)
class GRUBefore(Cell):
    """Gated recurrent unit, reset before the product (Cho et al. 2014, eq. 5-8; Keras `reset_after=False`; the course).

        z = sigmoid(x_z + u_z)      n = tanh(x_n + (r h) U_n)
        r = sigmoid(x_r + u_r)      h' = z h + (1 - z) n

    x_q = x W_q + b_q for each gate and u_q = h U_q for z and r. The candidate's product waits for r: two levels a step.
    For the exchange of z and 1 - z in other texts see `GRU`.
    """

    activation: Any = "tanh"
    recurrent_activation: Any = "sigmoid"

    gates, state, keep = names("z r n"), names("h"), names("z r n")

    def step(self, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        z = F.apply(self.recurrent_activation, x.z + u.z)
        r = F.apply(self.recurrent_activation, x.r + u.r)
        n = F.apply(self.activation, x.n + F.matmul(r * s.h, "n"))
        return (n + z * (s.h - n),), (z, r, n)

    def adjoint(self, F: Any, k: Any, old: Any, new: Any, d: Any, p: Any) -> Adjoint:
        """As in `GRU`, but the candidate's cotangent goes back through U_n before it meets r and h:

        v = r h gets dL/dv = dL/da_n U_n^T, of which h takes r and r takes h.
        """
        sigma, phi = self.recurrent_activation, self.activation
        dz = F.back(sigma, k.z, k.a_z, d.h * (old.h - k.n))
        dn = F.back(phi, k.n, k.a_n, d.h * (1 - k.z))
        dv = F.matmul_t(dn, "n")
        dr = F.back(sigma, k.r, k.a_r, dv * old.h)
        return Adjoint(x=(dz, dr, dn), u=(dz, dr, dn), s=(d.h * k.z + dv * k.r,))
