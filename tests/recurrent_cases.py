"""What the tests of the recurrent layers' options share: every layer, all its options, flags, comparisons."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rnnkit import layers
from rnnkit.layers.recurrent import Recurrent
from rnnkit_kernels import cells

# Every recurrent layer, and every cell that has no layer of its own.
NAMED = {k: v for k, v in layers.ALL.items() if issubclass(v, Recurrent) and k != "RNN"}
MAKERS: dict[str, Any] = {
    k: (lambda kind: lambda units, **options: kind(units, **options))(v) for k, v in NAMED.items()
}
MAKERS |= {
    c.name: (lambda cell: lambda units, **options: layers.RNN(cell, units, **options))(c)
    for c in cells.ALL
    if type(c) not in {type(make(2).make_cell()) for make in MAKERS.values()}
}
EACH = pytest.mark.parametrize("name", MAKERS)
PROJECTED = pytest.mark.parametrize("name", [k for k, make in MAKERS.items() if make(2).make_cell().projectable])

# A norm over a row that is all but zero multiplies its rounding by 1 / sqrt(epsilon), 316.
CONDITION = {"LayerNormLSTM": 316e-12, "LayerNormGRU": 316e-12}

# Rows begin anew at real steps that follow real ones, and at masked ones; in the last row nothing is real.
MASK = np.array([[True, True, False, True], [False, True, True, True], [False, False, False, False]])
RESET = np.array([[False, True, True, False], [True, False, False, True], [False, False, True, False]])


def with_c(name):
    return "c" in MAKERS[name](2).make_cell().state


def all_options(name):
    """Everything that a layer of that name can have at once."""
    options: dict[str, Any] = {"zoneout": 0.3, "initial_state": "learned", "dropout": 0.3, "recurrent_dropout": 0.2}
    if with_c(name):
        options["cell_zoneout"] = 0.4
    if MAKERS[name](2).make_cell().projectable:
        options["projection"] = 2
    return options


def started(layer, rng, features=2):
    """Parameters away from their starting values."""
    params, _ = layer.init(rng, (None, None, features), "float64")
    return {k: w + 0.3 * rng.standard_normal(w.shape) for k, w in params.items()}


def same(got, expected, digits=1e-12):
    """Two dicts of arrays, up to the order in which sums are taken."""
    assert got.keys() == expected.keys()
    limit = digits * max([1.0, *(float(np.abs(v).max(initial=0)) for v in expected.values())])
    for k in expected:
        np.testing.assert_allclose(got[k], expected[k], rtol=0, atol=limit, err_msg=k)


def same_bits(got, expected):
    assert got.keys() == expected.keys()
    for k in expected:
        np.testing.assert_array_equal(got[k], expected[k], err_msg=k, strict=True)
