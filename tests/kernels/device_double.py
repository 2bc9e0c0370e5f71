"""An array that behaves as CuPy's do, kept in main memory: it dispatches, and never turns into a NumPy array by itself.

What it offers is what `cupy.ndarray` offers. `UFUNCS` and `FUNCTIONS` list what may be called on it; each is there in
CuPy 14.2 under the same name, with the arguments given here. Whoever adds one looks it up in CuPy first. What makes the
host wait for a device is counted: `Device.waits`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple

import numpy as np

UFUNCS = {
    op: getattr(np, op)
    for op in (
        "add", "subtract", "multiply", "divide", "negative", "reciprocal", "absolute", "square", "matmul",
        "exp", "expm1", "log", "log1p", "sqrt", "tanh", "maximum", "minimum", "sign", "floor", "isfinite",
        "less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "invert", "logical_not",
        "bitwise_and", "bitwise_or",
    )
}  # fmt: skip

# Which keywords CuPy's function of that name takes (cupy/_creation/, _sorting/search.py and sort.py, _manipulation/,
# _statistics/, _math/, _logic/truth.py, _indexing/, linalg/_einsum.py). `where` wants its condition to be an array.
FUNCTIONS: dict[str, set[str]] = {
    "any": {"axis", "keepdims"},
    "arange": {"dtype"},
    "argmax": {"axis", "keepdims"},
    "argsort": {"axis", "kind"},
    "array": {"dtype", "copy"},
    "broadcast_to": set(),
    "clip": set(),
    "concatenate": {"axis"},
    "copy": set(),
    "einsum": {"dtype", "optimize"},
    "empty_like": {"dtype", "order", "shape"},
    "eye": {"dtype"},
    "fill_diagonal": set(),
    "full_like": {"dtype", "order", "shape"},
    "max": {"axis", "keepdims"},
    "mean": {"axis", "dtype", "keepdims"},
    "ones": {"dtype"},
    "ones_like": {"dtype", "order", "shape"},
    "partition": {"axis"},
    "real": set(),
    "stack": {"axis"},
    "sum": {"axis", "dtype", "keepdims"},
    "take": {"axis"},
    "take_along_axis": {"axis"},
    "where": set(),
    "zeros_like": {"dtype", "order", "shape"},
}


class Flags(NamedTuple):
    c_contiguous: bool
    f_contiguous: bool


class Device:
    """`Device(array)` moves an array there, `.get()` brings a copy back.

    waits   what has made the host wait since the list was last emptied;  uploads: how many arrays have gone up
    """

    __array_priority__ = 100
    waits: ClassVar[list[str]] = []
    uploads: ClassVar[list[tuple[int, ...]]] = []

    def __init__(self, array: np.ndarray) -> None:
        assert type(array) is np.ndarray
        self._array = array

    def get(self) -> np.ndarray:
        Device.waits.append(f"get {self.shape}")
        return self._array.copy()

    def item(self) -> Any:
        Device.waits.append("item")
        return self._array.item()

    def __float__(self) -> float:
        Device.waits.append("float")
        return float(self._array)

    def __int__(self) -> int:
        Device.waits.append("int")
        return int(self._array)

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy array "
            "explicitly."
        )

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        assert method == "__call__"
        assert UFUNCS.get(ufunc.__name__) is ufunc, f"np.{ufunc.__name__} is not on the list"
        assert set(kwargs) <= {"out", "dtype"}, f"np.{ufunc.__name__} with {sorted(kwargs)}"
        if "out" in kwargs:
            kwargs["out"] = tuple(_inside(o) for o in kwargs["out"])
        return outside(ufunc(*(_inside(v) for v in inputs), **kwargs))

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        name = function.__name__
        assert name in FUNCTIONS, f"np.{name} is not on the list"
        assert set(kwargs) <= FUNCTIONS[name], f"np.{name} with {sorted(kwargs)}"
        if name == "where":
            assert isinstance(args[0], Device), "cupy.where needs an array for its condition"
        if name == "take":
            assert isinstance(args[1], (Device, int)), "an index that lies in main memory goes up in every call"
        if name == "take_along_axis":  # an index that is none goes round
            return outside(np.take_along_axis(args[0]._array, args[1]._array % args[0].shape[-1], **kwargs))
        if name in ("concatenate", "stack"):
            assert all(isinstance(v, Device) for v in args[0]), f"cupy.{name} takes arrays"
            return outside(function([_inside(v) for v in args[0]], *args[1:], **kwargs))
        if name == "fill_diagonal":
            return function(*(_inside(v) for v in args))
        return outside(function(*(_inside(v) for v in args), **kwargs))

    # attributes and methods

    shape = property(lambda self: self._array.shape)
    dtype = property(lambda self: self._array.dtype)
    ndim = property(lambda self: self._array.ndim)
    size = property(lambda self: self._array.size)
    itemsize = property(lambda self: self._array.itemsize)
    nbytes = property(lambda self: self._array.nbytes)
    strides = property(lambda self: self._array.strides)
    flags = property(lambda self: Flags(self._array.flags.c_contiguous, self._array.flags.f_contiguous))
    T = property(lambda self: Device(self._array.T))
    real = property(lambda self: outside(self._array.real))

    def reshape(self, *shape: Any) -> Device:
        return Device(self._array.reshape(*shape))

    def swapaxes(self, first: int, second: int) -> Device:
        return Device(self._array.swapaxes(first, second))

    def astype(self, dtype: Any, copy: bool = True) -> Device:
        return Device(self._array.astype(dtype, copy=copy))

    def copy(self, order: str = "C") -> Device:
        return Device(self._array.copy(order))

    def transpose(self, *axes: int) -> Device:
        return Device(self._array.transpose(*axes))

    def ravel(self) -> Device:
        return Device(self._array.ravel())

    def repeat(self, repeats: int, axis: int | None = None) -> Device:
        return Device(self._array.repeat(repeats, axis))

    def sum(self, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Device:
        return outside(self._array.sum(axis=axis, dtype=dtype, keepdims=keepdims))

    def mean(self, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Device:
        return outside(self._array.mean(axis=axis, dtype=dtype, keepdims=keepdims))

    def any(self, axis: Any = None, keepdims: bool = False) -> Device:
        return outside(self._array.any(axis=axis, keepdims=keepdims))

    def all(self, axis: Any = None, keepdims: bool = False) -> Device:
        return outside(self._array.all(axis=axis, keepdims=keepdims))

    def argmax(self, axis: Any = None, keepdims: bool = False) -> Device:
        return outside(self._array.argmax(axis=axis, keepdims=keepdims))

    def __len__(self) -> int:
        return len(self._array)

    def __iter__(self) -> Iterator[Device]:
        return (self[k] for k in range(len(self)))

    def __bool__(self) -> bool:
        Device.waits.append("bool")
        return bool(self._array)

    def __getitem__(self, key: Any) -> Device:
        kinds = [getattr(getattr(k, "dtype", None), "kind", "") for k in (key if isinstance(key, tuple) else (key,))]
        if "b" in kinds:
            Device.waits.append("choice by flags")
        inside = _key(key)
        if kinds == ["i"]:  # an index that is none goes round
            inside = inside % len(self)
        return outside(self._array[inside])

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(key, Device) and key.dtype == bool and np.ndim(_inside(value)):
            Device.waits.append("choice by flags")  # it asks how many there are
        self._array[_key(key)] = _inside(value)

    __hash__ = None  # type: ignore[assignment]


def _key(key: Any) -> Any:
    assert not isinstance(key, (np.ndarray, list)), "an index that lies in main memory goes up in every call"
    return tuple(_key(k) for k in key) if isinstance(key, tuple) else key._array if isinstance(key, Device) else key


def _inside(value: Any) -> Any:
    """What CuPy takes: its own arrays, and numbers. An array from main memory it refuses."""
    if isinstance(value, Device):
        return value._array
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    return value


def outside(value: Any) -> Device:
    return Device(np.asarray(value))


def _operator(ufunc: np.ufunc, swapped: bool = False) -> Any:
    def operator(self: Device, other: Any) -> Any:
        return self.__array_ufunc__(ufunc, "__call__", *((other, self) if swapped else (self, other)))

    return operator


def _in_place(ufunc: np.ufunc) -> Any:
    def operator(self: Device, other: Any) -> Device:
        self.__array_ufunc__(ufunc, "__call__", self, other, out=(self,))
        return self

    return operator


for _name, _ufunc in (
    ("add", np.add),
    ("sub", np.subtract),
    ("mul", np.multiply),
    ("truediv", np.divide),
    ("matmul", np.matmul),
    ("and", np.bitwise_and),
    ("or", np.bitwise_or),
):
    setattr(Device, f"__{_name}__", _operator(_ufunc))
    setattr(Device, f"__r{_name}__", _operator(_ufunc, swapped=True))
    setattr(Device, f"__i{_name}__", _in_place(_ufunc))
for _name, _ufunc in (
    ("lt", np.less),
    ("le", np.less_equal),
    ("gt", np.greater),
    ("ge", np.greater_equal),
    ("eq", np.equal),
    ("ne", np.not_equal),
):
    setattr(Device, f"__{_name}__", _operator(_ufunc))
Device.__neg__ = lambda self: self.__array_ufunc__(np.negative, "__call__", self)  # type: ignore[attr-defined]
Device.__abs__ = lambda self: self.__array_ufunc__(np.absolute, "__call__", self)  # type: ignore[attr-defined]
Device.__invert__ = lambda self: self.__array_ufunc__(np.invert, "__call__", self)  # type: ignore[attr-defined]
