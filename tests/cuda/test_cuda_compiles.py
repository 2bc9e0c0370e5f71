"""Every kernel of every cell compiles for sm_80 and sm_90 and keeps its numbers in no more registers than it may."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("numba", reason="needs the extra numba, whose tests' cases these are")

import nvrtc
from compiled_cells import USERS
from cuda_cases import tiles
from kernel_cases import VARIANTS, label
from thinned import thinned

from rnnkit_kernels import cells
from rnnkit_kernels.contract import Cell
from rnnkit_kernels.cuda_gpu.choice import choose
from rnnkit_kernels.cuda_gpu.compiled import CompiledCell, compiled_cell
from rnnkit_kernels.cuda_gpu.emit.division import Division
from rnnkit_kernels.cuda_gpu.emit.places import Options
from rnnkit_kernels.cuda_gpu.source import assembled

ARCHITECTURES = ("sm_80", "sm_90")

# A thread's registers. 512 threads share the 65536 of a multiprocessor at least, 256 if they are doubles, which take
# two each; levels that have no product hold a few values of one row and unit.
MOST = {"float": 128, "double": 256}
POINTWISE = {"float": 96, "double": 128}

_CELLS = (*cells.ALL, *USERS)
_ACTIVATIONS = ("swish", "gelu", "softmax")
_TENSOR, _PAIRS = (Options("float", True, True, rounding) for rounding in ("tf32", "bf16"))
_PLAIN = Options("float", True, True)


def _made(cell: Cell, back: bool, options: Options, height: int) -> CompiledCell:
    """A layer so large that tiles of tensor cores are as wide as they may be, except the lowest."""
    sizes = (1024, 4096) if options.rounding and height > 32 else (64, 256)
    with tiles(height):
        return compiled_cell(cell, back, options, *sizes)


def _text(program: CompiledCell) -> str:
    return assembled(program.options.real, "level.cuh", program.text)


def _assert_in_registers(program: CompiledCell, architecture: str) -> None:
    _, usage = nvrtc.compiled(_text(program), architecture)
    kernels = {launch.kernel for launch in program.launches(64, 256)}
    assert usage.keys() == kernels | {f"{program.prefix}_advance"}
    for name, used in usage.items():
        assert (used.stack, used.spill_stores, used.spill_loads) == (0, 0, 0), f"{name} uses memory of its own: {used}"
        assert used.shared == 0, f"{name} reserves shared memory that a launch knows nothing of: {used}"
        level = name.removeprefix(f"{program.prefix}_level")
        products = level.isdigit() and program.lowered.levels[int(level)].columns
        assert used.registers <= (MOST if products else POINTWISE)[program.options.real], f"{name}: {used}"


def _param(cell: Cell, back: bool, options: Options, height: int, architecture: str, always: bool) -> Any:
    words = [label(cell), "back" if back else "there", options.real]
    words += [word for word in ("masked", "dropped") if getattr(options, word)]
    words += [*filter(None, [options.rounding]), f"{height} rows", architecture]
    marks = [] if always else pytest.mark.slow
    return pytest.param(cell, back, options, height, architecture, id="-".join(words), marks=marks)


def _table() -> list[Any]:
    """What always runs: each built-in cell in float, both ways, in the largest tile, and some of what else there is."""
    found = []
    for cell, back in product(_CELLS, (False, True)):
        built_in, some = cell in cells.ALL, cell.name in ("SimpleRNN", "LSTM")
        found.append(_param(cell, back, _PLAIN, 32, "sm_90", built_in))
        if not built_in:
            continue
        found += [
            _param(cell, back, _PLAIN, 32, "sm_80", some),
            _param(cell, back, _PLAIN, 8, "sm_90", some),
            _param(cell, back, Options(), 16, "sm_80", some),
            _param(cell, back, Options("double", True, True), 32, "sm_90", some),
            _param(cell, back, Options("double"), 8, "sm_80", False),
            _param(cell, back, _TENSOR, 128, "sm_90", some),
            _param(cell, back, _TENSOR, 32, "sm_80", False),
            _param(cell, back, _PAIRS, 128, "sm_80", some),
        ]
        if some:
            found += [_param(cell, back, _PAIRS, height, "sm_90", True) for height in (32, 64)]
    for architecture, back in zip(ARCHITECTURES, (False, True), strict=True):
        for real, masked, dropped, height in product(("float", "double"), (True, False), (True, False), (8, 16)):
            found.append(_param(cells.GRU(), back, Options(real, masked, dropped), height, architecture, False))
        for options in (_TENSOR, _PAIRS, Options(rounding="bf16")):
            found.append(_param(cells.GRU(), back, options, 64, architecture, False))
    for cell in (v for v in VARIANTS if v.name == "SimpleRNN" and v not in cells.ALL):
        for back in (False, True):
            found.append(_param(cell, back, _PLAIN, 32, "sm_90", cell.activation in _ACTIVATIONS))
    return thinned({param.id: param for param in found}.values(), 2)


@nvrtc.NEEDS_NVRTC
@pytest.mark.parametrize(("cell", "back", "options", "height", "architecture"), _table())
def test_a_kernel_keeps_to_its_registers(
    cell: Cell, back: bool, options: Options, height: int, architecture: str
) -> None:
    _assert_in_registers(_made(cell, back, options, height), architecture)


def _persistent() -> list[Any]:
    """Each division once. What always runs: each built-in cell both ways in float, in its largest divisions of 256 and
    of 128 units, and where weights crowd a kernel before Hopper."""
    found: dict[Any, Any] = {}
    sizes = [*product((500,), (20, 64, 128, 256), ("float",)), (64, 256, "float"), (500, 160, "double")]
    for cell, back, (rows, units, real), gpu in product(cells.ALL, (False, True), sizes, ((132, 90), (132, 80))):
        division = choose(cell, back, units, rows, 4 if real == "float" else 8, *gpu)
        crowded = gpu[1] < 90 and back and units == 64
        large = rows == 500 and units in (128, 256)
        always = real == "float" and (large or crowded)
        case = cell, back, real, division, f"sm_{gpu[1]}"
        if division is None or (case in found and not always) or (gpu[1] < 90 and not always):
            continue
        words = [label(cell), "back" if back else "there", real, f"{rows} rows", f"{units} units", case[-1]]
        found[case] = pytest.param(*case, id="-".join(words), marks=[] if always else pytest.mark.slow)
    return list(found.values())


@nvrtc.NEEDS_NVRTC
@pytest.mark.parametrize(("cell", "back", "real", "division", "architecture"), _persistent())
def test_a_kernel_that_takes_all_steps_spills_nothing_where_it_is_chosen(
    cell: Cell, back: bool, real: str, division: Division, architecture: str
) -> None:
    program = compiled_cell(cell, back, Options(real, True, True), 64, division.units, division)
    (launch,) = program.launches(64, division.units)
    nvrtc.assert_in_registers(assembled(real, "persistent.cuh", program.text), launch, architecture)


@pytest.mark.parametrize("cell", _CELLS, ids=label)
@pytest.mark.parametrize("back", [False, True], ids=["there", "back"])
def test_the_same_cell_prints_the_same_text(cell: Cell, back: bool) -> None:
    program = _made(cell, back, _PLAIN, 32)
    other = CompiledCell(replace(cell), back, _PLAIN, None, program.tiles)
    assert other.text == program.text
    assert other.launches(64, 256) == program.launches(64, 256)


def test_a_text_does_not_depend_on_the_order_in_which_python_keeps_sets() -> None:
    texts = {_in_a_process_of_its_own(seed) for seed in ("0", "1", "2")}
    assert len(texts) == 1


def _in_a_process_of_its_own(seed: str) -> str:
    root = Path(__file__).parents[2]
    code = (
        "import hashlib\n"
        "from rnnkit_kernels import cells\n"
        "from rnnkit_kernels.cuda_gpu.compiled import compiled_cell\n"
        "from rnnkit_kernels.cuda_gpu.emit.places import Options\n"
        "texts = [compiled_cell(c, b, Options(), 64, 256).text for c in cells.ALL for b in (False, True)]\n"
        "print(hashlib.sha256(''.join(texts).encode()).hexdigest())"
    )
    environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": f"{root}:{root / 'kernels'}"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


@nvrtc.NEEDS_NVRTC
def test_the_report_tells_a_kernel_that_spills_from_one_that_does_not() -> None:
    text = """
extern "C" __global__ void quiet(float* a) { a[threadIdx.x] += 1; }
extern "C" __global__ void spilling(float* a, int at) {
  float own[64];
  for (int i = 0; i < 64; ++i) own[i] = a[i];
  own[at] = 1;
  for (int i = 0; i < 64; ++i) a[i] = own[(i * at) % 64];
}
extern "C" __global__ void __launch_bounds__(1024, 2) crowded(float* a) {
  float own[96];
#pragma unroll
  for (int i = 0; i < 96; ++i) own[i] = a[i * 1024 + threadIdx.x];
  __syncthreads();
#pragma unroll
  for (int i = 0; i < 96; ++i) a[i * 1024 + threadIdx.x] = own[95 - i] * own[i / 2];
}"""
    cubin, usage = nvrtc.compiled(text, "sm_90")
    assert cubin[:4] == b"\x7fELF"
    assert usage.keys() == {"quiet", "spilling", "crowded"}
    assert 0 < usage["quiet"].registers < 32
    assert (usage["quiet"].stack, usage["quiet"].spill_stores) == (0, 0)
    assert usage["spilling"].stack >= 256
    assert usage["crowded"].spill_stores > 0
    assert usage["crowded"].spill_loads > 0


@nvrtc.NEEDS_NVRTC
def test_a_text_that_does_not_compile_is_refused_with_the_compilers_words() -> None:
    with pytest.raises(AssertionError, match=r"sm_80: kernels\.cu\(1\): error"):
        nvrtc.compiled("this is no kernel;", "sm_80")
