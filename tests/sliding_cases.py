"""What the tests of convolution, pooling and all that is made of them share: options, weights, streams, probes."""

from __future__ import annotations

from itertools import product

import numpy as np

from rnnkit import Context

PADDINGS = ("valid", "same", "causal")

# padding, stride, dilation, groups
GEOMETRIES = [
    {"padding": padding, "strides": s, "dilation_rate": d, "groups": g}
    for padding, s, d, g in product(PADDINGS, (1, 2, 3), (1, 2), (1, 2))
]


def spelt(options):
    return " ".join(f"{k}={v}" for k, v in options.items()) if isinstance(options, dict) else str(options)


def weights(layer, features, rng, dtype="float64"):
    """Parameters away from their starting values, so that no bias is zero."""
    params, _ = layer.init(rng, (None, None, features), dtype)
    return {k: (w + 0.3 * rng.standard_normal(w.shape)).astype(dtype) for k, w in params.items()}


def windows(T, size, stride, dilation, padding):
    """The steps that each output sees, a list for each; below 0 and from T up they are padding."""
    span = (size - 1) * dilation + 1
    if padding == "valid":
        starts = range(0, T - span + 1, stride)
    elif padding == "causal":
        starts = range(1 - span, T - span + 1, stride)
    else:
        count = (T + stride - 1) // stride
        left = max((count - 1) * stride + span - T, 0) // 2
        starts = [n * stride - left for n in range(count)]
    return [[start + j * dilation for j in range(size)] for start in starts]


def streamed(stream, x, mask=None):
    """The steps that come out of a stream fed with x (B, T, F), and their masks: (B, N, ...) and (B, N) or None."""
    steps, flags = [], []
    for t in range(x.shape[1]):
        out = stream.step(x[:, t], None if mask is None else mask[:, t])
        if out is not None:
            steps.append(out[0])
            flags.append(out[1])
    return np.stack(steps, axis=1), None if flags[0] is None else np.stack(flags, axis=1)


def assert_streams(layer, params, x, mask=None):
    """A stream gives what the full pass gives, also once more after a reset, and after its state was put elsewhere."""
    y, _ = layer(params, x, Context(mask=mask))
    expected_mask = layer.next_mask(mask, x)
    stream, close = layer.stream(params, len(x)), {"rtol": 1e-12, "atol": 1e-12}
    for _ in range(2):
        got, flags = streamed(stream, x, mask)
        assert got.dtype == y.dtype
        np.testing.assert_allclose(got, y, **close)
        if mask is not None:
            np.testing.assert_array_equal(flags, expected_mask)
        stream.reset()
    half = x.shape[1] // 2
    first = [stream.step(x[:, t], None if mask is None else mask[:, t]) for t in range(half)]
    kept, other = stream.state, layer.stream(params, len(x))
    other.state = kept
    for array in kept.values():
        array[...] = 1  # a state is a copy, on the way out and on the way in
    for again in (stream, other):
        second = [again.step(x[:, t], None if mask is None else mask[:, t]) for t in range(half, x.shape[1])]
        got = np.stack([out[0] for out in first + second if out is not None], axis=1)
        np.testing.assert_allclose(got, y, **close)


def seen(layer, params, x, n):
    """Which steps of x (B, T, F) output step n depends on, found by moving each of them."""
    y = layer(params, x)[0][:, n]
    found = []
    for t in range(x.shape[1]):
        moved = x.copy()
        moved[:, t] += 10.0
        if not np.array_equal(layer(params, moved)[0][:, n], y):
            found.append(t)
    return found
