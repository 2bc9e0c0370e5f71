"""On a GPU: every cell beside the textbook, the same bits each time, and models that learn as on the CPU."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba", reason="needs the extra numba, whose tests' cases these are")

import compiled_cases as cc
from compiled_cells import USERS
from cuda_cases import assert_the_textbooks, cases
from kernel_cases import Case, everything, label

import rnnkit
from rnnkit import Sequential, layers
from rnnkit_kernels import cells
from rnnkit_kernels.backends import backend
from rnnkit_kernels.contract import Cell
from rnnkit_kernels.cuda_gpu.missing import facts
from rnnkit_kernels.cuda_gpu.recurrence import CudaTape
from rnnkit_kernels.devices import host

MISSING = facts().missing
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(MISSING is not None, reason=f"no GPU: {MISSING}")]

L = layers
RNG = np.random.default_rng(0)
X = RNG.standard_normal((64, 12, 3)).astype("f")
Y = X.sum(axis=(1, 2))[:, None]


def on_the_gpu(case: Case) -> dict[str, Any]:
    """Every array of a forward and a backward pass, brought down."""
    there = case.map(backend("cuda").array)
    kernel = backend("cuda").kernel(case.cell)
    h, last, tape = kernel.forward(there.weights, there.x, there.state0, mask=there.mask, drop=there.drop)
    assert isinstance(tape, CudaTape)
    found = cc.forward_fields(h, last, tape) | everything(kernel.backward(tape, there.dh, there.dstate))
    found |= {"tape met": tape.met} | {f"tape operands {q}": v for q, v in tape.operands.items()}
    return {name: host(a) for name, a in found.items()}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("cell", [*cells.ALL, *USERS], ids=label)
@settings(max_examples=8, derandomize=True, deadline=None)
@given(data=st.data())
def test_every_number_of_every_cell_is_the_textbook_s(cell: Cell, dtype: str, data: Any) -> None:
    case = data.draw(cases(cell, dtype, data.draw(st.booleans()), data.draw(st.booleans())))
    assert_the_textbooks(case, on_the_gpu(case))


@pytest.mark.parametrize("cell", cells.ALL, ids=label)
@pytest.mark.parametrize("steps", [3, 40])
def test_twenty_runs_give_the_same_bits(cell: Cell, steps: int) -> None:
    layer = L.RNN(cell, 37, return_sequences=True)
    kernels = backend("cuda")
    x = RNG.standard_normal((19, steps, 5)).astype("f")
    params = {k: kernels.array(w) for k, w in layer.init(np.random.default_rng(0), x.shape, "float32")[0].items()}

    def bits() -> list[bytes]:
        y, pullback = layer(params, kernels.array(x), rnnkit.Context(kernels))
        dparams, dx = pullback(y)
        return [host(a).tobytes() for a in (y, dx, *dparams.values())]

    first = bits()
    assert all(bits() == first for _ in range(19))


def model_of(stack: list[Any], where: str) -> Any:
    model = Sequential(stack, backend=where, seed=0)
    model.compile(rnnkit.optimizers.Adam(0.01), "mse", ["mae"])
    return model


STACKS: dict[str, Any] = {
    "LSTM": lambda: ([L.LSTM(24), L.Dense(1)], X),
    "GRU, dropped": lambda: ([L.GRU(24, dropout=0.1, recurrent_dropout=0.2), L.Dense(1)], X),
    "both ways": lambda: ([L.Bidirectional(L.LayerNormLSTM(16)), L.Dense(1)], X),
    "zoneout": lambda: ([L.LSTM(8, zoneout=0.1), L.Dense(1)], X),
    "tokens": lambda: (
        [L.Embedding(7, 4, mask_zero=True), L.GRU(12), L.Dense(1)], np.abs(X[..., 0] * 3).astype(int) % 7,
    ),
    "convolution": lambda: (
        [L.Conv1D(8, 3, padding="causal", activation="relu"), L.BatchNormalization(), L.MaxPooling1D(2),
         L.GlobalAveragePooling1D(), L.Dense(1)], X,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STACKS)
def test_a_model_learns_along_the_cpu_s_curve(name: str) -> None:
    """Five epochs of float32: what two orders of adding leave, a few 1e-7 a step, has grown to less than 1e-3."""
    histories = []
    for where in ("numpy", "cuda"):
        stack, x = STACKS[name]()
        histories.append(model_of(stack, where).fit(x, Y, batch_size=16, epochs=5, verbose=0).history)
    for metric, values in histories[0].items():
        np.testing.assert_allclose(histories[1][metric], values, rtol=1e-3)
    assert histories[1]["loss"][-1] < histories[1]["loss"][0]


def test_a_step_of_training_never_waits_for_the_gpu() -> None:
    from cupyx import allow_synchronize

    from rnnkit.batches import checked
    from rnnkit.placing import batch_there
    from rnnkit.step import step

    stack, x = STACKS["LSTM"]()
    model = model_of(stack, "cuda")
    batch = batch_there(model.backend, checked(model.form, x, Y))
    for _ in range(2):  # compiled and recorded
        step(model, batch, "", looking=False)
    with allow_synchronize(False):
        step(model, batch, "", looking=False)


def test_a_number_that_is_not_finite_is_named() -> None:
    model = Sequential([L.SimpleRNN(8), L.Dense(1)], backend="cuda", seed=0)
    model.compile(rnnkit.optimizers.SGD(1e15), "mse")
    with pytest.raises(FloatingPointError, match="in epoch"):
        model.fit(X, Y, batch_size=16, epochs=4, verbose=0)


def test_two_streams_that_take_turns_give_what_one_gives() -> None:
    import cupy

    layer, kernels = L.LSTM(20, return_sequences=True), backend("cuda")
    params = {k: kernels.array(w) for k, w in layer.init(np.random.default_rng(0), X.shape, "float32")[0].items()}
    inputs = [kernels.array(X + k) for k in range(8)]
    alone = [host(layer(params, x, rnnkit.Context(kernels))[0]) for x in inputs]
    cupy.cuda.Device().synchronize()
    streams, outputs = [cupy.cuda.Stream(non_blocking=True) for _ in range(2)], []
    for k, x in enumerate(inputs):
        with streams[k % 2]:
            outputs.append(layer(params, x, rnnkit.Context(kernels))[0])
    cupy.cuda.Device().synchronize()
    for found, wanted in zip(outputs, alone, strict=True):
        np.testing.assert_array_equal(host(found), wanted)


SMALL = """
import numpy as np, rnnkit
from rnnkit import Sequential, layers
x = np.random.default_rng(0).standard_normal((5, 6, 3)).astype("f")
for cell in rnnkit.cells.ALL:
    model = Sequential([layers.RNN(cell, 7), layers.Dense(1)], backend="cuda", seed=0)
    model.compile("adam", "mse")
    model.fit(x, x[:, 0, :1], batch_size=3, epochs=1, verbose=0)
"""


@pytest.mark.slow
@pytest.mark.parametrize("tool", ["memcheck", "racecheck", "synccheck", "initcheck"])
def test_the_sanitizer_finds_nothing(tool: str) -> None:
    program = shutil.which("compute-sanitizer")
    if program is None:
        pytest.skip("compute-sanitizer is not installed: it comes with the CUDA toolkit")
    command = [program, "--tool", tool, "--error-exitcode", "3", sys.executable, "-c", SMALL]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
