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


def test_every_public_name_is_there_whether_it_is_read_at_once_or_later() -> None:
    code = (
        "import sys, rnnkit\n"
        "later = {'rnnkit.bptt', 'rnnkit.callbacks', 'rnnkit.data', 'rnnkit.text', 'rnnkit.saving'}\n"
        "assert not later & set(sys.modules), later & set(sys.modules)\n"
        "assert set(rnnkit.__all__) <= set(dir(rnnkit))\n"
        "for name in rnnkit.__all__: assert getattr(rnnkit, name) is not None, name\n"
        "assert callable(rnnkit.gradcheck) and callable(rnnkit.load) and rnnkit.text.Tokenizer\n"
        "assert not hasattr(rnnkit, 'nothing')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
