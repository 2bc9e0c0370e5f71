"""Which kernel runs is said by name: what the compiled one does not do, the textbook does; gradients are checked."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba", reason="needs the extra numba")

import compiled_cases as cc
import thread_jobs as jobs
from compiled_cells import QUICK, USERS
from kernel_cases import everything, label

from rnnkit import Context, gradcheck
from rnnkit_kernels import backend, cells
from rnnkit_kernels.numba_cpu.kernel import CompiledKernel
from rnnkit_kernels.textbook import recurrence

NUMBA = backend("numba")
LSTM = NUMBA.kernel(cells.LSTM())
SIZES = (3, 5, 2, 6)


def test_the_kernel_of_the_backend_numba_says_numba_and_so_does_its_tape() -> None:
    assert NUMBA.name == "numba"
    assert backend("auto").name == "numba"
    assert isinstance(LSTM, CompiledKernel)
    assert LSTM.origin == "numba"
    assert backend("numpy").kernel(cells.LSTM()).origin == "textbook"
    case = cc.draw(cells.LSTM(), SIZES)
    h, last, tape = LSTM.forward(case.weights, case.x, case.state0, mask=case.mask, drop=case.drop)
    assert tape is not None
    assert tape.origin == "numba"
    grads = everything(LSTM.backward(tape, case.dh, case.dstate))
    whole = cc.compiled(case, split=None).all
    cc.assert_bits(cc.forward_fields(h, last, tape) | grads, whole)


def _projected(case: Any) -> dict[str, Any]:
    units, width = case.sizes[3], 2
    return {
        "weights": case.weights | {"U": case.weights["U"][:width], "P": np.full((units, width), 0.3)},
        "state0": case.state0 | {"h": case.state0["h"][:, :width]},
        "drop": None,
    }


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(lambda case: {"zone": {"h": 0.1}}, id="zoneout"),
        pytest.param(lambda case: {"zone": {"c": np.ones((*case.x.shape[:2], 6), bool)}}, id="zoneout of units"),
        pytest.param(lambda case: {"reset": np.ones(case.x.shape[:2], bool)}, id="rows that begin anew"),
        pytest.param(_projected, id="projection"),
    ],
)
def test_what_stands_between_steps_runs_in_the_textbook_and_the_tape_says_so(asked: Any) -> None:
    case = cc.draw(cells.LSTM(), SIZES)
    options: dict[str, Any] = {"weights": case.weights, "state0": case.state0, "mask": case.mask, "drop": case.drop}
    options |= asked(case)
    h, _, tape = LSTM.forward(x=case.x, **options)
    assert tape is not None
    assert tape.origin == "textbook"
    expected, _, other = recurrence.forward(cells.LSTM(), x=case.x, **options)
    np.testing.assert_array_equal(h, expected)
    dh = np.ones_like(h)
    cc.assert_bits(everything(LSTM.backward(tape, dh)), everything(recurrence.backward(other, dh)))


def test_complex_numbers_run_in_the_textbook_and_the_tape_says_so() -> None:
    case = cc.draw(cells.LSTM(), SIZES).map(lambda a: a.astype(complex) if a.dtype.kind == "f" else a)
    tape = LSTM.forward(case.weights, case.x, case.state0, mask=case.mask, drop=case.drop)[2]
    assert tape is not None
    assert tape.origin == "textbook"


def test_a_limit_on_the_way_back_runs_in_the_textbook_over_the_compiled_tape() -> None:
    case = cc.draw(cells.LSTM(), SIZES)
    tape = LSTM.forward(case.weights, case.x, case.state0, mask=case.mask, drop=case.drop)[2]
    assert tape is not None
    assert tape.origin == "numba"
    grads = LSTM.backward(tape, case.dh, case.dstate, clip=0.05)
    expected = recurrence.backward(case.forward()[2], case.dh, case.dstate, clip=0.05)
    assert type(grads) is type(expected)
    assert np.abs(grads.x_pre).max() == 0.05
    for name, value in everything(expected).items():
        np.testing.assert_allclose(everything(grads)[name], value, rtol=0, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("sizes", [(0, 5, 2, 6), (3, 0, 2, 6), (3, 5, 0, 6)], ids=["no step", "no row", "no feature"])
def test_nothing_to_work_on_is_no_error(sizes: tuple[int, int, int, int]) -> None:
    case = cc.draw(cells.LSTM(), sizes, mask=None, spread=0.3)
    h, _, tape = LSTM.forward(case.weights, case.x, case.state0)
    expected, _, other = recurrence.forward(cells.LSTM(), case.weights, case.x, case.state0)
    np.testing.assert_allclose(h, expected, rtol=0, atol=1e-14)
    assert tape is not None
    assert h.shape == expected.shape
    if h.size:
        ours, theirs = LSTM.backward(tape, case.dh), recurrence.backward(other, case.dh)
        np.testing.assert_allclose(ours.weights["U"], theirs.weights["U"], rtol=0, atol=1e-13)


def test_what_does_not_belong_together_is_refused_as_in_the_textbook() -> None:
    cc.assert_refused_as_in_the_textbook(cc.draw(cells.LSTM(), SIZES), LSTM.forward, LSTM.backward)


WITHOUT = """
import sys
{how}
import rnnkit, rnnkit_kernels
from rnnkit_kernels import backend, cells
found = backend("auto")
print(found.name, "|", found.reason, "|", found.kernel(cells.LSTM()).origin)
try:
    backend("numba").kernel(cells.LSTM())
except ImportError as error:
    print(error)
"""


@pytest.mark.parametrize(
    "how",
    [
        "import importlib.util, importlib.machinery\n"
        "find = importlib.machinery.PathFinder.find_spec\n"
        "gone = ('numba', 'llvmlite')\n"
        "importlib.machinery.PathFinder.find_spec = classmethod(\n"
        "    lambda cls, name, path=None, target=None:\n"
        "        None if name.partition('.')[0] in gone else find(name, path, target))",
        "sys.modules['numba'] = None",
    ],
    ids=["not on the path", "blocked by name"],
)
def test_without_numba_the_choice_is_numpy_and_the_reason_names_the_extra(how: str) -> None:
    root = str(jobs.ROOT)
    code = f"import sys; sys.path.insert(0, {root!r})\n" + WITHOUT.replace("{how}", how)
    chosen, refusal = jobs.alone(code).splitlines()
    assert chosen.startswith("numpy | ")
    assert chosen.endswith(" | textbook")
    assert "rnnkit[numba]" in chosen
    assert "rnnkit[numba]" in refusal


def test_importing_the_package_loads_neither_numba_nor_its_compiler() -> None:
    root = str(jobs.ROOT)
    code = f"import sys; sys.path.insert(0, {root!r}); import rnnkit, rnnkit_kernels\n"
    code += "print(sorted({m.partition('.')[0] for m in sys.modules} & {'numba', 'llvmlite'}))"
    assert jobs.alone(code) == "[]"


def test_only_the_compiled_folder_imports_numba() -> None:
    folder = Path(recurrence.__file__).parents[1]
    command = [sys.executable, "-c", "import sys, rnnkit_kernels.textbook.recurrence; print('numba' in sys.modules)"]
    environment = {"PYTHONPATH": str(folder.parent), "PATH": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param(
            c, id=label(c), marks=pytest.mark.slow if c.name == "MGU" or (c in USERS and c.name not in QUICK) else []
        )
        for c in (*cells.ALL, *USERS)
    ],
)
def test_the_compiled_gradient_is_the_slope_of_the_compiled_loss(cell: Any) -> None:
    """By differences, which need nothing of the textbook."""
    report = gradcheck(NUMBA.kernel(cell), method="difference", elements=150, tolerance=2e-7)
    assert report, report


@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU"])
def test_a_layer_that_runs_compiled_passes_its_gradient_check(name: str) -> None:
    from rnnkit import layers

    assert Context().kernels.name == "numba"
    for more in ({}, {"return_sequences": True, "recurrent_dropout": 0.0}):
        report = gradcheck(getattr(layers, name)(5, **more), shape=(3, 4, 2), method="difference")
        assert report, report


@pytest.mark.slow
def test_a_users_cell_in_a_kernel_is_replaced_by_none_of_the_same_name() -> None:
    """Two cells of one name and different steps, as in a notebook that is edited, are two programs."""

    def made(sign: float) -> Any:
        class Edited(cells.SimpleRNN):
            def step(self, F: Any, x: Any, u: Any, s: Any, p: Any) -> Any:
                return (F.tanh(x.h + sign * u.h),), ()

        Edited.has_adjoint = False
        return Edited()

    for sign in (1.0, -1.0):
        case = cc.draw(made(sign), SIZES)
        cc.assert_the_textbooks(case, cc.compiled(case), "float64")
        cc.assert_the_textbooks(replace(case, dstate=None), cc.compiled(replace(case, dstate=None)), "float64")
