"""Models as files: safetensors, with the configuration in its metadata. Never pickle, and never half a file.

What is more than a model, such as a `Forecaster`, is written and read through the same border, with its model in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from rnnkit_kernels.backends import Backend
from rnnkit_kernels.backends import backend as backend_of
from rnnkit_kernels.devices import host
from rnnkit_kernels.types import Array

from . import layers
from .files import write_atomically
from .layers.base import Shape
from .model import Sequential
from .placing import there
from .spelling import read, spell

__all__ = [
    "FORECASTER",
    "MODELS",
    "PAIR",
    "Opened",
    "compare",
    "compile_as",
    "compiled_config",
    "config_of",
    "filled",
    "input_shape",
    "load",
    "opened",
    "planned",
    "save",
    "sequential",
    "tensors",
    "write",
]

MODELS = _FORMAT, PAIR = "rnnkit model 1", "rnnkit encoder-decoder 1"
FORECASTER = "rnnkit forecaster 1"

T = TypeVar("T")


@dataclass(frozen=True)
class Opened:
    """A file that is open: its configuration, {} where it has none; shape and code of each tensor by name, and how to
    read one."""

    config: dict[str, Any]
    sizes: dict[str, Any]
    tensor: Callable[[str], Array]


def save(model: Sequential, path: str | PathLike[str]) -> None:
    """See `Sequential.save`. Raises ValueError for an unbuilt model or for an object that a file cannot name."""
    write(Path(path), tensors(model.params), config_of(model))


def config_of(model: Sequential) -> dict[str, Any]:
    """All of a model but its weights as plain data; raises what `save` raises."""
    if not model.built:
        raise ValueError("an unbuilt model has no weights to save: build it, or use it on data first")
    return {
        "format": _FORMAT,
        "dtype": str(model.dtype),
        "seed": model.seed,
        "shape": spell(model.shapes[0]),
        "steps_fixed": model.input_shape == model.shapes[0],
        "layers": [spell(layer) for layer in model.layers],
        "compiled": compiled_config(model),
    }


def compiled_config(model: Any) -> dict[str, Any] | None:
    """How a model was compiled, as plain data; None where it was not."""
    if model.loss is None:
        return None
    return {
        "optimizer": spell(model.optimizer),
        "loss": spell(model.loss),
        "metrics": [spell(m) for m in model.metrics],
        "weighted_metrics": [spell(m) for m in model.weighted_metrics],
    }


def tensors(params: Sequence[dict[str, Array]], before: str = "") -> dict[str, Array]:
    """Weights named "place.weight", with something before it."""
    return {f"{before}{k}.{name}": w for k, p in enumerate(params) for name, w in p.items()}


def filled(params: Sequence[dict[str, Array]], tensor: Callable[[str], Array], before: str = "") -> list[Any]:
    """The inverse of `tensors`: parameters nested like `params`, read from a file."""
    return [{name: tensor(f"{before}{k}.{name}") for name in p} for k, p in enumerate(params)]


def write(path: Path, tensors: dict[str, Array], config: dict[str, Any]) -> None:
    """Arrays by name and a configuration as one safetensors file."""
    from safetensors.numpy import save as to_bytes

    whole = {name: np.asarray(host(a), order="C") for name, a in tensors.items()}
    write_atomically(path, to_bytes(whole, {"rnnkit": json.dumps(config)}))


def load(path: str | PathLike[str], custom: Iterable[Any] = (), *, backend: str = "auto") -> Any:
    """The model that `save` wrote, a `Sequential` or an `EncoderDecoder`: layers, weights, dtype, seed, and how it was
    compiled.

    custom   classes of your own that the model was made of, such as the cell of an RNN: they are code, a file only
             names them
    backend  what it is to run on, as of a `Sequential`: a file does not say what it ran on
    raises   what a `Sequential` raises for its backend; FileNotFoundError; ValueError, in a sentence, for a file that
             is cut short, is no rnnkit model, or whose weights do not match its configuration. Sizes are compared
             before any memory is taken.
    The optimizer's moments are not saved: training goes on with fresh ones.
    """
    kernels = backend_of(backend)
    return opened(path, "a model", lambda file: _model(file, custom, kernels))


def opened(path: str | PathLike[str], what: str, make: Callable[[Opened], T]) -> T:
    """What `make` makes of a file.

    what     it is, in words: "a model"
    raises   FileNotFoundError; ValueError, with the path, for what is no whole safetensors file, and in place of what
             `make` raises where a configuration is broken
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            found = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            sizes = {name: (tuple(s.get_shape()), s.get_dtype()) for name, s in found.items()}
            config = json.loads(metadata.get("rnnkit") or "null")
            return make(Opened(config if isinstance(config, dict) else {}, sizes, file.get_tensor))
    except SafetensorError as error:
        raise ValueError(
            f"{path} is no whole safetensors file ({error}); it may be cut short, or be something else"
        ) from None
    except (LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} cannot be read as {what}: its configuration is broken ({error})") from None
    except ValueError as error:
        raise ValueError(f"{path} cannot be read as {what}: {error}") from None


def _model(file: Opened, custom: Iterable[Any], kernels: Backend) -> Any:
    kind = file.config.get("format")
    if kind == FORECASTER:
        raise ValueError("it is a forecaster, which Forecaster.load reads")
    if kind == _FORMAT:
        model: Any = sequential(file.config, file.sizes, custom)
    elif kind == PAIR:
        from .encoder_decoder.saving import from_config

        model = from_config(file.config, file.sizes, custom)
    else:
        raise ValueError("it is a safetensors file without a model of rnnkit in it")
    model.backend = kernels
    model.params = there(kernels, filled(model.params, file.tensor))
    return model


def sequential(config: dict[str, Any], sizes: dict[str, Any], custom: Iterable[Any]) -> Sequential:
    """The model of a configuration, its weights still to be filled in. Raises ValueError where `sizes`, those of the
    weights in the file, are not its own; they are compared before anything of that size is made."""
    stack = [read(entry, custom, "layer") for entry in config["layers"]]
    shape = input_shape(config, stack)
    model = Sequential(dtype=config["dtype"], seed=config["seed"])
    compare(planned(stack, shape), sizes, config["dtype"])
    if config["steps_fixed"]:
        model.add(layers.Input(shape[1:]))
    for layer in stack:
        model.add(layer)
    model.accept((None, *shape[1:]))
    compile_as(model, config["compiled"], custom)
    return model


def input_shape(config: dict[str, Any], stack: Sequence[Any]) -> Shape:
    """The shape that a configuration says x has, batch included, for a stack of layers. Raises ValueError for none."""
    shape = tuple(config["shape"])
    if not all(n is None or (isinstance(n, int) and n > 0) for n in shape):
        raise ValueError(f"its input shape is {shape}")
    if not config["steps_fixed"] and stack and stack[0].input_shape is not None:
        raise ValueError(f"its first layer says input_shape={stack[0].input_shape}, and that the shape is free")
    return shape


def compile_as(model: Any, compiled: dict[str, Any] | None, custom: Iterable[Any]) -> None:
    """Compiles a model as the one that `compiled_config` was asked about."""
    if compiled is not None:
        model.compile(
            read(compiled["optimizer"], custom, "optimizer"),
            read(compiled["loss"], custom, "loss"),
            [read(entry, custom, "metric") for entry in compiled["metrics"]],
            [read(entry, custom, "metric") for entry in compiled["weighted_metrics"]],
        )


def planned(stack: Sequence[Any], shape: Any, first: int = 0) -> dict[str, tuple[int, ...]]:
    """The shapes of all weights, named "place.weight", of layers in a row for x of that shape; first: their place."""
    wanted: dict[str, tuple[int, ...]] = {}
    for k, layer in enumerate(stack, first):
        plan, shape = layer.plan(shape)
        wanted |= {f"{k}.{name}": size for name, size in plan.items()}
    return wanted


def compare(planned: dict[str, tuple[int, ...]], sizes: dict[str, Any], dtype: str) -> None:
    """Holds the configuration against the weights in the file, before anything of that size is made."""
    code = {"float32": "F32", "float64": "F64"}[dtype]
    wanted = {name: (size, code) for name, size in planned.items()}
    for name in sorted(wanted.keys() | sizes.keys()):
        if wanted.get(name) != sizes.get(name):
            raise ValueError(f"weight {name} should be {wanted.get(name, 'absent')} and is {sizes.get(name, 'absent')}")
