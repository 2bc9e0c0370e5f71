"""What Keras is asked about losses and metrics; its answers are in `losses.json`, written by `make_losses.py`.

A case is data, so that both sides read the same one: see `arrays`. Losses that Keras lacks are written out in PyTorch.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from peer_values import draw

PATH = Path(__file__).with_name("losses.json")

# As y, as a target: numbers in a shape, by the salt of `draw`.
KINDS = {
    "real": lambda shape, salt: draw(shape, salt, 2.0),
    "positive": lambda shape, salt: 0.1 + np.abs(draw(shape, salt, 2.0)),
    "near zero": lambda shape, salt: np.where(draw(shape, salt + 1) < -0.3, 1e-9, draw(shape, salt)),
    "probability": lambda shape, salt: 0.01 + 0.49 * (1 + draw(shape, salt)),
    "extreme": lambda shape, salt: np.array([0, 1e-9, 1e-7, 0.3, 1 - 1e-7, 1 - 1e-9, 1.0])[
        np.arange(np.prod(shape)).reshape(shape) % 7
    ],
    "logit": lambda shape, salt: draw(shape, salt, 4.0),
    "immense": lambda shape, salt: draw(shape, salt, 1e4),
    "binary": lambda shape, salt: (draw(shape, salt) > 0).astype(float),
    "one-hot": lambda shape, salt: np.eye(shape[-1])[label(shape, salt)],
    "labels": lambda shape, salt: label(shape, salt).astype(float),
    "labels, 1": lambda shape, salt: label(shape, salt)[..., None].astype(float),
    "labels or -1": lambda shape, salt: np.where(draw(shape[:-1], salt + 1) < -0.2, -1, label(shape, salt)),
    "tied": lambda shape, salt: np.round(draw(shape, salt, 2.0)),
    "flat": lambda shape, salt: draw(shape, salt, 2.0)[..., 0],
}


def label(shape, salt):
    return (np.abs(draw(shape[:-1], salt, 1001)).astype(int)) % shape[-1]


def arrays(y, target, shape, given):
    """y, target, and by name the weights and the mask that a case has."""
    more = {}
    if given in ("rows", "mask, rows"):
        more["sample_weight"] = draw(shape[:1], 13, 0.9) + 1
    if given in ("steps", "mask, steps"):
        more["sample_weight"] = draw(shape[:2], 13, 0.9) + 1
    if given and given.startswith("mask"):
        more["mask"] = draw(shape[:2], 17) > -0.4
    return KINDS[y](shape, 11), KINDS[target](shape, 12), more


def _losses():
    """name -> (loss, its arguments, y, target, shape of y, what else is given)."""
    kinds = [
        ("MeanAbsolutePercentageError", {}, "real", "positive", (4, 3, 2)),
        ("MeanAbsolutePercentageError", {}, "real", "near zero", (4, 3, 2)),
        ("MeanSquaredLogarithmicError", {}, "positive", "positive", (4, 3, 2)),
        ("MeanSquaredLogarithmicError", {}, "real", "real", (4, 3, 2)),
        ("LogCosh", {}, "real", "real", (4, 3, 2)),
        ("LogCosh", {}, "immense", "real", (4, 3, 2)),
        ("Quantile", {"quantile": 0.9}, "real", "real", (4, 3, 2)),
        ("Quantile", {"quantile": (0.1, 0.5, 0.8)}, "real", "flat", (4, 2, 3)),
        ("BinaryCrossentropy", {}, "probability", "binary", (4, 3, 1)),
        ("BinaryCrossentropy", {}, "probability", "probability", (4, 3, 2)),
        ("BinaryCrossentropy", {}, "extreme", "binary", (4, 3, 2)),
        ("BinaryCrossentropy", {"label_smoothing": 0.2}, "probability", "binary", (4, 3, 2)),
        ("BinaryCrossentropy", {"from_logits": True}, "logit", "binary", (4, 3, 1)),
        ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "logit", "binary", (4, 3, 2)),
        ("BinaryCrossentropy", {"from_logits": True}, "immense", "binary", (4, 3, 2)),
        ("CategoricalCrossentropy", {}, "positive", "one-hot", (4, 3, 5)),
        ("CategoricalCrossentropy", {}, "extreme", "one-hot", (4, 3, 5)),
        ("CategoricalCrossentropy", {}, "probability", "probability", (4, 2, 3)),
        ("CategoricalCrossentropy", {"label_smoothing": 0.3}, "positive", "one-hot", (4, 2, 3)),
        ("CategoricalCrossentropy", {"from_logits": True}, "logit", "probability", (4, 2, 3)),
        ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "logit", "one-hot", (4, 2, 3)),
        ("CategoricalCrossentropy", {"from_logits": True}, "immense", "one-hot", (4, 2, 3)),
        ("SparseCategoricalCrossentropy", {}, "positive", "labels", (4, 2, 3)),
        ("SparseCategoricalCrossentropy", {}, "extreme", "labels, 1", (4, 3, 5)),
        ("SparseCategoricalCrossentropy", {"from_logits": True}, "logit", "labels, 1", (4, 2, 3)),
        ("SparseCategoricalCrossentropy", {"from_logits": True}, "immense", "labels", (4, 2, 3)),
        ("SparseCategoricalCrossentropy", {"from_logits": True, "ignore_class": -1}, "logit", "labels or -1",
         (5, 3, 4)),
        ("SparseCategoricalCrossentropy", {"ignore_class": 2}, "positive", "labels", (5, 3, 4)),
    ]  # fmt: skip
    return {
        f"{loss} {options} {y}, {target}{', ' if given else ''}{given}": (loss, options, y, target, shape, given)
        for loss, options, y, target, shape in kinds
        for given in ("", "rows", "steps", "mask", "mask, rows", "mask, steps")
    } | {
        f"{loss} of vectors, {given}": (loss, options, y, target, (5, 3), given)
        for loss, options, y, target in (
            ("BinaryCrossentropy", {}, "probability", "binary"),
            ("CategoricalCrossentropy", {}, "positive", "one-hot"),
            ("SparseCategoricalCrossentropy", {}, "positive", "labels"),
            ("SparseCategoricalCrossentropy", {"from_logits": True}, "logit", "labels, 1"),
        )
        for given in ("", "rows")
    }


def _metrics():
    """name -> (metric, its arguments, y, target, shape of y, what else is given)."""
    kinds = [
        ("MeanSquaredError", {}, "real", "real", (6, 3, 2)),
        ("MeanAbsoluteError", {}, "real", "real", (6, 3, 2)),
        ("MeanAbsolutePercentageError", {}, "real", "positive", (6, 3, 2)),
        ("MeanSquaredLogarithmicError", {}, "real", "positive", (6, 3, 2)),
        ("LogCoshError", {}, "real", "real", (6, 3, 2)),
        ("BinaryCrossentropy", {"label_smoothing": 0.1}, "probability", "binary", (6, 3, 2)),
        ("BinaryCrossentropy", {"from_logits": True}, "logit", "binary", (6, 3, 2)),
        ("CategoricalCrossentropy", {"from_logits": True}, "logit", "one-hot", (6, 3, 4)),
        ("CategoricalCrossentropy", {"label_smoothing": 0.1}, "positive", "one-hot", (6, 3, 4)),
        ("SparseCategoricalCrossentropy", {}, "positive", "labels", (6, 3, 4)),
        ("SparseCategoricalCrossentropy", {"from_logits": True}, "logit", "labels, 1", (6, 3, 4)),
        ("Accuracy", {}, "tied", "tied", (6, 3, 2)),
        ("BinaryAccuracy", {}, "probability", "binary", (6, 3, 2)),
        ("BinaryAccuracy", {"threshold": 0.8}, "probability", "binary", (6, 3, 1)),
        ("CategoricalAccuracy", {}, "tied", "one-hot", (6, 3, 4)),
        ("SparseCategoricalAccuracy", {}, "tied", "labels", (6, 3, 4)),
        ("SparseCategoricalAccuracy", {}, "logit", "labels or -1", (6, 3, 4)),
        ("TopKCategoricalAccuracy", {"k": 2}, "tied", "one-hot", (6, 3, 4)),
        ("SparseTopKCategoricalAccuracy", {"k": 2}, "tied", "labels", (6, 3, 4)),
        ("SparseTopKCategoricalAccuracy", {}, "logit", "labels", (6, 3, 7)),
        ("accuracy", {}, "probability", "binary", (6, 3, 1)),
        ("acc", {}, "logit", "labels", (6, 3, 4)),
        ("accuracy", {}, "logit", "labels, 1", (6, 3, 4)),
        ("accuracy", {}, "logit", "one-hot", (6, 3, 4)),
    ]
    cases = {
        f"{metric} {options} {y}, {target}{', ' if given else ''}{given}": (metric, options, y, target, shape, given)
        for metric, options, y, target, shape in kinds
        for given in ("", "rows", "steps", "mask", "mask, steps")
    }
    for given in ("", "rows", "steps"):  # what knows no mask in Keras
        cases[f"RootMeanSquaredError {given}"] = ("RootMeanSquaredError", {}, "real", "flat", (6, 3, 1), given)
    for given in ("", "rows"):
        for options in ({}, {"class_aggregation": "variance_weighted_average"}, {"class_aggregation": None}):
            cases[f"R2Score {options} {given}"] = ("R2Score", options, "real", "real", (6, 3), given)
        cases[f"a function, {given}"] = ("last_time_step_mse", {}, "real", "real", (6, 3, 2), given)
        for k in range(3):
            cases[f"mae of output {k + 1}, {given}"] = ("mae of one output", {"k": k}, "real", "real", (6, 4, 3), given)
    for given in ("mask", "mask, steps"):
        for k in range(3):
            cases[f"mae of output {k + 1}, {given}"] = ("mae of one output", {"k": k}, "real", "real", (6, 4, 3), given)
    return cases


LOSSES, METRICS = _losses(), _metrics()
BATCHES = (slice(0, 3), slice(3, 5), slice(5, 6))
