"""Optimizers: a rule for one array, lifted to any nesting of dict, list and tuple.

    state = opt.init(params)          params, state = opt.step(params, grads, state)

A step is pure: it returns new arrays and writes into none it was given. Its order is Keras 3's: average the gradients
where they are accumulated, clip them, decay the weights, update. State is a dict of trees by slot, {"momentum": like
params, ...}, and of numbers, among them "iterations", the calls of `step` so far: plain enough to be saved. Every array
keeps the dtype of its parameter.
Source of the update rules: Keras 3, `keras/src/optimizers/`.
"""

from __future__ import annotations

from rnnkit_kernels.sentences import unknown

from . import schedules
from .adam import Adam, AdamW, Nadam
from .base import Optimizer, Updated
from .rules import SGD, Adagrad, RMSprop

__all__ = ["ALL", "SGD", "Adagrad", "Adam", "AdamW", "Nadam", "Optimizer", "RMSprop", "Updated", "get", "schedules"]

ALL: tuple[type[Optimizer], ...] = (SGD, RMSprop, Adam, AdamW, Nadam, Adagrad)


def get(given: str | Optimizer | type[Optimizer]) -> Optimizer:
    """The optimizer of a name ("sgd", "rmsprop", "adam", "adamw", "nadam", "adagrad", in any case) or class, with
    defaults; or the object.

    Raises ValueError for an unknown name, TypeError for what is no optimizer.
    """
    if isinstance(given, str):
        table = {rule.__name__.lower(): rule for rule in ALL}
        if given.lower() not in table:
            raise unknown("optimizer", given, table)
        return table[given.lower()]()
    found = given() if isinstance(given, type) else given
    if not isinstance(found, Optimizer):
        raise TypeError(f"{given!r} is no optimizer: expected a name such as 'adam' or an object such as Adam(0.001).")
    return found
