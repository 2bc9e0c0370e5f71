"""Keras 3 and PyTorch in float64, and how their answers are written down: for the scripts of this folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

os.environ["KERAS_BACKEND"] = "torch"
sys.path.insert(0, str(Path(__file__).parents[1]))

from keras.src.backend.common import dtypes

# Without this line and `set_floatx` Keras computes parts of what it is asked in float32, and says nothing.
dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"

import keras  # noqa: E402
import peer_values  # noqa: E402
import torch  # noqa: E402

keras.config.set_floatx("float64")
torch.set_default_dtype(torch.float64)

__all__ = ["MADE_WITH", "hard_sigmoid", "keras", "leaf", "peer_values", "plain", "torch"]

MADE_WITH = f"keras {keras.__version__}, torch {torch.__version__.partition('+')[0]}"


def leaf(array):
    """A tensor that gets a gradient."""
    return torch.tensor(np.ascontiguousarray(array), requires_grad=True)


def plain(value):
    """Lists of numbers to 12 digits, arrays laid flat; refuses what is not float64, or not finite."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    array = value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
    assert array.dtype == np.float64, array.dtype
    assert np.isfinite(array).all(), array
    return [float(f"{v:.12g}") for v in array.ravel().tolist()]


def hard_sigmoid(a):
    """Keras' formula. PyTorch's kernel goes back with 1/6 in float32, wrong in the eighth digit of a float64."""
    return torch.clamp(a / 6 + 0.5, 0, 1)
