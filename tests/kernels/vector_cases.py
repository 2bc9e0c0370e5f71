"""The functions of a step compiled for vectors of one kind, to be called on arrays."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite", reason="needs the extra numba")
from llvmlite import binding as llvm
from llvmlite import ir

from rnnkit_kernels import activations, cells
from rnnkit_kernels.numba_cpu.emit.vec import Lanes, Vec, VecFunctions
from rnnkit_kernels.program import trace
from rnnkit_kernels.replay import Replay, back

UNARY = "sigmoid tanh relu exp log sqrt rsqrt abs erf softplus".split()
NAMES = sorted(set(activations.ALL) - {"softmax"})  # softmax sees a row
LSTM = Replay({"h": trace(cells.LSTM()).state["h"]})
ZERO_U = {f"u.{gate}": 0.0 for gate in "ifgo"}
Functions = dict[str, tuple[int, Callable[..., Any]]]

FUNCTIONS: Functions = {name: (1, lambda F, a, name=name: getattr(F, name)(a)) for name in UNARY}
FUNCTIONS |= {f"{name} value": (1, partial(activations.expand, name)) for name in NAMES}
FUNCTIONS |= {f"{name} slope": (3, lambda F, y, a, d, name=name: back(F, name, y, a, d)) for name in NAMES}
FUNCTIONS |= {
    "maximum": (2, lambda F, a, b: F.maximum(a, b)),
    "minimum": (2, lambda F, a, b: F.minimum(a, b)),
    "maximum with 2": (1, lambda F, a: F.maximum(a, 2)),
    "minimum with 2": (1, lambda F, a: F.minimum(2.0, a)),
    "where": (3, lambda F, a, b, c: F.where(F.less(a, b), c, -c)),
    "where of numbers": (2, lambda F, a, b: F.where(F.less(a, b), 1.0, 0.0)),
    "where of a float": (2, lambda F, a, b: F.where(a, b, 7)),
    "less as a number": (2, lambda F, a, b: 3 * F.less(a, b) + 0.5),
    "less of numbers": (1, lambda F, a: F.where(F.less(1, 2), a, 0) + F.where(F.less(2, 1), a, 0)),
    "where of a known condition": (1, lambda F, a: F.where(True, a, 0) + F.where(0.0, a, 0)),
    "operators": (2, lambda F, a, b: (1 - a) / (2 + b * a) - (-a) * 3 + b / 4 + np.float64(2) / (b + 5) - 1),
    "lstm": (5, lambda F, i, f, g, o, c: LSTM(F, {"x.i": i, "x.f": f, "x.g": g, "x.o": o, "s.c": c, **ZERO_U})["h"]),
}


def module(lanes: Lanes, functions: Functions) -> ir.Module:
    """void name(int64 vectors, T *a, ..., T *result) for each function."""
    made, word, pointer = ir.Module(), ir.IntType(64), ir.PointerType()
    for name, (arity, write) in functions.items():
        f = ir.Function(made, ir.FunctionType(ir.VoidType(), [word, *[pointer] * (arity + 1)]), name)
        start, loop, end = (f.append_basic_block(label) for label in ("start", "loop", "end"))
        b = ir.IRBuilder(start)
        b.branch(loop)
        b.position_at_end(loop)
        k = b.phi(word)
        places = [b.gep(p, [b.mul(k, word(lanes.count))], source_etype=lanes.scalar) for p in f.args[1:]]
        loaded = [Vec(b, lanes, b.load(p, typ=lanes.vector, align=lanes.itemsize)) for p in places[:-1]]
        F = VecFunctions(b, lanes)
        b.store(F.value(write(F, *loaded)).value, places[-1], align=lanes.itemsize)
        following = b.add(k, word(1))
        k.add_incoming(word(0), start)
        k.add_incoming(following, loop)
        b.cbranch(b.icmp_signed("<", following, f.args[0]), loop, end)
        b.position_at_end(end)
        b.ret_void()
    return made


@cache
def compiled(lanes: Lanes) -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=2
    )
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(str(module(lanes, FUNCTIONS))), target)
    engine.finalize_object()
    return engine


def run(lanes: Lanes, name: str, *given: Any) -> Any:
    arrays = np.broadcast_arrays(*(np.asarray(a, lanes.dtype) for a in given))
    size, vectors = arrays[0].size, -(-arrays[0].size // lanes.count)
    padded = [np.pad(a.ravel(), (0, vectors * lanes.count - size)) for a in arrays]
    y = np.empty(vectors * lanes.count, lanes.dtype)
    call = ctypes.CFUNCTYPE(None, ctypes.c_int64, *[ctypes.c_void_p] * (len(padded) + 1))
    call(compiled(lanes).get_function_address(name))(vectors, *(a.ctypes.data for a in padded), y.ctypes.data)
    return y[:size]


WIDE = {"float32": Lanes("float32", 16), "float64": Lanes("float64", 8)}
ALL_LANES = [Lanes(dtype, count) for dtype in WIDE for count in (16, 8, 4, 1)]


def line(dtype: str, name: str) -> Any:
    """Points from one end of the function to the other, dense where it bends, at all scales near 0."""
    rng, fi = np.random.default_rng(7), np.finfo(dtype)
    end = math.log(fi.max)
    if name in ("log", "sqrt", "rsqrt"):
        near = 1 + rng.uniform(-0.5, 1, 20000) * 2.0 ** -rng.integers(0, fi.nmant, 20000)
        return np.concatenate([near, np.exp2(rng.uniform(fi.minexp, fi.maxexp, 20000))]).astype(dtype)
    scales = np.exp(rng.uniform(math.log(fi.tiny), math.log(end), 10000)) * rng.choice([-1, 1], 10000)
    return np.concatenate([*(rng.uniform(-w, w, 20000) for w in (1, 10, end)), scales]).astype(dtype)


def units(y: Any, exact: Any, dtype: str) -> Any:
    """|y - exact| in units of the last place of the exact value."""
    fi = np.finfo(dtype)
    exponent = np.frexp(np.abs(exact))[1] - 1
    return np.abs(y.astype(np.longdouble) - exact) / np.ldexp(np.longdouble(1), exponent - fi.nmant)
