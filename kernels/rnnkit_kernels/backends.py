"""Which kernel runs, and why: `backend("auto" | "numba" | "cuda" ...)`, and `.kernel(cell)` with its `origin`."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from .contract import Cell
from .devices import host
from .elementwise import Elementwise
from .pairs import ConvolutionKernel, Kernel
from .sentences import unknown
from .types import Array

if TYPE_CHECKING:
    from .numba_cpu.pooling.windows import CompiledPooling

__all__ = ["NAMES", "Backend", "ConvolutionKernel", "Kernel", "backend"]

NAMES = ("auto", "cuda", "cuda-bf16", "cuda-tf32", "numba", "numpy")

_ASKED = "asked for by name"
_WITHOUT = "pip install 'rnnkit[numba]' compiles the kernels and makes them several times as fast"


@dataclass(frozen=True)
class Backend:
    """Where kernels run.

    name      "cuda", "cuda-bf16", "cuda-tf32", "numba" or "numpy";  reason: why it was chosen, in words
    place     on a GPU: the `cuda_gpu.place.Place` where its arrays lie; None where they lie in main memory
    rounding  on a GPU: what the factors of a recurrence's products are rounded to, for tensor cores: "tf32" (10 bits
              behind the point), "bf16" (7 bits, those outside of the loop over steps 10), or None. Sums, and all else,
              stay float32; nothing is rounded in float64
    """

    name: str
    reason: str
    place: Any = None
    rounding: str | None = None

    @property
    def xp(self) -> Any:
        """The module that makes arrays where the kernels run, with NumPy's names: NumPy, or CuPy."""
        return np if self.place is None else self.place.xp

    def array(self, a: Any) -> Any:
        """A NumPy array where the kernels run: itself, or a copy on its way there. What is there, or None, stays."""
        return a if self.place is None or a is None else self.place.xp.asarray(a)

    def host(self, a: Any) -> Any:
        """An array in main memory, see `devices.host`."""
        return a if self.place is None else host(a)

    def kernel(self, cell: Cell) -> Kernel:
        """Raises ImportError, naming what is missing, where Numba was asked for and cannot be loaded; where it was only
        to be had, the textbook runs, and a RuntimeWarning says so once."""
        if self.place is not None:
            from .cuda_gpu.kernel import CudaKernel

            return CudaKernel(cell, place=self.place, rounding=self.rounding)
        part = self._part("kernel")
        return Kernel(cell) if part is None else part.CompiledKernel(cell)

    def convolution(self) -> ConvolutionKernel:
        """Raises ImportError as `kernel` does."""
        if self.place is not None:
            from .cuda_gpu.convolution import CudaConvolution

            return CudaConvolution(self.place)
        part = self._part("convolution")
        return ConvolutionKernel() if part is None else part.CompiledConvolution()

    @property
    def elementwise(self) -> Elementwise:
        """What runs over single arrays beside them. Raises ImportError as `kernel` does."""
        if self.place is not None:
            from .cuda_gpu.elementwise import CudaElementwise

            return CudaElementwise(self.place)
        part = self._part("elementwise")
        return Elementwise() if part is None else part.CompiledElementwise()

    def pooling(self) -> CompiledPooling | None:
        """None where layers pool by themselves. Raises ImportError as `kernel` does."""
        part = self._part("pooling")
        return None if part is None else part.CompiledPooling()

    def beside(self) -> AbstractContextManager[AbstractContextManager[Any]]:
        """Two pieces of work that do not need each other: on a GPU they run side by side, else one after the other.

            with kernels.beside() as aside:
                with aside:
                    a()
                b()

        Whoever comes after the block finds both done.
        """
        return nullcontext(nullcontext()) if self.place is None else self.place.beside()

    def at_once(self, first: Callable[[], Any], second: Callable[[], Any]) -> tuple[Any, Any] | None:
        """What two calls of `Kernel.forward_later`, or of `backward_later`, give that do not need each other: on a GPU
        their kernels are launched as one, if they are the same and of one size. None, with nothing done, elsewhere."""
        if self.place is None:
            return None
        from .cuda_gpu.together import at_once

        return at_once(first, second)

    def compiling(self, tell: Callable[[], None]) -> AbstractContextManager[Any]:
        """Within the block `tell` is called whenever something begins to be compiled; what was kept by an earlier
        process, and is only loaded, passes in silence. Raises ImportError as `kernel` does."""
        part = self._part("compiling")
        return nullcontext() if part is None else part.told(tell)

    def _part(self, name: str) -> Any:
        """A module of the compiled backend; None where the textbook is to run."""
        if self.name != "numba":
            return None
        part = _loaded(name)
        if not isinstance(part, ImportError):
            return part
        if self.reason == _ASKED:
            raise ImportError(
                f"backend {self.name!r} needs Numba, which cannot be loaded ({part}): pip install 'rnnkit[numba]', "
                "or take backend='numpy'"
            ) from part
        return None

    def random(self, rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Array:
        """Uniform numbers in [0, 1), drawn in double and cast: a seed's are the same in every dtype and backend."""
        if self.place is not None:
            from .cuda_gpu.random import uniform

            return uniform(self.place, rng, shape, dtype)
        return rng.random(shape).astype(dtype, copy=False)


@lru_cache(maxsize=8)
def _loaded(name: str) -> Any:
    """A module of the compiled backend, or why it cannot be loaded."""
    try:
        return import_module(f".numba_cpu.{name}", __package__)
    except ImportError as error:
        if name == "kernel":
            warnings.warn(
                f"Numba is installed but cannot be loaded ({error}), so everything is computed with NumPy, several "
                "times as slow: pip install --upgrade 'rnnkit[numba]', or say backend='numpy'",
                RuntimeWarning,
                stacklevel=4,
            )
        return error


@lru_cache(maxsize=16)
def backend(name: str = "auto") -> Backend:
    """The backend of that name; "auto" takes the fastest of those on the CPU: a GPU is used where it is asked for,
    since small models are faster without.

    Raises ValueError for a name that this version does not have; ImportError for "numba" and "cuda" where a package is
    missing; NoDevice, a RuntimeError, for "cuda", "cuda-bf16" and "cuda-tf32" where there is no driver, no device, or
    too little of it; each says what to do.
    """
    if name not in NAMES:
        raise unknown("backend", name, NAMES)
    if name.startswith("cuda"):
        return _on_a_gpu(name)
    if name == "numpy":
        return Backend("numpy", _ASKED)
    installed = find_spec("numba") is not None
    if name == "numba" and not installed:
        raise ImportError(f"backend 'numba' needs Numba, which is not installed: {_WITHOUT}")
    if name == "numba":
        return Backend("numba", _ASKED)
    if installed:
        return Backend("numba", "Numba is installed")
    return Backend("numpy", f"Numba is not installed: {_WITHOUT}")


def _on_a_gpu(name: str) -> Backend:
    from .cuda_gpu.missing import NoDevice, facts, without_tensor_cores

    found = facts()
    if found.missing is not None:
        kind = ImportError if found.not_installed else NoDevice
        raise kind(f"backend {name!r} cannot run: {found.missing}")
    from .cuda_gpu.cupy_place import cupy_place

    place, rounding = cupy_place(), name.partition("-")[2] or None
    if rounding is not None and (why := without_tensor_cores(rounding, place.processors()[1])) is not None:
        raise NoDevice(f"backend {name!r} cannot run: {why}")
    return Backend(name, _ASKED, place, rounding=rounding)
