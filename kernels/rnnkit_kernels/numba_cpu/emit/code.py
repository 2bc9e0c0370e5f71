"""A little language for writing LLVM IR: whole numbers with operators, loops, choices, loads and stores.

It reads like the C it stands for. Variables live on the stack, for LLVM to promote; addresses are whole numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

__all__ = ["I64", "Code", "Int", "Variable", "function"]

I64 = ir.IntType(64)
_I1, _I8, _I32 = ir.IntType(1), ir.IntType(8), ir.IntType(32)
_POINTER = ir.PointerType()


class Int:
    """A 64-bit whole number of the program that is being written."""

    __slots__ = ("code", "value")

    def __init__(self, code: Code, value: Any) -> None:
        self.code, self.value = code, value

    def _with(self, operation: str, other: Any, reverse: bool = False) -> Int:
        a, b = self.value, self.code.raw(other)
        return Int(self.code, getattr(self.code.b, operation)(*((b, a) if reverse else (a, b))))

    def __add__(self, other: Any) -> Int:
        return self if isinstance(other, int) and other == 0 else self._with("add", other)

    def __mul__(self, other: Any) -> Int:
        return self if isinstance(other, int) and other == 1 else self._with("mul", other)

    def __sub__(self, other: Any) -> Int:
        return self._with("sub", other)

    def __rsub__(self, other: Any) -> Int:
        return self._with("sub", other, reverse=True)

    def __floordiv__(self, other: Any) -> Int:
        return self._with("udiv", other)

    def __mod__(self, other: Any) -> Int:
        return self._with("urem", other)

    def __and__(self, other: Any) -> Int:
        return self._with("and_", other)

    __radd__, __rmul__ = __add__, __mul__

    def compare(self, sign: str, other: Any) -> Any:
        """One bit."""
        return self.code.b.icmp_signed(sign, self.value, self.code.raw(other))

    def least(self, other: Any) -> Int:
        return Int(self.code, self.code.b.select(self.compare("<", other), self.value, self.code.raw(other)))


class Variable:
    """A whole number that changes: `get` and `set`."""

    def __init__(self, code: Code, start: Any) -> None:
        self._code, self._room = code, code.room(I64, align=8)
        self.set(start)

    def get(self) -> Int:
        return Int(self._code, self._code.b.load(self._room, typ=I64))

    def set(self, number: Any) -> None:
        self._code.b.store(self._code.raw(number), self._room)


class Code:
    """Writes into one function.

    b     the builder, where LLVM itself is wanted
    args  the function's arguments, as `Int`
    """

    def __init__(self, f: ir.Function) -> None:
        self.f, self.module = f, f.module
        self._entry = f.append_basic_block("entry")
        self.b = ir.IRBuilder(f.append_basic_block("body"))
        self.args = tuple(Int(self, a) for a in f.args)
        self._variables = ir.IRBuilder(self._entry)
        self._first = self.b.block

    def done(self) -> None:
        """Ends the function."""
        self.b.ret_void()
        self._variables.branch(self._first)

    def raw(self, n: Any) -> Any:
        return n.value if isinstance(n, Int) else I64(n)

    def number(self, n: Any) -> Int:
        return Int(self, self.raw(n))

    def room(self, type_: ir.Type, count: int = 1, align: int = 64) -> Any:
        """Stack memory of the function, as a pointer."""
        memory = self._variables.alloca(type_, size=count)
        memory.align = align
        return memory

    def address(self, pointer: Any) -> Int:
        return Int(self, self.b.ptrtoint(pointer, I64))

    def pointer(self, address: Any) -> Any:
        return self.b.inttoptr(self.raw(address), _POINTER)

    def load(self, address: Any, type_: ir.Type, align: int = 1, fixed: bool = False) -> Any:
        """fixed: nothing writes there while the function runs, so that the load may move out of loops."""
        value = self.b.load(self.pointer(address), align=align, typ=type_)
        if fixed:
            value.set_metadata("invariant.load", self.module.add_metadata([]))
        return value

    def fetch(self, address: Any) -> None:
        """Asks for a line of memory, which need not be anybody's: to read, into the nearest cache, data."""
        f = self._declared("llvm.prefetch.p0", [_POINTER, _I32, _I32, _I32], ir.VoidType())
        self.b.call(f, [self.pointer(address), _I32(0), _I32(3), _I32(1)])

    def word(self, address: Any) -> Int:
        """A whole number that stays what it is while the function runs."""
        return Int(self, self.load(address, I64, align=8, fixed=True))

    def store(self, value: Any, address: Any, align: int = 1) -> None:
        self.b.store(value, self.pointer(address), align=align)

    def intrinsic(self, name: str, vector: ir.VectorType, arguments: int) -> Any:
        """The declaration of `llvm.name` on vectors: as many arguments as given, and the result, of that type."""
        return self._declared(f"llvm.{name}.{_suffix(vector)}", [vector] * arguments, vector)

    def _declared(self, name: str, arguments: list[ir.Type], result: ir.Type) -> Any:
        found = self.module.globals.get(name)
        return found or ir.Function(self.module, ir.FunctionType(result, arguments), name)

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        return self.b.call(self.intrinsic("fma", a.type, 3), [a, b, c])

    def spread(self, scalar: Any, lanes: int) -> Any:
        """A vector of that one value."""
        vector = ir.VectorType(scalar.type, lanes)
        first = self.b.insert_element(vector(ir.Undefined), scalar, _I32(0))
        return self.b.shuffle_vector(first, vector(ir.Undefined), ir.VectorType(_I32, lanes)([0] * lanes))

    def joined(self, value: Any, join: Callable[[Any, Any], Any]) -> Any:
        """All lanes joined, in all lanes: halves first, always in the same order."""
        lanes = width = value.type.count
        while width > 1:
            width //= 2
            order = ir.VectorType(_I32, lanes)([k ^ width for k in range(lanes)])
            value = join(value, self.b.shuffle_vector(value, value, order))
        return value

    def lanes_below(self, count: Any, lanes: int) -> Any:
        """A vector of bits: lane k is set where k < count."""
        numbers = ir.VectorType(_I32, lanes)(list(range(lanes)))
        return self.b.icmp_signed("<", numbers, self.spread(self.b.trunc(self.raw(count), _I32), lanes))

    def masked_load(self, address: Any, type_: ir.VectorType, mask: Any, align: int) -> Any:
        """Lanes that are not set are 0, and their memory is not touched."""
        bits = ir.VectorType(_I1, type_.count)
        f = self._masked("load", type_, [_POINTER, _I32, bits, type_], type_)
        return self.b.call(f, [self.pointer(address), _I32(align), mask, type_([0.0] * type_.count)])

    def masked_store(self, value: Any, address: Any, mask: Any, align: int) -> None:
        bits = ir.VectorType(_I1, value.type.count)
        f = self._masked("store", value.type, [value.type, _POINTER, _I32, bits], ir.VoidType())
        self.b.call(f, [value, self.pointer(address), _I32(align), mask])

    def _masked(self, what: str, vector: ir.VectorType, arguments: list[ir.Type], result: ir.Type) -> Any:
        return self._declared(f"llvm.masked.{what}.{_suffix(vector)}.p0", arguments, result)

    @contextmanager
    def loop(self, start: Any, stop: Any, step: Any = 1) -> Iterator[Int]:
        """for index in range(start, stop, step)"""
        place = self.room(I64, align=8)
        self.b.store(self.raw(start), place)
        test, body, after = (self.f.append_basic_block(name) for name in ("test", "loop", "after"))
        self.b.branch(test)
        self.b.position_at_end(test)
        index = Int(self, self.b.load(place, typ=I64))
        self.b.cbranch(index.compare("<", stop), body, after)
        self.b.position_at_end(body)
        yield index
        self.b.store((index + step).value, place)
        self.b.branch(test)
        self.b.position_at_end(after)

    @contextmanager
    def until(self, variable: Variable, stop: Any) -> Iterator[Int]:
        """while variable < stop: what is written inside moves it on."""
        test, body, after = (self.f.append_basic_block(name) for name in ("test", "loop", "after"))
        self.b.branch(test)
        self.b.position_at_end(test)
        now = variable.get()
        self.b.cbranch(now.compare("<", stop), body, after)
        self.b.position_at_end(body)
        yield now
        self.b.branch(test)
        self.b.position_at_end(after)

    def flag(self, bit: Any) -> Int:
        """1 or 0."""
        return Int(self, self.b.zext(bit, I64))

    def variable(self, start: Any) -> Variable:
        """A whole number that changes."""
        return Variable(self, start)

    @contextmanager
    def when(self, bit: Any) -> Iterator[None]:
        """if bit:"""
        with self.b.if_then(bit):
            yield

    def choose(self, number: Int, cases: Sequence[int]) -> Iterator[int]:
        """for case in choose(number, cases): what is written in the loop's body runs where number == case."""
        after = self.f.append_basic_block("chosen")
        blocks = [self.f.append_basic_block(f"case{case}") for case in cases]
        switch = self.b.switch(number.value, blocks[-1])
        for case, block in zip(cases[:-1], blocks[:-1], strict=True):
            switch.add_case(I64(case), block)
        for case, block in zip(cases, blocks, strict=True):
            self.b.position_at_end(block)
            yield case
            self.b.branch(after)
        self.b.position_at_end(after)

    def call(self, f: ir.Function, *args: Any) -> None:
        self.b.call(f, [self.raw(a) for a in args])


def _suffix(vector: ir.VectorType) -> str:
    return f"v{vector.count}" + ("f32" if isinstance(vector.element, ir.FloatType) else "f64")


def function(module: ir.Module, name: str, arguments: int, inline: bool = False) -> Code:
    """A new function of the module that takes so many whole numbers and returns nothing."""
    f = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * arguments), name)
    f.linkage = "internal"
    f.attributes.add("alwaysinline" if inline else "noinline")
    f.attributes.add("nounwind")
    return Code(f)
