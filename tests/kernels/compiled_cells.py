"""Cells as a user writes them, each odd in its own way: what no built-in cell does, the compiled route must do too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from rnnkit_kernels.contract import Cell, names

__all__ = ["QUICK", "USERS"]


@dataclass(frozen=True)
class Cube:
    """An activation object: the derivative is the user's, not derived."""

    def value(self, a: Any) -> Any:
        return a * a * a

    def derivative(self, a: Any) -> Any:
        return 3 * a * a


def bent(a: Any) -> Any:
    """An activation as a bare function in NumPy's spelling."""
    return np.where(a > 0, np.tanh(a), 0.25 * a)


@dataclass(frozen=True)
class Unkept(Cell):
    """Declares no `keep`: what the way back needs is found."""

    gates, state = names("i n"), names("h c")

    def step(self, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        i = F.sigmoid(x.i + u.i)
        c = s.c * (1 - i) + i * F.tanh(x.n * u.n + s.h)
        return (F.tanh(c) * F.softplus(u.i), c), ()


@dataclass(frozen=True)
class Centred(Cell):
    """A mean over the units, and a second one that needs the first."""

    gates, state = names("a"), names("h")

    def step(self, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        a = x.a + u.a
        centred = a - F.mean(a)
        return (F.tanh(centred) * F.sigmoid(F.mean(centred * centred)),), ()


@dataclass(frozen=True)
class Normed(Cell):
    """Standardises gates together and apart, with vectors of its own for each gate and each unit, and both biases."""

    gates, state = names("a b"), names("h")
    gate_vectors: ClassVar[tuple[str, ...]] = names("gain")
    unit_vectors: ClassVar[tuple[str, ...]] = names("shift idle")
    recurrent_bias: ClassVar[bool] = True

    def step(self, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        (a, b), _ = F.standardize(x.a + u.a, u.b, epsilon=0.1)
        (c,), _ = F.standardize(x.b + s.h, epsilon=0.1)
        return (F.tanh(p.gain.a * a + p.gain.b * b) + p.shift * c,), ()


@dataclass(frozen=True)
class TwoProducts(Cell):
    """Two inner products, the second of what the first made: three levels each way."""

    gates, state = names("r n m"), names("h")

    def step(self, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        r = F.sigmoid(x.r + u.r)
        n = F.tanh(x.n + F.matmul(r * s.h, "n"))
        m = F.tanh(x.m + F.matmul(n * r, "m"))
        return (s.h + r * (m - s.h),), ()


@dataclass(frozen=True)
class SixGates(Cell):
    """Six gates, of which one never sees x and one never sees h; h is the last state of three."""

    gates, state = names("i f g o e l"), names("c m h")

    def step(self, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        i, f = F.sigmoid(x.i + u.i), F.sigmoid(x.f - u.f)
        c = f * s.c + i * F.tanh(x.g + u.g)
        m = F.maximum(s.m * F.sigmoid(u.e), F.minimum(c, F.abs(x.l)))
        return (c, m, F.sigmoid(x.o + u.o) * F.tanh(c + m)), ()


@dataclass(frozen=True)
class FiveGates(Cell):
    """Five gates side by side, a gate whose x and u meet in a product, and an activation object of the user's."""

    gates, state, keep = names("a b c d e"), names("h"), names("a d e")

    def step(self, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        a, d = F.sigmoid(x.a + u.a), F.tanh(x.d + u.d)
        e = F.sigmoid(x.e + u.e)
        b = F.apply(Cube(), 0.3 * (x.b + u.b))
        return (a * F.apply(bent, x.c + u.c) + (1 - a) * d * e + 0.1 * F.tanh(b),), (a, d, e)


@dataclass(frozen=True)
class Unmet(Cell):
    """No recurrent product at all: h meets itself in its own unit only."""

    gates, state = names("a"), names("h")
    unit_vectors: ClassVar[tuple[str, ...]] = names("decay")

    def step(self, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        return (F.sigmoid(p.decay) * s.h + F.tanh(x.a),), ()


@dataclass(frozen=True)
class Constant(Cell):
    """Keeps a number, passes one state through unchanged, sets another to a number, and has two states that are one."""

    gates, state, keep = names("a"), names("h still zero twin"), names("half y")

    def step(self, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        y = F.tanh(x.a + u.a + 0.1 * s.still * s.zero)
        h = y + 0.5 * s.twin
        return (h, s.still, 0.25, h), (0.5, y)


@dataclass(frozen=True)
class Delayed(Cell):
    """The states change places: what is read must not have been overwritten."""

    gates, state = names("a"), names("first h second")

    def step(self, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        return (s.h, F.tanh(x.a + u.a) - 0.5 * s.second, s.first), ()


@dataclass(frozen=True)
class Attending(Cell):
    """A softmax over the units, and one of the state that a mean then weighs."""

    gates, state = names("a b"), names("h")

    def step(self, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        share = F.softmax(x.a + u.a)
        return (F.tanh(x.b + u.b) * share + F.mean(F.softmax(s.h) * s.h),), ()


@dataclass(frozen=True)
class Functions(Cell):
    """Every function that a step may call pointwise, at values where it has a slope."""

    gates, state = names("a b"), names("h")

    def step(self, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
        a, b = x.a + u.a, x.b - u.b
        size = 1 + a * a
        y = F.erf(a) + F.log(size) / F.sqrt(size) + F.rsqrt(1 + F.abs(b)) + F.exp(-F.relu(b))
        return (F.where(F.less(a, b), 0.3 * y, F.tanh(y) - F.softplus(-b) / 4),), ()


USERS: tuple[Cell, ...] = (
    Unkept(),
    Centred(),
    Normed(),
    TwoProducts(),
    SixGates(),
    FiveGates(),
    Unmet(),
    Constant(),
    Delayed(),
    Attending(),
    Functions(),
)

# Those whose programs compile in a second or two; together they have every oddity but inner products, norms, softmax.
QUICK = ("Unkept", "SixGates", "FiveGates", "Constant", "Delayed")
