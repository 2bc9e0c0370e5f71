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

from .contract import Cell, Gradients, Tape
from .devices import host
from .elementwise import Elementwise
from .sentences import unknown
from .steps import Steps
from .textbook import convolution, recurrence
from .types import Array

if TYPE_CHECKING:
    from .numba_cpu.pooling.windows import CompiledPooling
    from .numba_cpu.streaming import CompiledSteps

__all__ = ["NAMES", "Backend", "ConvolutionKernel", "Kernel", "backend"]

NAMES = ("auto", "cuda", "cuda-tf32", "numba", "numpy")

_ASKED = "asked for by name"
_WITHOUT = "pip install 'rnnkit[numba]' compiles the kernels and makes them several times as fast"


@dataclass(frozen=True)
class Kernel:
    """The pair of one cell on one backend; the contract is `contract`'s. `origin` names what really runs."""

    cell: Cell
    origin: str = "textbook"

    def forward(
        self,
        weights: dict[str, Array],
        x: Array,
        state0: dict[str, Array],
        *,
        mask: Array | None = None,
        drop: Array | None = None,
        zone: dict[str, Any] | None = None,
        reset: Array | None = None,
        fresh: dict[str, Array] | None = None,
        tape: bool = True,
    ) -> tuple[Array, dict[str, Array], Tape | None]:
        """tape: False says that nobody will go back; a compiled kernel then keeps nothing, and gives None for it."""
        return recurrence.forward(
            self.cell, weights, x, state0, mask=mask, drop=drop, zone=zone, reset=reset, fresh=fresh
        )

    def backward(
        self,
        tape: Tape,
        dh: Array,
        dstate: dict[str, Array] | None = None,
        *,
        clip: float | None = None,
        dx: bool = True,
    ) -> Gradients:
        """dx: False says that nobody asks for dL/dx, and `Gradients.x` may be None."""
        return recurrence.backward(tape, dh, dstate, clip=clip, dx=dx)

    def steps(
        self, weights: dict[str, Array], state0: dict[str, Array], zone: dict[str, Any] | None = None
    ) -> Steps | CompiledSteps:
        """The cell fed one step at a time, with the weights as they are now; `zone`: shares only."""
        return Steps(self, weights, state0, zone)


@dataclass(frozen=True)
class ConvolutionKernel:
    """The pair of the convolution on one backend; the contract is `textbook.convolution`'s."""

    origin: str = "textbook"

    def forward(
        self, weights: dict[str, Array], x: Array, window: convolution.Window, groups: int = 1
    ) -> tuple[Array, convolution.ConvolutionTape]:
        return convolution.forward(weights, x, window, groups)

    def backward(
        self, tape: convolution.ConvolutionTape, dy: Array, *, dx: bool = True
    ) -> tuple[dict[str, Array], Array | None]:
        return convolution.backward(tape, dy, dx=dx)


@dataclass(frozen=True)
class Backend:
    """Where kernels run.

    name      "cuda", "cuda-tf32", "numba" or "numpy";  reason: why it was chosen, in words
    place     on a GPU: the `cuda_gpu.place.Place` where its arrays lie; None where they lie in main memory
    rounding  on a GPU: what the factors of the products in a recurrence's steps are rounded to, for tensor cores:
              "tf32" (10 bits behind the point), "bf16" (7 bits), or None. Sums, and all else, stay float32; nothing is
              rounded in float64
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
    missing; NoDevice, a RuntimeError, for "cuda" and "cuda-tf32" where there is no driver, no device, or too little of
    it; each says what to do.
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
    from .cuda_gpu.missing import NoDevice, facts

    found = facts()
    if found.missing is not None:
        kind = ImportError if found.not_installed else NoDevice
        raise kind(f"backend {name!r} cannot run: {found.missing}")
    from .cuda_gpu.cupy_place import cupy_place

    return Backend(name, _ASKED, cupy_place(), rounding=name.partition("-")[2] or None)
