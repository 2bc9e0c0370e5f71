"""Values of a step as CUDA C++: each operation becomes one line of a function, and a name for what follows.

    F = TextFunctions("float")
    y = F.tanh(F.leaf("s.h", "h[at]") * 2)
    F.lines  ->  ["const real v0 = h[at];", "const real v1 = v0 * real(2);", "const real v2 = tanh_(v1);"]

What each function means is `textbook.functions`'; how it is computed stands in `sources/maths.cuh`.
"""

from __future__ import annotations

import numbers
from typing import Any

__all__ = ["Text", "TextFunctions"]


class Text:
    """A value: the name of a C++ constant, or a literal. truth: whether it is a bool."""

    __slots__ = ("F", "name", "truth")

    def __init__(self, F: TextFunctions, name: str, truth: bool = False) -> None:
        self.F, self.name, self.truth = F, name, truth

    def __repr__(self) -> str:
        return self.name

    def __add__(self, other: Any) -> Text:
        return self.F.line("{} + {}", self, other)

    def __sub__(self, other: Any) -> Text:
        return self.F.line("{} - {}", self, other)

    def __rsub__(self, other: Any) -> Text:
        return self.F.line("{} - {}", other, self)

    def __mul__(self, other: Any) -> Text:
        return self.F.line("{} * {}", self, other)

    def __truediv__(self, other: Any) -> Text:
        return self.F.line("{} / {}", self, other)

    def __rtruediv__(self, other: Any) -> Text:
        return self.F.line("{} / {}", other, self)

    def __neg__(self) -> Text:
        return self.F.line("-{}", self)

    __radd__, __rmul__ = __add__, __mul__


class TextFunctions:
    """F, printing. What sees a whole row (mean, sum, standardize, softmax, products) has been lowered before."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, form: str, *args: Any, truth: bool = False) -> Text:
        """A new constant for an expression in which each {} is a value."""
        name = f"v{len(self.lines)}"
        kind = "bool" if truth else "real"
        self.lines.append(f"const {kind} {name} = {form.format(*(self.real(a) for a in args))};")
        return Text(self, name, truth)

    def load(self, expression: str) -> Text:
        """A new constant read from memory."""
        return self.line(expression.replace("{", "{{").replace("}", "}}"))

    def value(self, a: Any) -> Text:
        """A number as a value, a truth as 1 or 0."""
        return Text(self, self.real(a))

    def real(self, a: Any) -> str:
        if isinstance(a, Text):
            return f"({a.name} ? real(1) : real(0))" if a.truth else a.name
        if isinstance(a, numbers.Real):
            return literal(float(a))
        raise TypeError(f"a value meets a value or a number, got {a!r}")

    def less(self, a: Any, b: Any) -> Text:
        return self.line("{} < {}", a, b, truth=True)

    def where(self, condition: Any, a: Any, b: Any) -> Text:
        if not isinstance(condition, Text):
            return self.value(a if condition else b)
        test = condition.name if condition.truth else f"{condition.name} != real(0)"
        return self.line(f"({test}) ? {{}} : {{}}", a, b)

    def rsqrt(self, a: Any) -> Text:
        return self.line("real(1) / sqrt_({})", a)

    def maximum(self, a: Any, b: Any) -> Text:
        return self.line("maximum_({}, {})", a, b)

    def minimum(self, a: Any, b: Any) -> Text:
        return self.line("minimum_({}, {})", a, b)


def _function(name: str) -> Any:
    return lambda self, a: self.line(f"{name}_({{}})", a)


for _name in "sigmoid tanh relu exp log sqrt abs erf softplus".split():
    setattr(TextFunctions, _name, _function(_name))


def literal(number: float) -> str:
    """A C++ literal of type real with all the digits of a double."""
    if number != number:
        return "real(NAN_)"
    if number in (float("inf"), float("-inf")):
        return "real(INFINITY_)" if number > 0 else "real(-INFINITY_)"
    return f"real({number!r})"
