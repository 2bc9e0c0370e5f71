"""`gradcheck(target, ...)`: differentiate before you believe.

Cells, kernels, layers, models and losses, each as a function of all its arrays at once, held against central
differences or against the complex step.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

from rnnkit_kernels.backends import Kernel
from rnnkit_kernels.contract import Cell

from ..layers.base import Layer
from ..model import Sequential
from . import targets
from .compare import Report, Settings
from .models import check_model
from .recurrences import check_cell

__all__ = ["Report", "gradcheck"]


def gradcheck(
    target: Any,
    *arrays: Any,
    method: str = "auto",
    tolerance: float | None = None,
    elements: int = 2000,
    seed: int = 0,
    backend: str = "numpy",
    **options: Any,
) -> Report:
    """Compares a target's gradient with its differences, in float64, along a random direction and element by element.

    gradcheck(cell)                    a cell, or a kernel of one: all weights, x, initial states, every pre-activation;
                                       steps=4, rows=3, features=2, units=3, masked=True, dropped=True, zoned=False,
                                       restarted=False, projection=None
    gradcheck(layer, x)                a layer, for an input or, with shape=(B, T, F), for one that is drawn; mask=None,
                                       reset=None. Under a `gradient_clip` it fails: what comes back is no gradient
    gradcheck(model, x, y, loss=...)   all parameters and x of a `Sequential`, dropout off; mask, lengths,
                                       reset, sample_weight, tbptt
                                       or of an `EncoderDecoder`, whose decoder reads the truth: mask and lengths of x,
                                       sample_weight, teacher_forcing=1.0 (below it dropout is on, the same each time);
                                       the states on both ends of its bridge too, so that the side that is wrong is told
    gradcheck(loss, y, target)         a loss; drawn where they are not given; mask, sample_weight

    method     "difference" (fourth order, relative error around 1e-10), "complex" (Squire & Trapp 1998, around 1e-15,
               for cells and layers without a kink), "auto": complex where it can be
    tolerance  what counts as wrong; 1e-7 for differences, 1e-12 for the complex step
    elements   how many elements to differentiate one by one (2000); beyond that they are drawn. The direction has all
    seed       of everything that is drawn
    backend    whose gradients: "numpy" the textbook's, the adjoints as they are written by hand; "numba" those of the
               compiled kernels, which are derived; "cuda" those of a GPU's, in float64, brought down to be compared. No
               kernel takes complex numbers: the complex step is the textbook's, in main memory where it is "cuda"

    Returns a `Report`: true when all is well; printed, it names the worst element by layer, weight, gate and step.
    Raises ValueError for float32, whose differences have too few digits to tell right from wrong; TypeError for a
    target of another kind.
    """
    settings = Settings(method, tolerance, elements, seed, backend)
    if isinstance(target, type):
        if is_dataclass(target) and (needed := [f.name for f in fields(target) if _needed(f)]):
            raise TypeError(
                f"gradcheck takes an object: write {target.__name__} with its brackets, "
                f"and {' and '.join(needed)} in them"
            )
        target = target()
    if isinstance(target, (Cell, Kernel)):
        return check_cell(target, settings, *arrays, **options)
    from ..encoder_decoder.model import EncoderDecoder

    if isinstance(target, (Sequential, EncoderDecoder)):
        if len(arrays) < 2 and not options.keys() >= {"x", "y"}:
            raise TypeError("gradcheck(model, x, y) differentiates the loss of a batch: give x and y")
        if isinstance(target, EncoderDecoder):
            from .pairs import check_pair

            return check_pair(target, settings, *arrays, **options)
        return check_model(target, settings, *arrays, **options)
    if isinstance(target, Layer):
        return targets.check_layer(target, settings, *arrays, **options)
    if callable(target):
        return targets.check_loss(target, settings, *arrays, **options)
    raise TypeError(f"gradcheck takes a cell, a kernel, a layer, a model or a loss; got {target!r}")


def _needed(field: Field[Any]) -> bool:
    """Whether an argument has to be given."""
    return field.init and field.default is MISSING and field.default_factory is MISSING
