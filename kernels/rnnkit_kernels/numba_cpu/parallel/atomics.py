"""Words of memory that threads share, in compiled code: addresses are int64, every word is an int64, aligned to 8.

Also what a thread does while it waits (`pause`, `yield_processor`), the call of a C function by its address (`call`),
the rounding of denormals (`flush_denormals`), and a barrier (`meet`).
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import extending, types

from ..jit import compiled

__all__ = [
    "BARRIER_BYTES",
    "call",
    "compare_exchange",
    "fetch_add",
    "flush_denormals",
    "load",
    "load_acquire",
    "meet",
    "pause",
    "processor",
    "rest",
    "restore_denormals",
    "store",
    "store_release",
    "yield_processor",
]

BARRIER_BYTES = 128
"""A barrier: int64 arrivals, zero before the first use, alone on two cache lines (which processors fetch in pairs)."""

_MACHINE = platform.machine().lower()
_X86 = _MACHINE in ("x86_64", "amd64", "i386", "i686")
_ARM = _MACHINE in ("aarch64", "arm64")
_WORD = ir.IntType(64)
_HALF = ir.IntType(32)
_SPINS = 400  # some ten microseconds of `pause`: parts that began together should not differ by more


def intrinsic(definition: Callable[..., Any]) -> Any:
    """Numba's, whose result takes other arguments than `definition`."""
    return extending.intrinsic(definition)


def _pointer(builder: Any, address: Any) -> Any:
    return builder.inttoptr(address, _WORD.as_pointer())


@intrinsic
def load(typingctx: Any, address: Any) -> Any:
    """The word at `address`; the compiler may read it earlier, or once for many times."""
    return types.int64(types.int64), lambda context, builder, sig, args: builder.load(
        _pointer(builder, args[0]), align=8
    )


@intrinsic
def store(typingctx: Any, address: Any, value: Any) -> Any:
    """Writes `value` at `address`; other threads see it after the next `store_release` or `compare_exchange`."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(args[1], _pointer(builder, args[0]), align=8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@intrinsic
def load_acquire(typingctx: Any, address: Any) -> Any:
    """The word at `address`; what its writer wrote before `store_release` is visible afterwards."""
    return types.int64(types.int64), lambda context, builder, sig, args: builder.load_atomic(
        _pointer(builder, args[0]), ordering="acquire", align=8
    )


@intrinsic
def store_release(typingctx: Any, address: Any, value: Any) -> Any:
    """Writes `value` at `address`, after everything this thread wrote before."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store_atomic(args[1], _pointer(builder, args[0]), ordering="release", align=8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@intrinsic
def fetch_add(typingctx: Any, address: Any, value: Any) -> Any:
    """Adds `value` to the word at `address` in one step and returns what was there before."""
    return types.int64(types.int64, types.int64), lambda context, builder, sig, args: builder.atomic_rmw(
        "add", _pointer(builder, args[0]), args[1], "seq_cst"
    )


@intrinsic
def compare_exchange(typingctx: Any, address: Any, expected: Any, value: Any) -> Any:
    """Writes `value` at `address` if `expected` is there, in one step; returns what was there before."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        result = builder.cmpxchg(_pointer(builder, args[0]), args[1], args[2], "seq_cst", "seq_cst")
        return builder.extract_value(result, 0)

    return types.int64(types.int64, types.int64, types.int64), generate


@intrinsic
def pause(typingctx: Any) -> Any:
    """Tells the processor that this thread waits in a loop: some tens of nanoseconds."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        if _X86:
            builder.call(_external(builder, "llvm.x86.sse2.pause", ir.VoidType(), []), [])
        elif _ARM:
            builder.asm(ir.FunctionType(ir.VoidType(), []), "yield", "", [], side_effect=True)
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def yield_processor(typingctx: Any) -> Any:
    """Lets another thread that is ready have this processor, if there is one."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        name = "SwitchToThread" if sys.platform == "win32" else "sched_yield"
        builder.call(_external(builder, name, _HALF, []), [])
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def processor(typingctx: Any) -> Any:
    """The number of the processor this thread runs on at the moment; -1 where the system does not tell."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        if sys.platform != "linux":
            return ir.Constant(_WORD, -1)
        return builder.sext(builder.call(_external(builder, "sched_getcpu", _HALF, []), []), _WORD)

    return types.int64(), generate


@intrinsic
def call(typingctx: Any, function: Any, *arguments: Any) -> Any:
    """Calls the C function `void f(int64, int64, ...)` at the address `function` with any number of int64."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        address, packed = args
        values = [builder.extract_value(packed, k) for k in range(len(arguments))]
        kind = ir.FunctionType(ir.VoidType(), [_WORD] * len(values))
        builder.call(builder.inttoptr(address, kind.as_pointer()), values)
        return context.get_dummy_value()

    tuple_of: Any = types.BaseTuple.from_types
    return types.void(types.int64, tuple_of([types.int64] * len(arguments))), generate


@intrinsic
def flush_denormals(typingctx: Any) -> Any:
    """Denormal floats count as zero in this thread from now on; returns the setting for `restore_denormals`.

    A denormal operand costs a hundred cycles on many processors, and a vanishing gradient is made of them. To be
    called on both sides of calls by address: the compiler may move arithmetic of the same function across it.
    """

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        if _X86:  # MXCSR: flush to zero (bit 15), denormals are zero (bit 6)
            place = builder.alloca(_HALF)
            builder.call(_control(builder, "llvm.x86.sse.stmxcsr"), [builder.bitcast(place, _bytes())])
            old = builder.load(place)
            builder.store(builder.or_(old, ir.Constant(_HALF, 1 << 15 | 1 << 6)), place)
            builder.call(_control(builder, "llvm.x86.sse.ldmxcsr"), [builder.bitcast(place, _bytes())])
            return builder.zext(old, _WORD)
        if _ARM:  # FPCR: flush to zero (bit 24)
            old = builder.asm(ir.FunctionType(_WORD, []), "mrs $0, fpcr", "=r", [], side_effect=True)
            _set_fpcr(builder, builder.or_(old, ir.Constant(_WORD, 1 << 24)))
            return old
        return ir.Constant(_WORD, 0)

    return types.int64(), generate


@intrinsic
def restore_denormals(typingctx: Any, old: Any) -> Any:
    """Puts back the setting that `flush_denormals` returned, in the same thread."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        if _X86:
            place = builder.alloca(_HALF)
            builder.store(builder.trunc(args[0], _HALF), place)
            builder.call(_control(builder, "llvm.x86.sse.ldmxcsr"), [builder.bitcast(place, _bytes())])
        elif _ARM:
            _set_fpcr(builder, args[0])
        return context.get_dummy_value()

    return types.void(types.int64), generate


def _bytes() -> Any:
    return ir.IntType(8).as_pointer()


def _external(builder: Any, name: str, result: Any, arguments: list[Any]) -> Any:
    known = builder.module.globals.get(name)
    return known or ir.Function(builder.module, ir.FunctionType(result, arguments), name)


def _control(builder: Any, name: str) -> Any:
    return _external(builder, name, ir.VoidType(), [_bytes()])


def _set_fpcr(builder: Any, value: Any) -> None:
    builder.asm(ir.FunctionType(ir.VoidType(), [_WORD]), "msr fpcr, $0", "r", [value], side_effect=True)


@compiled
def meet(barrier: int, participants: int) -> None:
    """Returns when all `participants` threads have called it as often as this one: see `BARRIER_BYTES`.

    The count of arrivals only grows, so there is nothing to reset between two meetings and no thread that is a meeting
    ahead can be mistaken for one that has not come yet. Set the count to zero before another number of participants.
    """
    before = fetch_add(barrier, 1)
    target = before - before % participants + participants
    looks = 0
    while load_acquire(barrier) < target:
        looks += 1
        rest(looks, _SPINS)


@compiled
def rest(looks: int, spins: int) -> None:
    """What to do after the `looks`-th look in vain: pause, and after `spins` looks also let others work at times."""
    pause()
    if looks >= spins and looks % 16 == 0:
        yield_processor()
