"""Gradients of the GPU's own kernels, run on the CPU, held against differences: what is wrong in a text is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from on_cpu import NEEDS_A_COMPILER
from on_the_double import in_place_of_a_gpu

from rnnkit import gradcheck, layers
from rnnkit_kernels import cells

pytestmark = NEEDS_A_COMPILER
GPUS = pytest.mark.parametrize("gpu", [(0, 0), (132, 90)], ids=["levels", "at once"])


@GPUS
@pytest.mark.parametrize("method", ["complex", "difference"])
def test_a_right_cell_passes(gpu: Any, method: str) -> None:
    kernel = in_place_of_a_gpu(gpu=gpu).kernel(cells.GRU())
    found = gradcheck(kernel, method=method, elements=60)
    assert found, str(found)
    assert found.target == "GRU (cuda)"


@GPUS
def test_a_wrong_sign_in_one_step_of_the_printed_way_back_is_found_at_its_gate_and_step(gpu: Any) -> None:
    """The slope of a sigmoid, y (1 - y), is y (1 + y) in step 1 alone."""

    def wrong(text: str) -> str:
        before, slope, after = text.partition("real(1.0) - ") if "backward" in text else (text, "", "")
        name, _, after = after.partition(";")
        return f"{before}real(1.0) - (t == 1 ? -{name} : {name});{after}" if slope else text

    kernel = in_place_of_a_gpu(gpu=gpu, change=wrong).kernel(cells.GRU())
    found = gradcheck(kernel, masked=False)
    assert not found
    assert found.suspect == "gate z, step 1 (the last step that is wrong)"
    assert {e.index[0] for e in found.wrong if e.array == "pre-activation"} == {0, 1}


@pytest.mark.parametrize(
    "layer",
    [
        layers.LSTM(3, return_sequences=True),
        layers.LSTM(3, zoneout=0.2, projection=2),
        layers.Conv1D(4, 3, 2, padding="causal", activation="tanh"),
        layers.Bidirectional(layers.GRU(2)),
    ],
    ids=repr,
)
@pytest.mark.parametrize("method", ["complex", "difference"])
def test_a_layer_of_these_kernels_passes(layer: Any, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kernels = in_place_of_a_gpu()
    monkeypatch.setattr("rnnkit.context.backend_of", {"cuda": kernels}.get)
    mask = np.arange(4) < np.array([4, 2, 3])[:, None]
    flags = {} if isinstance(layer, layers.Conv1D) else {"mask": mask}
    found = gradcheck(layer, shape=(3, 4, 2), backend="cuda", method=method, elements=60, **flags)
    assert found, str(found)
