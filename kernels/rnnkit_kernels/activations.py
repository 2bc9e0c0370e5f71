"""Activations: plain expressions of one value, and nothing else.

No derivative is written here. `program.derive` differentiates these very lines, in a cell, in a Dense layer, on any
backend.
The names, constants and conventions are Keras 3's.

A user's own activation is any object with a value and a derivative, both functions of one value written with operators
and NumPy functions (or with two, `(F, a)`, when they want the functions of the step):

    class Cube:
        def value(self, a): return a * a * a
        def derivative(self, a): return 3 * a * a

The derivative is believed only after `rnnkit.gradcheck` has seen it. A bare function `f(a)` or `f(F, a)` needs none.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from .sentences import unknown

__all__ = ["ALL", "KINKED", "check", "expand", "name_of"]


def linear(F: Any, a: Any) -> Any:
    return a


def tanh(F: Any, a: Any) -> Any:
    return F.tanh(a)


def sigmoid(F: Any, a: Any) -> Any:
    return F.sigmoid(a)


def hard_sigmoid(F: Any, a: Any) -> Any:
    """0 up to -3, 1 from 3 on, a / 6 + 1/2 between; the slope is 0 at both ends (Keras 3; Keras 2 had slope 0.2)."""
    return F.where(F.less(a, 3), F.relu(a / 6 + 0.5), 1)


def relu(F: Any, a: Any) -> Any:
    return F.relu(a)


def leaky_relu(F: Any, a: Any) -> Any:
    """Slope 0.2 below zero (Keras 3)."""
    return F.where(F.less(0, a), a, 0.2 * a)


def elu(F: Any, a: Any) -> Any:
    """exp(a) - 1 below zero (Clevert, Unterthiner & Hochreiter 2016). The minimum keeps exp from overflowing unseen."""
    return F.where(F.less(0, a), a, F.exp(F.minimum(a, 0)) - 1)


def selu(F: Any, a: Any) -> Any:
    """Klambauer et al. 2017, equation 2, with their alpha and scale."""
    return 1.0507009873554805 * F.where(F.less(0, a), a, 1.6732632423543772 * (F.exp(F.minimum(a, 0)) - 1))


def gelu(F: Any, a: Any) -> Any:
    """a times the normal distribution function of a (Hendrycks & Gimpel 2016): the exact form, Keras' default."""
    return a * (0.5 + 0.5 * F.erf(a * 0.7071067811865476))


def softplus(F: Any, a: Any) -> Any:
    return F.softplus(a)


def softsign(F: Any, a: Any) -> Any:
    return a / (1 + F.abs(a))


def swish(F: Any, a: Any) -> Any:
    """a sigmoid(a) (Ramachandran, Zoph & Le 2017; SiLU: Elfwing, Uchibe & Doya 2017)."""
    return a * F.sigmoid(a)


def exponential(F: Any, a: Any) -> Any:
    return F.exp(a)


def softmax(F: Any, a: Any) -> Any:
    """Over the units of a row."""
    return F.softmax(a)


ALL: dict[str, Callable[[Any, Any], Any]] = {
    f.__name__: f
    for f in (
        linear, tanh, sigmoid, hard_sigmoid, relu, leaky_relu, elu, selu, gelu,
        softplus, softsign, swish, exponential, softmax,
    )
}  # fmt: skip
ALL["silu"] = swish

# Those whose derivative, or the one after it, jumps somewhere: the complex step is not for them.
KINKED = ("hard_sigmoid", "relu", "leaky_relu", "elu", "selu", "softsign")


def check(activation: Any) -> None:
    """Refuses what is no activation: an unknown name (the nearest is named), or an object that cannot be called."""
    if activation is None:
        return
    if isinstance(activation, str):
        if activation not in ALL:
            raise unknown("activation", activation, ALL)
        return
    if type(activation).__hash__ is None:
        raise TypeError(f"{activation!r} can be changed, and a cell cannot: make its class @dataclass(frozen=True)")
    if hasattr(activation, "value"):
        if not (callable(activation.value) and callable(getattr(activation, "derivative", None))):
            raise TypeError(
                f"{activation!r} has a value but no derivative: give both as functions of one value, "
                "or pass a bare function and have it differentiated"
            )
    elif not callable(activation):
        raise TypeError(
            f"{activation!r} is no activation: give a name ({', '.join(sorted(ALL))}), a function of one value, "
            "or an object with a value and a derivative"
        )


def expand(activation: Any, F: Any, a: Any) -> Any:
    """The activation's expression of the value a, in the functions F."""
    check(activation)
    if activation is None:
        return a
    if isinstance(activation, str):
        return ALL[activation](F, a)
    y = _call(activation.value if hasattr(activation, "value") else activation, F, a)
    # np.where(a > 0, 1.0, 0.0) makes doubles whatever a is.
    return y.astype(a.dtype, copy=False) if hasattr(y, "astype") else y


def slope(activation: Any, F: Any, a: Any) -> Any:
    """The derivative that a user's activation object brings, at a."""
    return _call(activation.derivative, F, a)


def name_of(activation: Any) -> str:
    if activation is None:
        return "linear"
    return activation if isinstance(activation, str) else getattr(activation, "__name__", type(activation).__name__)


def _call(function: Any, F: Any, a: Any) -> Any:
    """`function(F, a)` where it takes two values, else `function(a)`."""
    return function(F, a) if _takes_two(function) else function(a)


@lru_cache(maxsize=256)
def _takes_two(function: Any) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # NumPy's ufuncs have no signature in some versions
        return False
    required = [
        p for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    return len(required) == 2
