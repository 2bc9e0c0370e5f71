"""The functions of a step on LLVM vectors: a traced program replayed on `VecFunctions` becomes straight-line code.

`Replay(outputs)(VecFunctions(builder, lanes), leaves)` writes one instruction or a few for every operation, on all
lanes at once, and no branch: nothing here looks at another lane or another unit.

Only `contract` is allowed of the fast-math flags: LLVM may fuse a product into a sum and nothing else, so NaN,
infinity and the sign of zero go where they go on arrays. Only generic vector instructions are used: the same code is
AVX-512 with 16 lanes of float32, AVX2 with 8 and NEON with 4.
"""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from . import maths

__all__ = ["Lanes", "Vec", "VecFunctions"]

_FUSE = ("contract",)
_BITS = {"float32": 32, "float64": 64}
_I1 = ir.IntType(1)


@dataclass(frozen=True)
class Lanes:
    """How a vector is made: `count` numbers (1, 2, 4, 8, 16 ...) of `dtype`, "float32" or "float64".

    Raises ValueError for another dtype or a count below 1.
    """

    dtype: str
    count: int

    def __post_init__(self) -> None:
        if self.dtype not in _BITS:
            raise ValueError(f"lanes hold float32 or float64, got {self.dtype!r}: cast before")
        if self.count < 1:
            raise ValueError(f"a vector has 1 lane or more, got {self.count}")

    @property
    def scalar(self) -> ir.Type:
        return ir.FloatType() if self.dtype == "float32" else ir.DoubleType()

    @property
    def vector(self) -> ir.VectorType:
        return ir.VectorType(self.scalar, self.count)

    @property
    def integer(self) -> ir.VectorType:
        """As many whole numbers, each as wide as a lane."""
        return ir.VectorType(ir.IntType(_BITS[self.dtype]), self.count)

    @property
    def itemsize(self) -> int:
        """Bytes of one lane."""
        return _BITS[self.dtype] // 8

    @property
    def bytes(self) -> int:
        """Bytes of the whole vector."""
        return self.itemsize * self.count


class Vec:
    """One vector of the code that is being written, with operators; the other side may be a number.

    value: of type `lanes.vector`, or one bit a lane where it comes from `VecFunctions.less`; there, as on arrays, a
    set bit counts as 1 in arithmetic.
    """

    __slots__ = ("builder", "lanes", "value")
    __array_ufunc__ = None  # a NumPy number on the left leaves the operation to us

    def __init__(self, builder: ir.IRBuilder, lanes: Lanes, value: Any) -> None:
        self.builder, self.lanes, self.value = builder, lanes, value

    def _with(self, instruction: str, a: Any, b: Any) -> Vec:
        a, b = (_raw(self.builder, self.lanes, v) for v in (a, b))
        return Vec(self.builder, self.lanes, getattr(self.builder, instruction)(a, b, flags=_FUSE))

    def __add__(self, other: Any) -> Vec:
        return self._with("fadd", self, other)

    def __radd__(self, other: Any) -> Vec:
        return self._with("fadd", other, self)

    def __sub__(self, other: Any) -> Vec:
        return self._with("fsub", self, other)

    def __rsub__(self, other: Any) -> Vec:
        return self._with("fsub", other, self)

    def __mul__(self, other: Any) -> Vec:
        return self._with("fmul", self, other)

    def __rmul__(self, other: Any) -> Vec:
        return self._with("fmul", other, self)

    def __truediv__(self, other: Any) -> Vec:
        return Vec(self.builder, self.lanes, _divide(self.builder, self.lanes, self, other))

    def __rtruediv__(self, other: Any) -> Vec:
        return Vec(self.builder, self.lanes, _divide(self.builder, self.lanes, other, self))

    def __neg__(self) -> Vec:
        return Vec(self.builder, self.lanes, self.builder.fneg(_raw(self.builder, self.lanes, self)))


def _divide(builder: ir.IRBuilder, lanes: Lanes, a: Any, b: Any) -> Any:
    return builder.fdiv(_raw(builder, lanes, a), _raw(builder, lanes, b))


def _raw(builder: ir.IRBuilder, lanes: Lanes, x: Any) -> Any:
    """The LLVM value of a `Vec` or a number, as a vector of floats."""
    if isinstance(x, Vec):
        if x.value.type == lanes.vector:
            return x.value
        return builder.select(x.value, _constant(lanes, 1.0), _constant(lanes, 0.0))
    if isinstance(x, numbers.Real):
        return _constant(lanes, float(x))
    raise TypeError(f"a vector meets a vector or a number, got {x!r}")


def _constant(lanes: Lanes, number: float) -> Any:
    return lanes.vector([number] * lanes.count)


class VecFunctions:
    """F, on vectors: each function takes `Vec`s or numbers and means what `textbook.functions.Arrays` means by it.

    What sees a whole row (mean, sum, standardize, softmax, products) is the tile's, not a vector's.
    """

    def __init__(self, builder: ir.IRBuilder, lanes: Lanes) -> None:
        self.builder, self.lanes = builder, lanes

    def constant(self, number: float) -> Vec:
        """The number in all lanes."""
        return self.vec(_constant(self.lanes, float(number)))

    def value(self, x: Any) -> Vec:
        """A `Vec` of floats: a number becomes all its lanes, a set bit becomes 1."""
        return self.vec(self.raw(x))

    def vec(self, value: Any) -> Vec:
        """A `Vec` of an LLVM value."""
        return Vec(self.builder, self.lanes, value)

    def raw(self, x: Any) -> Any:
        """The LLVM value of `value(x)`."""
        return _raw(self.builder, self.lanes, x)

    def call(self, name: str, *args: Any) -> Vec:
        """LLVM's own function of that name, lane by lane."""
        t, module = self.lanes.vector, self.builder.module
        full = f"llvm.{name}.v{self.lanes.count}f{8 * self.lanes.itemsize}"
        f = module.globals.get(full) or ir.Function(module, ir.FunctionType(t, [t] * len(args)), full)
        return self.vec(self.builder.call(f, [self.raw(a) for a in args]))

    def fma(self, a: Any, b: Any, c: Any) -> Vec:
        """a b + c, rounded once where the machine can, and twice where it would have to call a library for that."""
        return self.call("fmuladd", a, b, c)

    def less(self, a: Any, b: Any) -> Vec:
        """One bit a lane; not set where either is NaN."""
        return self.vec(self.builder.fcmp_ordered("<", self.raw(a), self.raw(b)))

    def where(self, condition: Any, a: Any, b: Any) -> Vec:
        """a where the bit is set, or the number is not 0."""
        if not isinstance(condition, Vec):
            return self.value(a if condition else b)
        bits = condition.value
        if bits.type.element != _I1:
            bits = self.builder.fcmp_unordered("!=", bits, _constant(self.lanes, 0.0))
        return self.vec(self.builder.select(bits, self.raw(a), self.raw(b)))

    def maximum(self, a: Any, b: Any) -> Vec:
        return self._extreme(">", a, b)

    def minimum(self, a: Any, b: Any) -> Vec:
        return self._extreme("<", a, b)

    def _extreme(self, sign: str, a: Any, b: Any) -> Vec:
        """NaN passes from either side. A comparison with NaN is false: it chooses b, which a number is not."""
        if _is_number(b):
            a, b = b, a
        a_, b_ = self.raw(a), self.raw(b)
        chosen = self.builder.select(self.builder.fcmp_ordered(sign, a_, b_), a_, b_)
        if not _is_number(a):
            chosen = self.builder.select(self.builder.fcmp_unordered("uno", a_, a_), a_, chosen)
        return self.vec(chosen)

    def relu(self, a: Any) -> Vec:
        """max(a, 0) by selection; NaN passes, and -0 becomes 0."""
        a, zero = self.raw(a), _constant(self.lanes, 0.0)
        return self.vec(self.builder.select(self.builder.fcmp_ordered("<=", a, zero), zero, a))

    def abs(self, a: Any) -> Vec:
        return self.call("fabs", a)

    def sqrt(self, a: Any) -> Vec:
        return self.call("sqrt", a)

    def rsqrt(self, a: Any) -> Vec:
        return 1.0 / self.sqrt(a)

    def exp(self, a: Any) -> Vec:
        return maths.exp(self, self.value(a))

    def log(self, a: Any) -> Vec:
        return maths.log(self, self.value(a))

    def sigmoid(self, a: Any) -> Vec:
        return maths.sigmoid(self, self.value(a))

    def tanh(self, a: Any) -> Vec:
        return maths.tanh(self, self.value(a))

    def erf(self, a: Any) -> Vec:
        return maths.erf(self, self.value(a))

    def softplus(self, a: Any) -> Vec:
        return maths.softplus(self, self.value(a))


def _is_number(x: Any) -> bool:
    return not isinstance(x, Vec) and not math.isnan(x)
