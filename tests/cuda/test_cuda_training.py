"""Models that learn by the GPU's own kernels, run on the CPU, on arrays that behave as CuPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from on_cpu import NEEDS_A_COMPILER
from on_the_double import OnTheDouble, in_place_of_a_gpu

from rnnkit import EncoderDecoder, Sequential, layers, optimizers
from rnnkit.placing import there
from rnnkit_kernels import cells
from rnnkit_kernels.backends import Backend
from tests.kernels.device_double import Device

pytestmark = NEEDS_A_COMPILER

L = layers
RNG = np.random.default_rng(0)
X = RNG.standard_normal((9, 5, 2)).astype("f")
Y = X.sum(axis=(1, 2))[:, None]


def model_of(stack: list[Any], place: Any) -> Any:
    model: Any = Sequential(stack, backend="numpy", seed=1)
    if place is not None:
        model.backend = Backend("cuda", "in place of a GPU", place)
    model.compile("adam", "mse", ["mae"])
    return model


STACKS = {
    "LSTM": lambda: [L.LSTM(5, recurrent_dropout=0.2), L.Dropout(0.3), L.Dense(1)],
    "tokens": lambda: [L.Embedding(7, 3, mask_zero=True), L.GRU(4), L.Dense(1)],
    "both directions": lambda: [L.Bidirectional(L.LSTM(3, dropout=0.2, recurrent_dropout=0.2)), L.Dense(1)],
    "convolution": lambda: [L.Conv1D(4, 3, activation="relu", padding="causal"), L.Flatten(), L.Dense(1)],
}


@pytest.mark.parametrize("gpu", [(0, 0), (132, 90)], ids=["levels", "at once"])
@pytest.mark.parametrize("name", STACKS)
def test_a_model_learns_along_the_textbook_s_curve_and_nobody_waits_in_a_step(name: str, gpu: Any) -> None:
    if name == "convolution" and gpu != (0, 0):
        pytest.skip("it has no recurrence")
    x = np.abs(X[..., 0] * 3).astype(int) % 7 if name == "tokens" else X
    here, there = model_of(STACKS[name](), None), model_of(STACKS[name](), OnTheDouble(gpu=gpu))
    wanted = here.fit(x, Y, batch_size=4, epochs=2, verbose=0)
    Device.waits.clear()
    found = there.fit(x, Y, batch_size=4, epochs=2, verbose=0)
    assert len(Device.waits) == 1 + 2 * 2
    for metric, values in wanted.history.items():
        np.testing.assert_allclose(found.history[metric], values, rtol=2e-5)
    for a, b in zip(there.get_weights(), here.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)
    np.testing.assert_allclose(there.predict(x), here.predict(x), atol=2e-5)


FALLBACKS = {
    "zoneout": (L.LSTM(3, zoneout=0.2), {}),
    "projection": (L.LSTM(3, projection=2), {}),
    "rows that begin anew": (L.LSTM(3), {"reset": np.arange(5) == 2}),
}


@pytest.mark.parametrize("name", FALLBACKS)
def test_what_the_kernels_do_not_take_runs_in_the_textbook_and_the_tape_says_so(name: str) -> None:
    layer, beside = FALLBACKS[name]
    seen: list[str] = []
    kernels = in_place_of_a_gpu()
    params = {k: Device(w) for k, w in layer.init(np.random.default_rng(0), X.shape, "float32")[0].items()}
    flags = {k: Device(np.broadcast_to(v, (9, 5)).copy()) for k, v in beside.items()}

    def watch(layer: Any, tape: Any, path: str) -> Any:
        seen.append(tape.origin)
        return lambda grads: None

    from rnnkit import Context

    for ctx in (Context(kernels, watch=watch, **flags), Context(kernels, watch=watch)):
        y, pullback = layer(params, Device(X), ctx)
        pullback(y)
    assert seen == ["textbook", "textbook" if not beside else "cuda"]


def test_a_clipped_way_back_runs_in_the_textbook_from_the_kernels_tape() -> None:
    layers_of = [L.SimpleRNN(3, gradient_clip=clip, return_sequences=True) for clip in (1e-3, None)]
    kernel = in_place_of_a_gpu().kernel(cells.SimpleRNN())
    assert kernel.origin == "cuda"
    found = []
    for place in (None, OnTheDouble()):
        model = model_of([layers_of[0], L.Dense(1)], place)
        model.fit(X, np.cumsum(X, axis=1)[..., :1], batch_size=9, epochs=1, verbose=0)
        found.append(model.get_weights())
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)


def test_numbers_of_another_kind_run_in_the_textbook() -> None:
    kernel = in_place_of_a_gpu().kernel(cells.LSTM())
    weights = {
        "W": np.ones((2, 12), complex), "U": np.ones((3, 12), complex), "b": np.ones(12, complex),
    }  # fmt: skip
    state = {name: Device(np.zeros((9, 3), complex)) for name in ("h", "c")}
    x = Device(np.ascontiguousarray(X.swapaxes(0, 1)).astype(complex))
    _, _, tape = kernel.forward({k: Device(w) for k, w in weights.items()}, x, state)
    assert tape is not None
    assert tape.origin == "textbook"


@pytest.mark.parametrize("gpu", [(0, 0), (132, 90)], ids=["levels", "at once"])
def test_an_encoder_decoder_learns_along_the_textbook_s_curve_from_its_own_choices_too(gpu: Any) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(3, 6, (9, 5)), rng.integers(3, 6, (9, 4))
    y[:, -1] = np.where(y[:, 0] == 3, 0, 2)
    y[:, -2] = np.where(y[:, 0] == 3, 2, y[:, -2])
    pairs = []
    for kernels in (None, in_place_of_a_gpu(gpu=gpu)):
        sides = [L.Embedding(6, 3), L.GRU(4)], [L.Embedding(6, 3), L.GRU(4, return_sequences=True), L.Dense(6)]
        pair: Any = EncoderDecoder(*sides, backend="numpy", seed=1)
        if kernels is not None:
            pair.backend, pair.params = kernels, there(kernels, pair.params)
        pair.compile(optimizers.AdamW(0.01, global_clipnorm=0.5))
        Device.waits.clear()
        history = pair.fit(x, y, batch_size=4, epochs=2, teacher_forcing=0.5, verbose=0).history
        assert len(Device.waits) == (0 if kernels is None else 1 + 2 * 2)
        pairs.append((history, pair.get_weights(), pair.beam(x, 2, 4).sequences))
    for metric, values in pairs[0][0].items():
        np.testing.assert_allclose(pairs[1][0][metric], values, rtol=2e-5)
    for a, b in zip(pairs[1][1], pairs[0][1], strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)
    np.testing.assert_array_equal(pairs[1][2], pairs[0][2])


class _Noting(OnTheDouble):
    """A place that notes which kernels are launched."""

    def __init__(self) -> None:
        super().__init__()
        self.launched: list[str] = []

    def module(self, *args: str) -> Any:
        made = super().module(*args)
        inner = made.launch

        def launch(launch: Any, table: Any, place: int) -> None:
            self.launched.append(launch.kernel)
            inner(launch, table, place)

        made.launch = launch
        return made


@pytest.mark.parametrize("kind", optimizers.ALL, ids=lambda kind: kind.__name__)
def test_all_weights_of_a_model_move_in_one_launch_a_step(kind: Any) -> None:
    place = _Noting()
    model = model_of(STACKS["LSTM"](), place)
    model.compile(kind(0.01, weight_decay=0.1), "mse")
    model.fit(X, Y, batch_size=4, epochs=2, verbose=0)
    assert sum(name.startswith("step_") for name in place.launched) == 3 * 2
