"""`explain` says which kernels a recurrence gets on a GPU, as they are then launched."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from on_cpu import NEEDS_A_COMPILER, OnCpu
from on_the_double import in_place_of_a_gpu

import rnnkit
from rnnkit import cells, layers
from rnnkit_kernels.cuda_gpu.account import kernels_of
from rnnkit_kernels.cuda_gpu.kernel import CudaKernel

_H200, _BEFORE_CLUSTERS = (132, 90), (108, 80)


def _told(cell: Any, rows: int, units: int, rounding: Any = None, gpu: Any = _H200, dtype: Any = np.float32) -> str:
    return kernels_of(CudaKernel(cell, place=OnCpu(gpu=gpu), rounding=rounding), rows, units, dtype, True)


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ("there and back all steps in one kernel, a block for each row", (cells.LSTM(), 32, 20)),
        ("all steps in one kernel, a cluster of 8 blocks for each 8 rows, products in tf32",
         (cells.GRU(), 64, 256, "tf32")),
        ("1 kernel a step, replayed as a CUDA graph", (cells.LSTM(), 32, 1024)),
        ("1 kernel a step, replayed as a CUDA graph, products in bf16", (cells.LSTM(), 32, 1024, "bf16")),
        ("there 6 kernels a step, replayed as a CUDA graph, back 3 kernels a step",
         (cells.LayerNormLSTM(), 64, 300, None, _BEFORE_CLUSTERS)),
    ],
)  # fmt: skip
def test_kernels_are_told_in_words(words: str, given: Any) -> None:
    assert words in _told(*given)


def test_doubles_are_never_said_to_be_rounded() -> None:
    assert "products" not in _told(cells.LSTM(), 32, 1024, "bf16", dtype=np.float64)
    assert "tf32" not in _told(cells.LSTM(), 64, 256, "tf32", dtype=np.float64)


@NEEDS_A_COMPILER
@pytest.mark.parametrize(("units", "words", "launched"), [(6, "one kernel", 2), (400, "1 kernel a step", 2 * 3)])
def test_a_model_explains_what_it_launches(units: int, words: str, launched: int) -> None:
    backend = in_place_of_a_gpu(gpu=_H200)
    steps = 3
    model = rnnkit.Sequential([layers.SimpleRNN(units), layers.Dense(1)], seed=0)
    model.build((2, steps, 3))
    model.backend = backend
    assert words in " ".join(str(model.explain(batch_size=2)).split())
    count = []
    module = backend.place.module

    def counted(*text: str) -> Any:
        found = module(*text)
        launch, found.launch = found.launch, lambda *given: (count.append(given[0].kernel), launch(*given))
        return found

    backend.place.module = counted
    kernel, rng = backend.kernel(cells.SimpleRNN()), np.random.default_rng(0)
    x = backend.array(rng.standard_normal((steps, 2, 3)).astype("f"))
    weights = {name: backend.array(w) for name, w in model.layers[0].kernel_weights(model.params[0]).items()}
    h, _, tape = kernel.forward(weights, x, {"h": backend.array(np.zeros((2, units), "f"))})
    kernel.backward(tape, h)
    assert len([name for name in count if name.startswith(("forward", "backward"))]) == launched


def test_before_it_is_trained_only_the_way_there_is_told() -> None:
    kernel = replace(CudaKernel(cells.LSTM(), place=OnCpu(gpu=_H200)))
    assert kernels_of(kernel, 32, 20, np.float32, False) == "all steps in one kernel, a block for each row"
