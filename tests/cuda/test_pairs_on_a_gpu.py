"""On a GPU: an encoder-decoder learns as on the CPU, no step of it waits, and gradients are checked there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rnnkit
from rnnkit import EncoderDecoder, gradcheck, layers, optimizers
from rnnkit_kernels import cells
from rnnkit_kernels.cuda_gpu.missing import facts

MISSING = facts().missing
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(MISSING is not None, reason=f"no GPU: {MISSING}")]

L = layers
SOURCES = np.random.default_rng(0).integers(3, 9, (32, 7))
TARGETS = np.concatenate([SOURCES[:, ::-1], np.full((32, 1), 2)], axis=1)


def pair_of(where: str) -> Any:
    sides = [[L.Embedding(9, 6), L.GRU(24)], [L.Embedding(9, 6), L.GRU(24, return_sequences=True), L.Dense(9)]]
    pair = EncoderDecoder(*sides, backend=where, seed=0)
    pair.compile(optimizers.AdamW(0.01))
    return pair


def test_it_learns_along_the_cpu_s_curve_and_is_kept_in_a_file(tmp_path: Any) -> None:
    """Three epochs of float32: what two orders of adding leave, a few 1e-7 a step, has grown to less than 1e-3."""
    histories, written = [], []
    for where in ("numpy", "cuda"):
        pair = pair_of(where)
        histories.append(pair.fit(SOURCES, TARGETS, batch_size=8, epochs=3, verbose=0).history)
        pair.save(tmp_path / "pair.safetensors")
        loaded = rnnkit.load(tmp_path / "pair.safetensors", backend=where)
        np.testing.assert_array_equal(loaded.predict(SOURCES, 8), pair.predict(SOURCES, 8))
        written.append(loaded.beam(SOURCES, 2, 8).log_probabilities)
    np.testing.assert_allclose(histories[1]["loss"], histories[0]["loss"], rtol=1e-3)
    np.testing.assert_allclose(written[1], written[0], rtol=1e-2)


def test_a_step_never_waits_for_the_gpu_though_the_decoder_reads_its_own_choices() -> None:
    from cupyx import allow_synchronize

    from rnnkit.batches import checked
    from rnnkit.placing import batch_there
    from rnnkit.step import step

    pair = pair_of("cuda")
    pair.teacher_forcing = 0.5
    batch = batch_there(pair.backend, checked(pair.form, SOURCES, TARGETS))
    for _ in range(2):  # compiled and recorded
        step(pair, batch, "", looking=False)
    with allow_synchronize(False):
        step(pair, batch, "", looking=False)


@pytest.mark.parametrize("target", [cells.LSTM(), cells.LayerNormGRU(), L.Bidirectional(L.GRU(3))], ids=repr)
def test_gradients_are_checked_on_the_gpu(target: Any) -> None:
    found = gradcheck(target, backend="cuda", method="difference", elements=40)
    assert found, str(found)


def test_the_gradient_of_an_encoder_decoder_is_checked_on_the_gpu_on_both_ends_of_its_bridge() -> None:
    sides = [[L.Embedding(9, 2), L.GRU(3)], [L.Embedding(9, 2), L.GRU(3, return_sequences=True), L.Dense(9)]]
    pair = EncoderDecoder(*sides, backend="cuda", dtype="float64", seed=0)
    pair.build((None, None))
    pair.set_weights([3 * w for w in pair.get_weights()])
    found = gradcheck(pair, SOURCES[:3], TARGETS[:3], backend="cuda", elements=40)
    assert found, str(found)
