"""From LLVM functions that are written at run time to addresses, through Numba and its cache on disk.

Numba keeps compiled code by the types of a function's arguments. So there is one ordinary function here, and what is to
be compiled reaches it as an argument that has no value, only a type, whose name is a fingerprint of everything that the
machine code depends on. An edit of an emitter, another cell or another width of vectors is another name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import NativeValue, intrinsic, models, register_model, typeof_impl, unbox

from ..jit import compiled

__all__ = ["Source", "addresses"]


class Source:
    """What is to be compiled. key: its fingerprint; emit: writes the functions into a module and returns them."""

    def __init__(self, key: str, emit: Callable[[ir.Module], Sequence[ir.Function]], count: int) -> None:
        self.key, self.emit, self.count = key, emit, count


class SourceType(types.Type):
    """The Numba type of a source, by its key."""

    def __init__(self, source_key: str) -> None:
        super().__init__(name=f"rnnkit[{source_key}]")
        self.source_key = source_key


_sources: dict[str, Source] = {}
register_model(SourceType)(models.OpaqueModel)


@typeof_impl.register(Source)
def _typeof(value: Source, context: Any) -> SourceType:
    _sources[value.key] = value
    return SourceType(value.key)


@unbox(SourceType)  # type: ignore[no-untyped-call,untyped-decorator]
def _unbox(typ: Any, value: Any, c: Any) -> Any:
    return NativeValue(c.context.get_dummy_value())  # type: ignore[no-untyped-call]


@intrinsic
def _written(typingctx: Any, source: Any, into: Any) -> Any:
    """Emits the source's functions and stores their addresses at `into`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        for k, f in enumerate(_sources[source.source_key].emit(builder.module)):
            place = builder.inttoptr(builder.add(arguments[1], ir.IntType(64)(8 * k)), ir.PointerType())
            builder.store(builder.ptrtoint(f, ir.IntType(64)), place, align=8)
        return context.get_dummy_value()

    return types.void(source, types.int64), generate


@compiled
def _entry(source, into):  # type: ignore[no-untyped-def]
    _written(source, into)  # type: ignore[call-arg]


def addresses(source: Source) -> tuple[int, ...]:
    """Compiles, or finds compiled, and returns where the functions begin. They stay for the life of the process."""
    into = np.zeros(source.count, np.int64)
    _entry(source, into.ctypes.data)
    return tuple(int(address) for address in into)
