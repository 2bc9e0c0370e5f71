"""Cells with layer normalisation inside the recurrence.

Ba, Kiros & Hinton 2016 ("Layer normalization", eq. 3-4): y = (a - mean a) (var a + epsilon)^(-1/2), mean and variance
over the units of a row, then a gain and a bias for each unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ..contract import Adjoint, Cell, names

__all__ = ["LayerNormGRU", "LayerNormLSTM", "LayerNormSimpleRNN"]


def back_through_norm(F: Any, y: tuple[Any, ...], rstd: Any, dy: tuple[Any, ...]) -> tuple[Any, ...]:
    """dL/da of y = (a - mean a) rstd, the norm taken over all the arrays of y together.

    The norm leaves no trace of a's mean nor of its length, so dL/da has no part along 1 and none along y:
    dL/da = rstd (dy - mean(dy) - y mean(dy y)).
    """
    shift = F.mean(*dy)
    stretch = F.mean(*(d * v for d, v in zip(dy, y, strict=True)))
    return tuple(rstd * (d - shift - v * stretch) for d, v in zip(dy, y, strict=True))


def scaled(gain: Any, y: tuple[Any, ...], bias: Any, gates: tuple[str, ...]) -> tuple[Any, ...]:
    """gamma_q y_q + beta_q for each gate q."""
    return tuple(getattr(gain, q) * v + getattr(bias, q) for q, v in zip(gates, y, strict=True))


def times(gain: Any, d: tuple[Any, ...], gates: tuple[str, ...]) -> tuple[Any, ...]:
    """gamma_q d_q for each gate q."""
    return tuple(getattr(gain, q) * v for q, v in zip(gates, d, strict=True))


def products(d: tuple[Any, ...], y: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(a * b for a, b in zip(d, y, strict=True))


@dataclass(frozen=True)
class LayerNormSimpleRNN(Cell):
    """Simple recurrent network, its summed pre-activation normalised (Ba, Kiros & Hinton 2016, eq. 4; the course's own
    cell, after Géron 2019, chapter 15: SimpleRNNCell, LayerNormalization, activation).

        y = norm(x_h + u_h)         h' = tanh(gamma y + beta)

    x_h = x W + b, u_h = h U. epsilon is Keras' 1e-3.
    """

    activation: Any = "tanh"
    epsilon: float = 1e-3

    gates, state, keep = names("h"), names("h"), names("y rstd")
    unit_vectors: ClassVar[tuple[str, ...]] = names("gamma beta")
    initial: ClassVar[dict[str, float]] = {"gamma": 1.0}

    def step(self, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        (y,), rstd = F.standardize(x.h + u.h, epsilon=self.epsilon)
        h = F.apply(self.activation, p.gamma * y + p.beta)
        return (h,), (y, rstd)

    def adjoint(self, F: Any, k: Any, old: Any, new: Any, d: Any, p: Any) -> Adjoint:
        """Through the activation to a = gamma y + beta, to gain and bias, and back through the norm."""
        da = F.back(self.activation, new.h, p.gamma * k.y + p.beta, d.h)
        dq = back_through_norm(F, (k.y,), k.rstd, (da * p.gamma,))
        return Adjoint(x=dq, u=dq, s=(0,), p={"gamma": da * k.y, "beta": da})


@dataclass(frozen=True)
class LayerNormLSTM(Cell):
    """LSTM with layer normalisation (Ba, Kiros & Hinton 2016, eq. 20-22).

        a = norm(x) gamma_x + beta_x + norm(u) gamma_h + beta_h + b      over all four gates together
        i = sigmoid(a_i)  f = sigmoid(a_f)  g = tanh(a_g)  o = sigmoid(a_o)
        c' = f c + i g                      h' = o tanh(norm(c') gamma_c + beta_c)

    x_q = x W_q and u_q = h U_q, without bias: b stands outside both norms, as in the paper's eq. 20. The cell itself is
    carried as it is; only what the output sees is normalised. epsilon 1e-5.
    """

    activation: Any = "tanh"
    recurrent_activation: Any = "sigmoid"
    epsilon: float = 1e-5

    gates, state = names("i f g o"), names("h c")
    keep = names("i f g o xi xf xg xo rx ui uf ug uo ru cn rc")
    gate_vectors: ClassVar[tuple[str, ...]] = names("b gamma_x beta_x gamma_h beta_h")
    unit_vectors: ClassVar[tuple[str, ...]] = names("gamma_c beta_c")
    initial: ClassVar[dict[str, float]] = {"gamma_x": 1.0, "gamma_h": 1.0, "gamma_c": 1.0}

    def step(self, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        xs, rx = F.standardize(x.i, x.f, x.g, x.o, epsilon=self.epsilon)
        us, ru = F.standardize(u.i, u.f, u.g, u.o, epsilon=self.epsilon)
        ax = scaled(p.gamma_x, xs, p.beta_x, self.gates)
        au = scaled(p.gamma_h, us, p.beta_h, self.gates)
        i = F.apply(self.recurrent_activation, ax[0] + au[0] + p.b.i)
        f = F.apply(self.recurrent_activation, ax[1] + au[1] + p.b.f)
        g = F.apply(self.activation, ax[2] + au[2] + p.b.g)
        o = F.apply(self.recurrent_activation, ax[3] + au[3] + p.b.o)
        c = f * s.c + i * g
        (cn,), rc = F.standardize(c, epsilon=self.epsilon)
        h = o * F.apply(self.activation, p.gamma_c * cn + p.beta_c)
        return (h, c), (i, f, g, o, *xs, rx, *us, ru, cn, rc)

    def adjoint(self, F: Any, k: Any, old: Any, new: Any, d: Any, p: Any) -> Adjoint:
        """The LSTM's adjoint with a norm on each of its three ways: to c' through norm(c'), to x and to u.

        With m = norm(c') gamma_c + beta_c:  dL/dm = d.h o tanh'(m), and dL/dc' = d.c + what the norm hands back.
        """
        sigma, phi = self.recurrent_activation, self.activation
        m = p.gamma_c * k.cn + p.beta_c
        tm = F.apply(phi, m)
        dm = F.back(phi, tm, m, d.h * k.o)
        dc = d.c + back_through_norm(F, (k.cn,), k.rc, (dm * p.gamma_c,))[0]
        di = F.back(sigma, k.i, k.a_i, dc * k.g)
        df = F.back(sigma, k.f, k.a_f, dc * old.c)
        dg = F.back(phi, k.g, k.a_g, dc * k.i)
        do = F.back(sigma, k.o, k.a_o, d.h * tm)
        da, xs, us = (di, df, dg, do), (k.xi, k.xf, k.xg, k.xo), (k.ui, k.uf, k.ug, k.uo)
        return Adjoint(
            x=back_through_norm(F, xs, k.rx, times(p.gamma_x, da, self.gates)),
            u=back_through_norm(F, us, k.ru, times(p.gamma_h, da, self.gates)),
            s=(0, dc * k.f),
            p={"b": da, "gamma_x": products(da, xs), "beta_x": da, "gamma_h": products(da, us), "beta_h": da}
            | {"gamma_c": dm * k.cn, "beta_c": dm},
        )


@dataclass(frozen=True)
class LayerNormGRU(Cell):
    """GRU with layer normalisation (after Ba, Kiros & Hinton 2016, supplement, eq. 27-29), reset after the product.

        (p_z p_r p_n) = norm(x) gamma_x + beta_x + b       (q_z q_r q_n) = norm(u) gamma_h + beta_h
        z = sigmoid(p_z + q_z)      n = tanh(p_n + r q_n)
        r = sigmoid(p_r + q_r)      h' = z h + (1 - z) n

    Each norm runs over all three gates; the paper takes the candidate's part by itself. x_q = x W_q, u_q = h U_q: no
    bias. The paper's z is 1 - z here, see `GRU`. epsilon 1e-5.
    """

    activation: Any = "tanh"
    recurrent_activation: Any = "sigmoid"
    epsilon: float = 1e-5

    gates, state = names("z r n"), names("h")
    keep = names("z r n xz xr xn rx uz ur un ru")
    gate_vectors: ClassVar[tuple[str, ...]] = names("b gamma_x beta_x gamma_h beta_h")
    initial: ClassVar[dict[str, float]] = {"gamma_x": 1.0, "gamma_h": 1.0}

    def step(self, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        xs, rx = F.standardize(x.z, x.r, x.n, epsilon=self.epsilon)
        us, ru = F.standardize(u.z, u.r, u.n, epsilon=self.epsilon)
        ax = scaled(p.gamma_x, xs, p.beta_x, self.gates)
        au = scaled(p.gamma_h, us, p.beta_h, self.gates)
        z = F.apply(self.recurrent_activation, ax[0] + p.b.z + au[0])
        r = F.apply(self.recurrent_activation, ax[1] + p.b.r + au[1])
        n = F.apply(self.activation, ax[2] + p.b.n + r * au[2])
        return (n + z * (s.h - n),), (z, r, n, *xs, rx, *us, ru)

    def adjoint(self, F: Any, k: Any, old: Any, new: Any, d: Any, p: Any) -> Adjoint:
        """The GRU's adjoint up to p_q and q_q; from there each side goes through its gains and its norm."""
        sigma, phi = self.recurrent_activation, self.activation
        xs, us = (k.xz, k.xr, k.xn), (k.uz, k.ur, k.un)
        qn = p.gamma_h.n * k.un + p.beta_h.n
        dz = F.back(sigma, k.z, k.a_z, d.h * (old.h - k.n))
        dn = F.back(phi, k.n, k.a_n, d.h * (1 - k.z))
        dr = F.back(sigma, k.r, k.a_r, dn * qn)
        dp, dq = (dz, dr, dn), (dz, dr, dn * k.r)
        return Adjoint(
            x=back_through_norm(F, xs, k.rx, times(p.gamma_x, dp, self.gates)),
            u=back_through_norm(F, us, k.ru, times(p.gamma_h, dq, self.gates)),
            s=(d.h * k.z,),
            p={"b": dp, "gamma_x": products(dp, xs), "beta_x": dp, "gamma_h": products(dq, us), "beta_h": dq},
        )
