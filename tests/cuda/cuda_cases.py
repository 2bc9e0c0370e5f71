"""The recurrence of the GPU, run on the CPU, beside the textbook in float64."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import compiled_cases as cc
import numpy as np
import pytest
from hypothesis import strategies as st
from kernel_cases import Case, everything, largest
from on_cpu import OnCpu

from rnnkit_kernels.contract import Cell
from rnnkit_kernels.cuda_gpu.backward import backward
from rnnkit_kernels.cuda_gpu.emit import tile
from rnnkit_kernels.cuda_gpu.emit.division import Division
from rnnkit_kernels.cuda_gpu.recurrence import forward
from rnnkit_kernels.program import trace
from rnnkit_kernels.textbook.parts import operands

__all__ = ["LIMITS", "assert_the_textbooks", "cases", "expected", "run", "shared_tiles", "tiles"]

# Of the largest number of an outcome. Sums of a hundred products of float64 are off by 1e-14 of it, of float32 by 1e-6.
LIMITS = {"float64": 1e-12, "float32": 1e-6}

# Around the edges of tiles, of 8 to 32 rows by 16 to 64 units, and of pieces of a product, of 32; some widths are such
# that copies go by 16 bytes.
ROWS = (1, 3, 8, 9, 33)
UNITS = (1, 2, 15, 17, 20, 37, 64, 70)
FEATURES = (1, 2, 5)


@contextmanager
def tiles(height: int | None) -> Iterator[None]:
    """Tiles of so many rows, whatever the batch; None: as its size says."""
    with pytest.MonkeyPatch.context() as patch:
        if height is not None:
            patch.setattr(tile, "_ROWS", (height,))
            patch.setattr(tile, "_TENSOR_ROWS", (height,))
        yield


@contextmanager
def shared_tiles(rows: int, units: int, split: int) -> Iterator[None]:
    """Tiles of tensor cores of just this size, each shared by `split` blocks where there are clusters, whatever is to
    be read; all levels' columns have room."""
    with pytest.MonkeyPatch.context() as patch:
        for name, sizes in (("_TENSOR_ROWS", rows), ("_TENSOR_UNITS", units), ("_SPLITS", split)):
            patch.setattr(tile, name, (sizes,))
        patch.setattr(tile, "_NUMBERS", 1 << 10)
        patch.setattr(tile, "_SHARED_NUMBERS", 1 << 10)
        yield


def run(
    case: Case,
    place: Any = None,
    height: int | None = 32,
    rounding: str | None = None,
    division: Division | None = None,
) -> dict[str, Any]:
    """Every array of a forward and a backward pass, by name. height: of a tile, as in `tiles`."""
    place = place or OnCpu()
    options = {"mask": case.mask, "drop": case.drop, "rounding": rounding, "division": division}
    with np.errstate(all="ignore"), tiles(height):  # as the layers call it
        h, last, tape = forward(place, case.cell, case.weights, case.x, case.state0, **options)
        grads = backward(place, tape, case.dh, case.dstate, rounding=rounding, division=division)
        found = cc.forward_fields(h, last, tape) | everything(grads)
    return found | {"tape met": tape.met} | {f"tape operands {q}": v for q, v in tape.operands.items()}


def expected(case: Case) -> dict[str, Any]:
    exact = cc.doubled(case)
    outcome = cc.textbook(exact)
    found, h = outcome.all, outcome.tape.states["h"]
    with np.errstate(all="ignore"):
        found["tape met"] = h if exact.drop is None else h * exact.drop
        met = operands(outcome.tape)
    return found | {f"tape operands {q}": met[q] for q in trace(case.cell).operands}


def assert_the_textbooks(case: Case, got: dict[str, Any], limit: float | None = None) -> None:
    """Every array is the float64 textbook's, NaN and infinity where it has them."""
    wanted = expected(case)
    dtype = case.x.dtype
    assert got.keys() == wanted.keys()
    finite = {k: np.where(np.isfinite(v), v, 0) for k, v in wanted.items()}
    atol = (LIMITS[dtype.name] if limit is None else limit) * largest(finite)
    for name, value in wanted.items():
        found = got[name]
        assert found.shape == value.shape, f"{name} has shape {found.shape}, not {value.shape}"
        assert found.dtype == dtype, name
        if name.startswith(("tape kept", "tape operands")) and case.mask is not None:
            # What a held row would have kept has no meaning: its step did not happen, and nothing reads it.
            found, value = (np.where(case.mask[:, :, None], a, 0) for a in (found, value))
        np.testing.assert_allclose(found, value, rtol=0, atol=atol, err_msg=f"{name} of {cc.describe(case)}")


@st.composite
def cases(draw: Any, cell: Cell, dtype: str, masked: bool, dropped: bool, steps: Any = None) -> Case:
    """Cases over shapes, patterns of a mask, biases, what the last state is owed, views of x and dh. steps: a strategy;
    1 to 4 by itself."""
    sizes = (
        draw(st.integers(1, 4) if steps is None else steps),
        *(draw(st.sampled_from(s)) for s in (ROWS, FEATURES, UNITS)),
    )
    seed = draw(st.integers(0, 2**32 - 1))
    case = cc.draw(
        cell,
        sizes,
        dtype,
        mask=cc.masks(*sizes[:2], seed)[draw(st.sampled_from(cc.MASKS[1:]))] if masked else None,
        dropped=dropped,
        biases=draw(st.sampled_from([("b", "b_h"), ("b",), ("b_h",), ()])),
        seed=seed,
    )
    owed = draw(st.sets(st.sampled_from(cell.state)))
    x, dh = (cc.seen(a, draw(st.sampled_from(cc.VIEWS))) for a in (case.x, case.dh))
    if masked and draw(st.booleans()):
        x = np.where(case.mask[:, :, None], x, x.dtype.type(np.nan))
    weights = {k: np.asfortranarray(v) if draw(st.booleans()) else v for k, v in case.weights.items()}
    dstate = {k: v for k, v in (case.dstate or {}).items() if k in owed} or draw(st.sampled_from([None, {}]))
    return replace(case, x=x, dh=dh, weights=weights, dstate=dstate)
