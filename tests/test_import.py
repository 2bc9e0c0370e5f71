"""What `import rnnkit` brings along."""

import subprocess
import sys

HEAVY = ("matplotlib", "numba", "cupy", "torch", "keras", "scipy", "pandas", "sklearn", "onnx", "tqdm", "safetensors")


def test_importing_the_package_loads_numpy_and_nothing_heavier() -> None:
    code = "import rnnkit, sys; print(' '.join(sorted({name.split('.')[0] for name in sys.modules})))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "numpy" in found
    assert not set(HEAVY) & set(found)


def test_the_kernels_never_import_the_package_above_them() -> None:
    code = (
        "import sys, pkgutil, importlib, rnnkit_kernels\n"
        "for m in pkgutil.walk_packages(rnnkit_kernels.__path__, 'rnnkit_kernels.'): importlib.import_module(m.name)\n"
        "print(any(name == 'rnnkit' or name.startswith('rnnkit.') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
