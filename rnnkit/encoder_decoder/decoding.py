"""Writing without the truth at hand: the likeliest token at each step, or the likeliest sequences of a beam."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rnnkit_kernels.types import Array

from .steps import Steps

__all__ = ["Decoded", "beam", "greedy"]


class Decoded(NamedTuple):
    """What was written.

    sequences          (B, L) tokens, int64, with the end token, and padding behind it; of a beam (B, width, L)
    log_probabilities  (B,) log p(sequence | x), float64: the sum over its tokens, the end among them; (B, width)
    lengths            (B,) tokens without the padding, with the end token; (B, width)
    """

    sequences: Array
    log_probabilities: Array
    lengths: Array


def greedy(steps: Steps, rows: int, max_length: int) -> Decoded:
    """The likeliest token at each step, the first of equals, until the end token or `max_length` tokens."""
    words = steps.vocabulary
    written = np.full((rows, max_length), words.filler, np.int64)
    total, lengths, live = np.zeros(rows), np.zeros(rows, np.int64), np.ones(rows, bool)
    read = np.full(rows, words.start)
    for t in range(max_length):
        log_p = steps.log_probabilities(read, None if live.all() else live)
        chosen = log_p.argmax(axis=-1)
        total[live] += log_p[live, chosen[live]]
        lengths += live
        written[live, t] = chosen[live]
        if words.end is not None:
            live &= chosen != words.end
        if not live.any():
            break
        read = np.where(live, chosen, words.start)  # what a row that is held reads has no effect
    return Decoded(written, total, lengths)


def beam(steps: Steps, rows: int, width: int, max_length: int, length_penalty: float) -> Decoded:
    """The `width` best continuations of each row are kept at every step; those that have ended stand among them.

    steps  rows * width rows, those of a sample side by side
    Ranked by log p / length^length_penalty. Best first; of equals the one whose tokens come first.
    A beam wider than there are sequences has rows of log p = -inf, length 0 and padding.
    """
    words = steps.vocabulary
    written = np.full((rows, width, max_length), words.filler, np.int64)
    total = np.full((rows, width), -np.inf)
    total[:, 0] = 0  # all begin alike: one of them goes on
    lengths, live = np.zeros((rows, width), np.int64), np.ones((rows, width), bool)
    read = np.full((rows, width), words.start)
    sample = np.arange(rows)[:, None]
    for t in range(max_length):
        log_p = steps.log_probabilities(read.ravel(), None if live.all() else live.ravel())
        V = log_p.shape[-1]
        sums = total[:, :, None] + log_p.reshape(rows, width, V)
        sums[~live] = -np.inf
        sums[~live, 0] = total[~live]  # what has ended goes on as it is, once
        length = (lengths + live)[:, :, None]
        scores = (sums / length**length_penalty).reshape(rows, width * V)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :width]
        parent, token = best // V, best % V
        total = np.take_along_axis(sums.reshape(rows, width * V), best, axis=1)
        written, lengths, live = written[sample, parent], lengths[sample, parent], live[sample, parent]
        written[:, :, t] = np.where(live, token, words.filler)
        lengths += live
        if words.end is not None:
            live &= token != words.end
        live &= np.isfinite(total)
        if not live.any():
            break
        read = np.where(live, token, words.start)
        steps.follow((sample * width + parent).ravel())
    none = ~np.isfinite(total)
    written[none], lengths[none] = words.filler, 0
    return Decoded(written, total, lengths)
