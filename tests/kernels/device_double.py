"""An array that behaves as CuPy's do, kept in main memory: it dispatches, and never turns into a NumPy array by itself.

What it offers is what `cupy.ndarray` offers. `UFUNCS` and `FUNCTIONS` list what the kernels may call on it; each is
there in CuPy under the same name, with the arguments given here. Whoever adds one looks it up in CuPy first.
"""

from __future__ import annotations

from typing import Any

import numpy as np

UFUNCS = {
    op: getattr(np, op)
    for op in (
        "add", "subtract", "multiply", "divide", "negative", "reciprocal", "absolute", "square", "matmul",
        "exp", "log", "log1p", "sqrt", "tanh", "maximum", "minimum",
        "less", "less_equal", "greater", "greater_equal", "equal", "invert", "logical_not",
    )
}  # fmt: skip

# Which keywords CuPy's function of that name takes (cupy/_creation/basic.py, _sorting/search.py, _manipulation/join.py,
# _statistics/order.py, _math/sumprod.py, _math/arithmetic.py). `where` wants its condition to be an array.
FUNCTIONS: dict[str, set[str]] = {
    "empty_like": {"dtype", "order", "shape"},
    "zeros_like": {"dtype", "order", "shape"},
    "where": set(),
    "real": set(),
    "concatenate": {"axis"},
    "max": {"axis", "keepdims"},
    "sum": {"axis", "dtype", "keepdims"},
}


class Device:
    """`Device(array)` moves an array there, `.get()` brings a copy back."""

    __array_priority__ = 100

    def __init__(self, array: np.ndarray) -> None:
        assert type(array) is np.ndarray
        self._array = array

    def get(self) -> np.ndarray:
        return self._array.copy()

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy array "
            "explicitly."
        )

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        assert method == "__call__"
        assert UFUNCS.get(ufunc.__name__) is ufunc, f"np.{ufunc.__name__} is not on the list"
        assert set(kwargs) <= {"out"}, f"np.{ufunc.__name__} with {sorted(kwargs)}"
        if "out" in kwargs:
            kwargs["out"] = tuple(_inside(o) for o in kwargs["out"])
        return _outside(ufunc(*(_inside(v) for v in inputs), **kwargs))

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        name = function.__name__
        assert name in FUNCTIONS, f"np.{name} is not on the list"
        assert set(kwargs) <= FUNCTIONS[name], f"np.{name} with {sorted(kwargs)}"
        if name == "where":
            assert isinstance(args[0], Device), "cupy.where needs an array for its condition"
        if name == "concatenate":
            return _outside(function([_inside(v) for v in args[0]], *args[1:], **kwargs))
        return _outside(function(*(_inside(v) for v in args), **kwargs))

    # attributes and methods

    shape = property(lambda self: self._array.shape)
    dtype = property(lambda self: self._array.dtype)
    ndim = property(lambda self: self._array.ndim)
    size = property(lambda self: self._array.size)
    flags = property(lambda self: self._array.flags)
    T = property(lambda self: Device(self._array.T))
    real = property(lambda self: _outside(self._array.real))

    def reshape(self, *shape: Any) -> Device:
        return Device(self._array.reshape(*shape))

    def swapaxes(self, first: int, second: int) -> Device:
        return Device(self._array.swapaxes(first, second))

    def astype(self, dtype: Any, copy: bool = True) -> Device:
        return Device(self._array.astype(dtype, copy=copy))

    def copy(self, order: str = "C") -> Device:
        return Device(self._array.copy(order))

    def sum(self, axis: Any = None, keepdims: bool = False) -> Device:
        return _outside(self._array.sum(axis=axis, keepdims=keepdims))

    def mean(self, axis: Any = None, keepdims: bool = False) -> Device:
        return _outside(self._array.mean(axis=axis, keepdims=keepdims))

    def any(self) -> Device:
        return _outside(self._array.any())

    def all(self) -> Device:
        return _outside(self._array.all())

    def __len__(self) -> int:
        return len(self._array)

    def __bool__(self) -> bool:
        return bool(self._array)

    def __getitem__(self, key: Any) -> Device:
        return _outside(self._array[_key(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        self._array[_key(key)] = _inside(value)

    __hash__ = None  # type: ignore[assignment]


def _key(key: Any) -> Any:
    return tuple(_key(k) for k in key) if isinstance(key, tuple) else key._array if isinstance(key, Device) else key


def _inside(value: Any) -> Any:
    """What CuPy takes: its own arrays, and numbers. An array from main memory it refuses."""
    if isinstance(value, Device):
        return value._array
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    return value


def _outside(value: Any) -> Device:
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
):
    setattr(Device, f"__{_name}__", _operator(_ufunc))
Device.__neg__ = lambda self: self.__array_ufunc__(np.negative, "__call__", self)  # type: ignore[attr-defined]
Device.__abs__ = lambda self: self.__array_ufunc__(np.absolute, "__call__", self)  # type: ignore[attr-defined]
Device.__invert__ = lambda self: self.__array_ufunc__(np.invert, "__call__", self)  # type: ignore[attr-defined]
