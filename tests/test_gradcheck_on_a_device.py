"""Gradients of cells, layers and losses on arrays of another place are checked as in main memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from layer_cases import an_input, example

from rnnkit import gradcheck, layers, losses
from rnnkit_kernels import cells
from tests.kernels.device_backend import ON_A_DEVICE
from tests.kernels.device_double import Device


@pytest.fixture(autouse=True)
def _a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnnkit.context.backend_of", {"cuda": ON_A_DEVICE}.get)
    Device.waits.clear()
    Device.uploads.clear()


@pytest.mark.parametrize("method", ["complex", "difference"])
@pytest.mark.parametrize("cell", cells.ALL, ids=lambda cell: cell.name)
def test_every_cell_is_checked_there(cell: Any, method: str) -> None:
    found = gradcheck(cell, backend="cuda", method=method, elements=10, zoned=True, restarted=True)
    assert found, str(found)
    assert Device.uploads


@pytest.mark.parametrize("name", sorted(layers.ALL))
def test_every_layer_is_checked_there(name: str) -> None:
    layer = example(name)
    x = an_input(layer, np.random.default_rng(0))
    mask = None if layer.rank == 2 else [[True] * 4, [True, True, False, False], [True, False, False, False]]
    for method in ("difference", "auto"):
        found = gradcheck(layer, x, mask=mask, dropout=True, backend="cuda", method=method, elements=10)
        assert found, str(found)
    assert Device.uploads


@pytest.mark.parametrize("loss", losses.ALL, ids=repr)
def test_every_loss_is_checked_there(loss: Any) -> None:
    found = gradcheck(loss, backend="cuda", sample_weight=[1.0, 0.5, 2.0, 0.0])
    assert found, str(found)
    assert Device.uploads


def test_several_outputs_and_weights_of_steps_that_begin_anew_are_checked_there() -> None:
    reset = np.arange(4) == np.array([1, 2, 9])[:, None]
    layer = layers.LSTM(2, return_state=True, initial_state="learned")
    found = gradcheck(layer, shape=(3, 4, 2), reset=reset, backend="cuda", elements=20)
    assert found, str(found)


@dataclass(frozen=True)
class _Wrong(layers.Dense):
    """Its bias has a gradient of the wrong sign."""

    def __call__(self, params: Any, x: Any, ctx: Any = None) -> Any:
        y, pullback = super().__call__(params, x, ctx)

        def back(dy: Any) -> Any:
            dparams, dx = pullback(dy)
            return dparams | {"b": -dparams["b"]}, dx

        return y, back


@pytest.mark.parametrize("method", ["auto", "difference"])
def test_what_is_wrong_is_found_there(method: str) -> None:
    found = gradcheck(_Wrong(3), shape=(3, 2), backend="cuda", method=method)
    assert not found
    assert {element.array for element in found.wrong} == {"b"}
