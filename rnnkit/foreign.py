"""Arguments that Keras has and rnnkit has not: taken where they change no number, else refused in a sentence.

A listing with `unroll=True` or `name="sgd"` computes the same without it, and runs. One with `seed=3` on a layer, or
`activity_regularizer="l2"`, would compute something else, and is told what to write instead.
"""

from __future__ import annotations

import inspect
from abc import ABCMeta
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from typing import Any, ClassVar

__all__ = ["ANYTHING", "UnderstandsKeras", "refuse", "understood"]

_ANY = object()
ANYTHING = (_ANY,)  # for an `aside`

# name -> the values with which it changes nothing (_ANY: all), and what to do about any other.
_RULES: dict[str, tuple[tuple[Any, ...], str]] = {
    # How to compute, and how to call and show things: never what comes out.
    **dict.fromkeys(
        ("unroll", "use_cudnn", "implementation", "name", "batch_size", "run_eagerly", "jit_compile",
         "steps_per_execution", "workers", "use_multiprocessing", "max_queue_size", "auto_scale_loss"),
        ((_ANY,), ""),
    ),
    # Layers
    "activity_regularizer": ((None,), "rnnkit regularizes weights alone: kernel_regularizer, bias_regularizer"),
    "seed": ((None,), "the model's seed decides what its layers draw: Sequential(layers, seed=3)"),
    "dtype": ((None,), "a model has one dtype for all its layers: Sequential(layers, dtype='float64')"),
    "data_format": ((None, "channels_last"), "the features come last: x (batch, time, features)"),
    "noise_shape": ((None,), "whole channels are dropped by SpatialDropout1D"),
    "time_major": ((False,), "the batch comes first: x (batch, time, features)"),
    "zero_output_for_mask": ((False,), "a masked step gives the output that the last real one gave"),
    **dict.fromkeys(("renorm", "synchronized", "rms_scaling", "sparse", "ragged", "optional"), ((None, False), "")),
    **dict.fromkeys(("renorm_clipping", "lora_rank", "lora_alpha", "quantization_config", "tensor"), ((None,), "")),
    # Losses and metrics
    "reduction": (("sum_over_batch_size", "mean"), "a loss is the mean over its values"),
    "axis": ((-1,), "the classes are the last axis of y"),
    "num_regressors": ((0,), ""),
    "from_sorted_ids": ((False,), ""),
    # Optimizers
    "lr": ((), "write learning_rate="),
    "decay": ((), "give a schedule as learning_rate, such as schedules.InverseTimeDecay(0.01, 1, 1e-6)"),
    "use_ema": ((None, False), ""),
    "ema_momentum": ((_ANY,), ""),
    **dict.fromkeys(("ema_overwrite_frequency", "loss_scale_factor", "input_axes", "output_axes"), ((None,), "")),
    # Methods of a model
    "return_dict": ((True,), "the numbers come by name, in a dict: list(model.evaluate(x, y).values()) is Keras' list"),
    "steps_per_epoch": ((None,), "an epoch is one pass over x: pass as many batches as it should have"),
    "validation_steps": ((None,), "validation is one pass over validation_data: pass less of it"),
    "validation_batch_size": ((None,), "validation goes in batches of batch_size; an iterable of batches has its own"),
    "validation_freq": ((1,), "validation comes after every epoch"),
    "steps": ((None,), "all of x is gone through: pass less of it"),
    "callbacks": ((None, (), []), "callbacks look on in fit alone"),
    "loss_weights": ((None,), "a model has one output and one loss; weigh samples with sample_weight"),
    "nb_epoch": ((), "write epochs="),
}  # fmt: skip


class UnderstandsKeras(ABCMeta):
    """The class of classes whose constructors understand Keras' arguments as `understood` says; a sentence for others.

    A class with an `aside`, name -> values, takes these as well: what is harmless there and not everywhere.
    """

    aside: ClassVar[dict[str, tuple[Any, ...]]] = {}

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        known = _signature(cls).parameters
        if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in known.values()):
            return super().__call__(*args, **kwargs)
        if not kwargs.keys() <= known.keys():
            kwargs = understood(cls.__name__, kwargs, known, cls.aside)
        places = [name for name, p in known.items() if p.kind is not p.KEYWORD_ONLY]
        if len(args) > len(places):
            named = f" takes {', '.join(places)} by position" if places else " takes nothing by position"
            raise TypeError(f"{cls.__name__}{named}; got {len(args)}: write the others as name=value")
        return super().__call__(*args, **kwargs)

    @property
    def __signature__(cls) -> inspect.Signature:
        """That of the constructor, which `inspect` would not find behind `__call__`."""
        return _signature(cls)


@cache
def _signature(cls: Any) -> inspect.Signature:
    whole = inspect.signature(cls.__init__)
    return whole.replace(parameters=list(whole.parameters.values())[1:], return_annotation=whole.empty)


def understood(
    owner: str, given: dict[str, Any], known: Iterable[str], aside: dict[str, tuple[Any, ...]] | None = None
) -> dict[str, Any]:
    """The arguments that are left when Keras' own have been taken or put in rnnkit's words.

    input_dim=n, batch_shape=(B, T, F) and batch_input_shape become input_shape, or an `Input`'s shape; a number of rows
    is not held to, any will do.
    aside: name -> values that are harmless for this owner, beside those of `_RULES`
    Raises ValueError for one that would change what is computed, TypeError for one that nobody knows.
    """
    known, kept = list(known), {}
    shape = "shape" if "shape" in known else "input_shape"
    for name, value in given.items():
        if name in known:
            kept[name] = value
        elif name == "input_dim" and shape in known:
            kept[shape] = (value,)
        elif name in ("batch_shape", "batch_input_shape") and shape in known:
            kept[shape] = tuple(value[1:])
        else:
            refuse(owner, {name: value}, known, aside)
    return kept


def refuse(owner: str, given: dict[str, Any], known: Any = (), aside: dict[str, tuple[Any, ...]] | None = None) -> None:
    """Raises as `understood` does unless every argument is harmless with the value it has.

    known: names, or a function whose arguments they are, which is asked only where a name is wrong
    """
    for name, value in given.items():
        values, instead = _RULES.get(name, ((), ""))
        harmless = (*values, *(aside or {}).get(name, ()))
        if any(fine is _ANY or (type(fine) is type(value) and fine == value) for fine in harmless):
            continue
        if name in _RULES or name in (aside or {}):
            raise ValueError(f"{owner}: {name}={value!r} is not part of rnnkit{': ' + instead if instead else ''}")
        names = inspect.signature(known).parameters if callable(known) else known
        near = get_close_matches(name, list(names), n=1)
        raise TypeError(f"{owner} has no argument {name!r}{f'; did you mean {near[0]!r}?' if near else ''}")
