"""CuPy's module, as far as rnnkit asks it for arrays, on the double of `device_double`."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from .device_double import FUNCTIONS, UFUNCS, Device, outside

__all__ = ["device_cupy"]

# What the module makes of nothing, or of an array here or there, with the keywords it takes (cupy/_creation/).
MAKERS: dict[str, set[str]] = {
    "arange": {"dtype"},
    "asarray": {"dtype"},
    "ascontiguousarray": {"dtype"},
    "empty": {"dtype"},
    "full": {"dtype"},
    "ones": {"dtype"},
    "zeros": {"dtype"},
}


def _maker(name: str) -> Any:
    function, takes = getattr(np, name), MAKERS[name]

    def made(*args: Any, **kwargs: Any) -> Device:
        assert set(kwargs) <= takes, f"cupy.{name} with {sorted(kwargs)}"
        if name.startswith("as"):
            if not isinstance(args[0], Device):
                Device.uploads.append(np.shape(args[0]))
            args = (getattr(args[0], "_array", args[0]), *args[1:])
        return outside(function(*args, **kwargs))

    return made


def _only_there(name: str) -> Any:
    """A function that CuPy's module has, for arrays that lie there: what is left in main memory it refuses."""

    def function(*args: Any, **kwargs: Any) -> Any:
        assert any(isinstance(a, (Device, list, tuple)) for a in args)
        return Device.__array_function__(None, getattr(np, name), (), args, kwargs)  # type: ignore[arg-type]

    return function


def _ufunc_there(ufunc: np.ufunc) -> Any:
    return lambda *args, **kwargs: Device.__array_ufunc__(None, ufunc, "__call__", *args, **kwargs)  # type: ignore[arg-type]


device_cupy = SimpleNamespace(ndarray=Device, float32=np.float32, float64=np.float64, int64=np.int64, int32=np.int32)
for _name, _ufunc in UFUNCS.items():
    setattr(device_cupy, _name, _ufunc_there(_ufunc))
for _name in FUNCTIONS:
    setattr(device_cupy, _name, _only_there(_name))
for _name in MAKERS:
    setattr(device_cupy, _name, _maker(_name))
