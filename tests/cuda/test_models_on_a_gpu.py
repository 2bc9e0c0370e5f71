"""On a GPU: models learn as on the CPU, no step of training waits, and a sanitizer finds nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import rnnkit
from rnnkit import Sequential, layers
from rnnkit_kernels.cuda_gpu.missing import facts

MISSING = facts().missing
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(MISSING is not None, reason=f"no GPU: {MISSING}")]

L = layers
RNG = np.random.default_rng(0)
X = RNG.standard_normal((64, 12, 3)).astype("f")
Y = X.sum(axis=(1, 2))[:, None]


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


SMALL = """
import numpy as np, rnnkit
from rnnkit import Sequential, layers
x = np.random.default_rng(0).standard_normal((5, 6, 3)).astype("f")
many = [(cell, 7) for cell in rnnkit.cells.ALL] + [(rnnkit.cells.LSTM(), 600)]  # 600: kernels for each level, recorded
for cell, units in many:
    model = Sequential([layers.RNN(cell, units), layers.Dense(1)], backend="cuda", seed=0)
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
