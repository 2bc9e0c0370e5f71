"""What the doubles of CuPy take for granted is in CuPy: names, arguments, and how it has a text compiled. No GPU."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import numpy as np
import pytest
from nvrtc import NEEDS_NVRTC, OPTIONS

from rnnkit_kernels import cells
from rnnkit_kernels.cuda_gpu.compiled import compiled_cell
from rnnkit_kernels.cuda_gpu.cupy_place import CupyModule
from rnnkit_kernels.cuda_gpu.emit.places import Options
from rnnkit_kernels.cuda_gpu.source import assembled
from tests.kernels.device_cupy import MAKERS
from tests.kernels.device_double import FUNCTIONS, UFUNCS, Device

cupy = pytest.importorskip("cupy", reason="CuPy is not installed")


def takes(function: Any, keywords: set[str]) -> bool:
    parameters = inspect.signature(function).parameters
    anything = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    return anything or keywords <= set(parameters)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_of_numpy_finds_cupy_s_with_the_same_keywords(name: str) -> None:
    """By the path that `cupy.ndarray.__array_function__` takes: the module of NumPy's function, and its name."""
    function = getattr(np, name)
    module = functools.reduce(getattr, function.__module__.split(".")[1:], cupy)
    assert takes(getattr(module, function.__name__), FUNCTIONS[name])


@pytest.mark.parametrize("name", MAKERS)
def test_what_makes_arrays_takes_the_same_keywords(name: str) -> None:
    assert takes(getattr(cupy, name), MAKERS[name])


def test_every_ufunc_is_one_of_cupy_s_too() -> None:
    missing = [
        name for name in UFUNCS if not hasattr(getattr(cupy, name, None), "nin" if name != "matmul" else "__call__")
    ]
    assert missing == []


def test_an_array_has_every_attribute_that_its_double_has() -> None:
    names = {name for name in dir(Device) if not name.startswith("_")} - {"waits", "uploads"}
    assert [name for name in sorted(names) if not hasattr(cupy.ndarray, name)] == []


def test_cupy_can_be_told_what_products_round_to() -> None:
    kinds = cupy._core._routines_linalg
    assert kinds.COMPUTE_TYPE_DEFAULT != kinds.COMPUTE_TYPE_TF32
    assert cupy._core.get_compute_type.__doc__.startswith("get_compute_type(dtype)")
    assert cupy._core.set_compute_type.__doc__.startswith("set_compute_type(dtype, compute_type)")


def test_a_kernel_is_called_with_a_grid_a_block_arguments_and_shared_memory() -> None:
    assert "self, grid, block, args, \\*, shared_mem=0" in cupy.RawKernel.__call__.__doc__


@NEEDS_NVRTC
@pytest.mark.parametrize("architecture", ["sm_75", "sm_90", "sm_120"])
def test_cupy_s_own_compiler_and_options_make_a_binary_of_a_text(architecture: str) -> None:
    """What `RawModule` does but for finding out the architecture, which needs a device: `-arch=sm_*` gives a cubin."""
    from cupy._core import core
    from cupy.cuda import compiler

    given: dict[str, Any] = {}
    text = assembled("float", "level.cuh", compiled_cell(cells.LSTM(), False, Options(), 64, 256).text)
    CupyModule(type("Asked", (), {"RawModule": staticmethod(lambda **asked: given.update(asked))}), text, "forward")
    try:
        options = core.assemble_cupy_compiler_options(given["options"])
    except RuntimeError as error:
        pytest.skip(f"CUDA's headers are not installed: {error}")
    added = [option for option in options if option not in given["options"]]
    assert all(option.startswith("-I") for option in added), added
    assert {"-ftz=true", *given["options"]} <= set(OPTIONS)
    own = "-ftz=true", f"-arch={architecture}", "--device-as-default-execution-space"
    program = compiler._NVRTCProgram(given["code"], "kernels.cu", method="cubin")
    cubin, _ = program.compile((*options, *own))
    assert cubin[:4] == b"\x7fELF"
