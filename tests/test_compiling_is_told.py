"""`fit` says that kernels are compiled where it shows progress, while they are, and only then."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rnnkit import Sequential
from rnnkit.callbacks import LambdaCallback, ProgressBar
from rnnkit.layers import Dense
from rnnkit_kernels.backends import backend

numba = pytest.importorskip("numba", reason="needs the extra numba")

ROOT = Path(__file__).parents[1]
OURS, ANOTHERS = "rnnkit_kernels.numba_cpu.drivers", "a_user.s_own"
X, Y = np.ones((4, 2), np.float32), np.ones((4, 1), np.float32)


def compiled_in(module: str) -> None:
    """Compiles a function that is in no cache, as one of that module."""

    def half(x):
        return x / 2

    half.__module__ = module
    numba.njit(half).compile("float64(float64)")


def trained(*, verbose=1, module=OURS, when="on_train_batch_begin", name="auto"):
    """Fits a model that compiles nothing, beside a callback that compiles something."""
    model = Sequential([Dense(1)], backend=name, seed=0)
    model.compile("sgd", "mse")
    beside = LambdaCallback(**{when: lambda *_: compiled_in(module)})
    return model.fit(X, Y, epochs=1, verbose=verbose, callbacks=beside, validation_data=(X, Y))


@pytest.mark.parametrize("when", ["on_train_batch_begin", "on_epoch_end"])
def test_the_bar_says_that_kernels_are_compiled_and_then_the_epoch_again(when, capsys):
    trained(when=when)
    before, told, after = capsys.readouterr().err.rpartition("compiling kernels")
    assert told
    assert "epoch 1/1" in after
    assert "val_loss" in after
    assert "compiling" not in before


def test_the_bar_names_the_epoch_again_as_soon_as_the_batch_is_done():
    bar, named = ProgressBar(1), []

    def name(*_):
        named.append(bar._bar.desc)

    model = Sequential([Dense(1)], backend="numba", seed=0)
    model.compile("sgd", "mse")
    compiler = LambdaCallback(on_train_batch_begin=lambda *_: compiled_in(OURS))
    beside = LambdaCallback(on_train_batch_begin=name, on_train_batch_end=name)
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[bar, compiler, beside])
    assert named == ["compiling kernels", "epoch 1/2", "compiling kernels", "epoch 2/2"]


@pytest.mark.parametrize(
    "options", [{"verbose": 0}, {"verbose": 2}, {"verbose": "auto"}, {"module": ANOTHERS}, {"name": "numpy"}], ids=str
)
def test_nothing_is_said_without_a_bar_or_of_what_is_no_kernel_of_the_model(options, capsys):
    trained(**options)
    assert "compiling" not in capsys.readouterr().err


@pytest.mark.parametrize("ending", [None, ZeroDivisionError, KeyboardInterrupt])
def test_nobody_listens_when_training_has_ended_however_it_did(ending, monkeypatch):
    heard = []
    monkeypatch.setattr(ProgressBar, "_compiling", lambda self: heard.append(1))

    def end(*_):
        compiled_in(OURS)
        if ending is not None:
            raise ending

    model = Sequential([Dense(1)], backend="numba", seed=0)
    model.compile("sgd", "mse")
    try:
        model.fit(X, Y, verbose=1, callbacks=LambdaCallback(on_train_batch_end=end))
    except ZeroDivisionError:
        assert ending is ZeroDivisionError
    assert heard == [1]
    compiled_in(OURS)
    assert heard == [1]


def test_a_bar_that_is_gone_is_told_nothing():
    ProgressBar(1)._compiling()


def test_every_function_of_a_kernel_is_told_within_the_block_alone():
    heard = []
    for name, expected in (("numba", 2), ("numpy", 0)):
        heard.clear()
        with backend(name).compiling(lambda: heard.append(1)):
            compiled_in(OURS)
            compiled_in(ANOTHERS)
            compiled_in(OURS)
        compiled_in(OURS)
        assert len(heard) == expected


FIRST_USE = """
import numpy as np
from rnnkit import Sequential
from rnnkit.layers import Dense, SimpleRNN
model = Sequential([SimpleRNN(3), Dense(1)], backend="numba", seed=0)
model.compile("sgd", "mse")
model.fit(np.ones((2, 3, 1)), np.ones((2, 1)), epochs=2, verbose=1)
"""


@pytest.mark.slow
def test_the_first_process_tells_and_the_next_finds_all_of_it_kept(tmp_path):
    paths = os.pathsep.join(map(str, (ROOT, ROOT / "kernels")))
    environment = {**os.environ, "PYTHONPATH": paths, "NUMBA_CACHE_DIR": str(tmp_path)}
    said = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", FIRST_USE], env=environment, capture_output=True, text=True, timeout=120, check=True
        )
        assert "epoch 2/2 100%" in done.stderr
        said.append("compiling kernels" in done.stderr)
    assert said == [True, False]
