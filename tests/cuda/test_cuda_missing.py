"""What a machine lacks for the GPU backend, told in a sentence that says what to do."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from recording_cupy import RecordingCupy

from rnnkit_kernels import backends
from rnnkit_kernels.backends import backend
from rnnkit_kernels.cuda_gpu import cupy_place, missing
from rnnkit_kernels.cuda_gpu.missing import facts, version_words

DEVICE = {"name": b"NVIDIA H200", "major": 9, "minor": 0}
VOLTA = {"name": b"Tesla V100", "major": 7, "minor": 0}


def machine(
    *, version: str = "14.2.0", built: int = 13020, driver: int = 13000, count: Any = 1, free: int = 130 << 30,
    device: dict[str, Any] = DEVICE, held: bool = False,
) -> Any:  # fmt: skip
    """CuPy on a machine, as far as it is asked what there is."""

    def devices() -> int:
        if isinstance(count, Exception):
            raise count
        return int(count)

    def memory() -> tuple[int, int]:
        if held:
            raise RuntimeError("cudaErrorDevicesUnavailable")
        return free, 139 << 30

    runtime = SimpleNamespace(
        runtimeGetVersion=lambda: built, driverGetVersion=lambda: driver, getDeviceCount=devices,
        getDevice=lambda: 0, getDeviceProperties=lambda _: device, memGetInfo=memory,
    )  # fmt: skip
    return SimpleNamespace(__version__=version, cuda=SimpleNamespace(runtime=runtime))


def headers(where: str | None = "/usr/local/cuda/include") -> Any:
    """What finds CUDA's headers."""
    return SimpleNamespace(find_nvidia_header_directory=lambda name: where if name == "cudart" else None)


def library(name: str) -> Any:
    """CuPy's package of libraries, all of them there, and of headers."""
    if name == "cuda.pathfinder":
        return headers()
    assert name == "cupy_backends.cuda.libs"
    return SimpleNamespace(nvrtc=SimpleNamespace(getVersion=lambda: (13, 2)), cublas=SimpleNamespace())


def test_a_machine_that_has_everything_lacks_nothing_and_tells_what_it_has() -> None:
    found = facts(machine(), load=library)
    assert found.missing is None
    assert found["runtime"] == "CUDA 13.2"
    assert found["driver"] == "for CUDA 13.0"
    assert found["wheel"].endswith(" 14.2.0")
    assert found["device"] == "GPU 0, NVIDIA H200, compute capability 9.0, 139.0 GiB, 130.0 free"


LACKING = {
    "no driver": (machine(driver=0), "there is no NVIDIA driver on this machine", False),
    "wrong major": (machine(driver=12040), r"for CUDA 12.4 and CuPy was built for 13.2.*rnnkit\[cuda12\]", False),
    "no device": (machine(count=0), "CUDA finds no device: look at nvidia-smi", False),
    "hidden": (machine(count=RuntimeError("cudaErrorNoDevice")), r"finds no device \(cudaErrorNoDevice\)", False),
    "old": (machine(device=DEVICE | {"major": 6, "minor": 1}), "capability 6.1 and the kernels need 7.0", False),
    "old for CUDA 13": (
        machine(device=VOLTA),
        r"V100 has compute capability 7.0 and CUDA 13 compiles for 7.5 and later: pip uninstall .*rnnkit\[cuda12\]",
        False,
    ),
    "full": (machine(free=100 << 20), "100 MiB of free memory and 512 are needed", False),
    "held": (machine(held=True), r"cannot be used \(cudaErrorDevicesUnavailable\)", False),
    "old CuPy": (machine(version="13.6.0"), r"CuPy 13.6.0 is too old, it takes 14.*rnnkit\[cuda13\]", True),
}


@pytest.mark.parametrize("given", LACKING.values(), ids=LACKING.keys())
def test_what_is_missing_is_named_with_what_to_do(given: Any) -> None:
    cupy, sentence, is_package = given
    found = facts(cupy, load=library)
    assert found.not_installed is is_package
    with pytest.raises(ValueError, match=sentence):
        raise ValueError(found.missing)


def test_a_driver_that_is_newer_than_the_wheel_will_do() -> None:
    assert facts(machine(built=12090, driver=13000), load=library).missing is None
    assert facts(machine(built=13020, driver=13000), load=library).missing is None


def test_a_gpu_that_cuda_13_has_dropped_runs_with_cuda_12_and_the_next_one_with_both() -> None:
    assert facts(machine(device=VOLTA, built=12090), load=library).missing is None
    assert facts(machine(device=VOLTA | {"minor": 5}), load=library).missing is None


def test_without_cupy_the_extras_are_named() -> None:
    found = facts(installed=lambda _: None)
    assert found.not_installed
    assert found == {}
    assert found.missing is not None
    assert "CuPy is not installed: pip install 'rnnkit[cuda13]', or 'rnnkit[cuda12]'" in found.missing


def test_a_cupy_that_cannot_be_loaded_says_why() -> None:
    def broken(name: str) -> Any:
        raise ImportError("libcuda.so.1")

    found = facts(installed=lambda _: True, load=broken)
    assert found.not_installed
    assert "cannot be loaded (libcuda.so.1)" in str(found.missing)


class _Lacking:
    """The package where one library is not to be found: cuBLAS is looked for at once, NVRTC by its first call."""

    def __init__(self, lost: str) -> None:
        self._lost = lost

    @property
    def cublas(self) -> Any:
        return self._refuse() if self._lost == "cublas" else SimpleNamespace()

    @property
    def nvrtc(self) -> Any:
        return SimpleNamespace(getVersion=self._refuse if self._lost == "nvrtc" else tuple)

    def _refuse(self) -> Any:
        raise ImportError(f"Failure finding lib{self._lost}.so\nand more")


@pytest.mark.parametrize("name", ["nvrtc", "cublas"])
def test_a_library_that_the_wheel_does_not_bring_is_named_with_what_brings_it(name: str) -> None:
    found = facts(machine(), load=lambda _: _Lacking(name))
    assert found.not_installed
    assert f"the library {name}, which" in str(found.missing)
    assert f"cannot be loaded (Failure finding lib{name}.so): pip install '" in str(found.missing)
    assert "[ctk]'" in str(found.missing)


def test_headers_that_cupy_would_not_find_are_named_with_what_brings_them() -> None:
    found = facts(machine(), load=lambda name: headers(None) if name == "cuda.pathfinder" else library(name))
    assert found.not_installed
    assert "CUDA's headers, without which CuPy compiles nothing, are not found: pip install '" in str(found.missing)
    assert "[ctk]', or set CUDA_PATH" in str(found.missing)


def test_a_cupy_that_finds_its_headers_by_itself_is_asked_for_none() -> None:
    def without(name: str) -> Any:
        if name == "cuda.pathfinder":
            raise ImportError("no module named cuda")
        return library(name)

    assert facts(machine(), load=without).missing is None


def test_what_cupy_calls_these_things_is_as_it_is_asked_for() -> None:
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    from cupy_backends.cuda import libs

    assert callable(libs.nvrtc.getVersion)
    for name in ("driverGetVersion", "runtimeGetVersion", "getDeviceCount", "getDevice", "getDeviceProperties"):
        assert callable(getattr(cupy.cuda.runtime, name))
    assert callable(cupy.cuda.runtime.memGetInfo)
    assert callable(cupy.cuda.driver.funcSetAttribute)
    for kind, names in (
        (cupy.cuda.Stream, ("begin_capture", "end_capture", "is_capturing", "wait_event")),
        (cupy.cuda.Event, ("record", "synchronize")),
        (cupy.cuda.Graph, ("launch",)),
        (cupy.RawModule, ("get_function",)),
        (cupy.RawKernel, ("kernel", "max_dynamic_shared_size_bytes")),
        (cupy.ndarray, ("set", "get", "device", "flags", "data")),
    ):
        assert [name for name in names if not hasattr(kind, name)] == []


def test_versions_are_written_as_people_do() -> None:
    assert [version_words(n) for n in (12040, 13020, 13000, 9020)] == ["12.4", "13.2", "13.0", "9.2"]


@pytest.mark.parametrize(("package", "kind"), [(True, ImportError), (False, RuntimeError)])
def test_the_backend_refuses_in_that_sentence(monkeypatch: pytest.MonkeyPatch, package: bool, kind: Any) -> None:
    monkeypatch.setattr(missing, "facts", lambda: missing.Facts().lacks("the fan does not turn", package))
    with pytest.raises(kind, match="backend 'cuda' cannot run: the fan does not turn"):
        backends._on_a_gpu("cuda")


@pytest.mark.parametrize("rounding", ["bf16", "tf32"])
def test_what_tensor_cores_round_is_refused_where_they_cannot(monkeypatch: pytest.MonkeyPatch, rounding: str) -> None:
    class Device(RecordingCupy):
        capability = "75"

        def _current(self) -> Any:
            return SimpleNamespace(id=0, attributes={"MultiProcessorCount": 40}, compute_capability=self.capability)

    monkeypatch.setattr(missing, "facts", missing.Facts)
    monkeypatch.setattr(cupy_place, "cupy_place", lambda: cupy_place.CupyPlace(Device()))
    sentence = f"capability 7.5, and tensor cores take {rounding} from 8.0 on: take backend='cuda'"
    with pytest.raises(missing.NoDevice, match=f"'cuda-{rounding}' cannot run: the GPU has compute {sentence}"):
        backends._on_a_gpu(f"cuda-{rounding}")
    assert backends._on_a_gpu("cuda").rounding is None
    Device.capability = "80"
    assert backends._on_a_gpu(f"cuda-{rounding}").rounding == rounding


def test_auto_stays_on_the_cpu_whatever_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(missing, "facts", lambda: pytest.fail("asked for a GPU"))
    assert backend.__wrapped__("auto").name in ("numba", "numpy")
