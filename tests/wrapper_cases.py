"""What the tests of layers made of layers share: a mask, weights, comparisons."""

from __future__ import annotations

import numpy as np

MASK = np.array([[True, True, False, True], [False, False, True, True], [False, False, False, False]])
MERGES = ["concat", "sum", "mul", "ave", None]


def rng_of(seed=0):
    return np.random.default_rng(seed)


def started(layer, shape, dtype="float64"):
    """Parameters away from their starting values; a variance stays positive."""
    rng = rng_of(1)
    return {k: w + (0.3 * rng.random(w.shape)).astype(dtype) for k, w in layer.init(rng_of(), shape, dtype)[0].items()}


def same(a, b, digits=1e-12):
    assert a.keys() == b.keys()
    for k in a:
        np.testing.assert_allclose(a[k], b[k], rtol=digits, atol=digits, err_msg=k)
