"""What stands between this machine and the GPU backend, in a sentence; and what there is, for `rnnkit doctor`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

__all__ = ["LEAST_BYTES", "Facts", "NoDevice", "facts", "version_words", "without_tensor_cores"]

LEAST_BYTES = 512 << 20  # of GPU memory: CUDA's context and cuBLAS take most of it before the first array
_LEAST_CAPABILITY = 70  # what the kernels are written for, Volta and later
_LEAST_COMPILED, _SINCE = 75, 13  # what the compilers of this CUDA and of later ones make code for, Turing and later
_LEAST_ROUNDING = 80  # whose tensor cores take float32's exponents, Ampere and later
_LEAST_CUPY = 14
_EXTRAS = "pip install 'rnnkit[cuda13]', or 'rnnkit[cuda12]' for a driver of CUDA 12"
_CPU = "or take backend='auto', which runs on the CPU"
_LIBRARIES = {"nvrtc": "compiles the kernels", "cublas": "multiplies matrices"}


class NoDevice(RuntimeError):
    """There is no GPU here that the kernels can run on."""


class Facts(dict[str, str]):
    """What was found, by name: wheel, runtime, driver, device, in words.

    missing: what the backend lacks, a sentence, or None;  not_installed: whether that is a package
    """

    missing: str | None = None
    not_installed: bool = False

    def lacks(self, sentence: str, package: bool = False) -> Facts:
        self.missing, self.not_installed = sentence, package
        return self


def version_words(number: int) -> str:
    """CUDA's numbers as people write them: 12040 -> "12.4"."""
    return f"{number // 1000}.{number % 1000 // 10}"


def without_tensor_cores(rounding: str, capability: int) -> str | None:
    """Why products are not made of numbers rounded to "tf32" or "bf16" on a GPU of that capability; None: they are."""
    if capability >= _LEAST_ROUNDING:
        return None
    return (
        f"the GPU has compute capability {capability // 10}.{capability % 10}, and tensor cores take {rounding} from "
        f"{_LEAST_ROUNDING // 10}.{_LEAST_ROUNDING % 10} on: take backend='cuda', which rounds nothing"
    )


def facts(
    cupy: Any = None, installed: Callable[[str], object] = find_spec, load: Callable[[str], Any] = import_module
) -> Facts:
    """What there is, up to the first thing that is missing. Starts CUDA on the current device, and computes nothing.

    cupy, installed, load: CuPy, how to ask for a package, and how to import one, unless they are the real ones
    """
    found = Facts()
    if cupy is None:
        if installed("cupy") is None:
            return found.lacks(f"CuPy is not installed: {_EXTRAS}, {_CPU}", package=True)
        try:
            cupy = load("cupy")
        except ImportError as error:
            return found.lacks(f"CuPy is installed and cannot be loaded ({error}): {_EXTRAS}, {_CPU}", package=True)
    runtime = cupy.cuda.runtime
    built, driver = runtime.runtimeGetVersion(), runtime.driverGetVersion()
    found["wheel"] = f"{_wheel(built // 1000)} {cupy.__version__}"
    if int(cupy.__version__.partition(".")[0]) < _LEAST_CUPY:
        return found.lacks(f"CuPy {cupy.__version__} is too old, it takes {_LEAST_CUPY}: {_EXTRAS}", package=True)
    found["runtime"] = f"CUDA {version_words(built)}"
    if not driver:
        return found.lacks(f"there is no NVIDIA driver on this machine: install one, {_CPU}")
    found["driver"] = f"for CUDA {version_words(driver)}"
    if driver // 1000 < built // 1000:
        return found.lacks(
            f"the NVIDIA driver is for CUDA {version_words(driver)} and CuPy was built for {version_words(built)}: "
            f"pip uninstall {_wheel(built // 1000)}, then pip install 'rnnkit[cuda{driver // 1000}]', or a newer driver"
        )
    try:
        count = runtime.getDeviceCount()
    except RuntimeError as error:
        return found.lacks(f"CUDA finds no device ({error}): look at nvidia-smi and CUDA_VISIBLE_DEVICES, {_CPU}")
    if not count:
        return found.lacks(f"CUDA finds no device: look at nvidia-smi and CUDA_VISIBLE_DEVICES, {_CPU}")
    return _device(cupy, found, load)


def _device(cupy: Any, found: Facts, load: Callable[[str], Any]) -> Facts:
    runtime = cupy.cuda.runtime
    here = runtime.getDevice()
    device = runtime.getDeviceProperties(here)
    name = device["name"].decode() if isinstance(device["name"], bytes) else device["name"]
    capability = 10 * device["major"] + device["minor"]
    try:
        free, total = runtime.memGetInfo()
    except RuntimeError as error:
        return found.lacks(f"GPU {here}, {name}, cannot be used ({error}): another process may hold it alone, {_CPU}")
    found["device"] = (
        f"GPU {here}, {name}, compute capability {capability // 10}.{capability % 10}, "
        f"{total / 2**30:.1f} GiB, {free / 2**30:.1f} free"
    )
    if capability < _LEAST_CAPABILITY:
        return found.lacks(
            f"{name} has compute capability {capability // 10}.{capability % 10} and the kernels need "
            f"{_LEAST_CAPABILITY // 10}.{_LEAST_CAPABILITY % 10}, {_CPU}"
        )
    wheel = found["wheel"].split()[0]
    if capability < _LEAST_COMPILED and (major := runtime.runtimeGetVersion() // 1000) >= _SINCE:
        return found.lacks(
            f"{name} has compute capability {capability // 10}.{capability % 10} and CUDA {major} compiles for "
            f"{_LEAST_COMPILED // 10}.{_LEAST_COMPILED % 10} and later: pip uninstall {wheel}, then pip install "
            f"'rnnkit[cuda{_SINCE - 1}]', {_CPU}"
        )
    if free < LEAST_BYTES:
        return found.lacks(
            f"GPU {here} has {free / 2**20:.0f} MiB of free memory and {LEAST_BYTES >> 20} are needed to begin: end "
            f"what else runs there (nvidia-smi tells), {_CPU}"
        )
    libraries = load("cupy_backends.cuda.libs")
    for library, use in _LIBRARIES.items():
        try:
            found_there = getattr(libraries, library)  # looked for in the wheels that may bring it, and loaded
            if library == "nvrtc":  # loaded by its first call only
                found_there.getVersion()
        except (ImportError, RuntimeError, OSError) as error:
            return found.lacks(
                f"the library {library}, which {use}, cannot be loaded ({_first_line(error)}): pip install "
                f"'{wheel}[ctk]'",
                package=True,
            )
    if not _headers(load):
        return found.lacks(
            f"CUDA's headers, without which CuPy compiles nothing, are not found: pip install '{wheel}[ctk]', or set "
            "CUDA_PATH to a CUDA toolkit",
            package=True,
        )
    return found


def _headers(load: Callable[[str], Any]) -> bool:
    """Whether those are there that CuPy hands to the compiler with every text; True where it asks nobody for them."""
    try:
        found = load("cuda.pathfinder").find_nvidia_header_directory("cudart")
    except (ImportError, AttributeError):
        return True
    return found is not None


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _wheel(major: int) -> str:
    """The distribution that CuPy came in."""
    for name in (f"cupy-cuda{major}x", "cupy"):
        try:
            version(name)
        except PackageNotFoundError:
            continue
        return name
    return "cupy"
