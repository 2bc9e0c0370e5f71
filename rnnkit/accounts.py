"""What each layer of a model runs on, why, and what that costs: one `Line` a layer, and one a part of a container."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnkit_kernels import costs
from rnnkit_kernels.backends import Backend
from rnnkit_kernels.own_kernel import without

from .layers.base import Layer, Shape
from .layers.container import Container
from .layers.convolution import Conv1D
from .layers.core import Dense, Dropout
from .layers.embedding import Embedding
from .layers.recurrent import Recurrent
from .layers.timedistributed import TimeDistributed

if TYPE_CHECKING:
    from .stack import Stack

__all__ = ["Circumstances", "Line", "filled", "lines"]


@dataclass(frozen=True)
class Circumstances:
    """backend; dtype by name; training: whether there is dropout and a way back"""

    backend: Backend
    dtype: str
    training: bool

    @property
    def itemsize(self) -> int:
        return 4 if self.dtype == "float32" else 8


@dataclass(frozen=True)
class Line:
    """What is known of one layer. place: "2", of a part "2.forward"; kind: its name, or its class'.

    kernel     what computes: "numba", "textbook", "BLAS", "NumPy", on a GPU "cuda", "cuBLAS", "CuPy"; "" for a
               container, whose parts follow
    why        why that one, in words
    split      "1", "2 by rows", "2 by units": threads, and what they divide; "" where a library decides
    lanes      numbers in a vector; 0 where a library decides
    forward, backward  operations of its products;  weights, tape: bytes
    """

    place: str
    kind: str
    kernel: str
    why: str
    split: str = ""
    lanes: int = 0
    forward: int = 0
    backward: int = 0
    weights: int = 0
    tape: int = 0


def filled(model: Stack, batch_size: int, steps: int | None) -> Shape:
    """The shape of x with a number for every size. Raises ValueError where `steps` is needed, or another is known."""
    shape = model.input_shape
    if len(shape) < 2 or (len(shape) == 2 and not model.layers[0].takes_indices):
        return (batch_size, *shape[1:])
    if steps is not None and shape[1] not in (None, steps):
        raise ValueError(f"the model was built for {shape[1]} steps, inputs {shape}; got steps={steps}")
    steps = steps or model.shapes[0][1]  # built from data, it takes any number, and was built for one
    if steps is None:
        raise ValueError(f"the model takes any number of steps, inputs {shape}: say how many, such as steps=50")
    return (batch_size, steps, *shape[2:])


def lines(model: Stack, shape: Shape, given: Circumstances) -> Iterator[tuple[Line, Shape]]:
    """Of every layer, for x of that shape; a container is followed by its parts. With each the shape of its input."""
    for k, layer in enumerate(model.layers):
        yield from _of(str(k), layer, shape, given)
        shape = layer.plan(shape)[1]


def _of(place: str, layer: Layer, shape: Shape, given: Circumstances) -> Iterator[tuple[Line, Shape]]:
    if not isinstance(layer, Container):
        yield _leaf(place, layer, shape, given), shape
        return
    found = [line for part in _parts(place, layer, shape) for line in _of(*part, given)]
    leaves = [line for line, _ in found if line.kernel]
    sums = {name: sum(getattr(line, name) for line in leaves) for name in ("forward", "backward", "tape")}
    sums["weights"] = given.itemsize * sum(map(prod, layer.plan(shape)[0].values()))
    yield Line(place, layer.name or type(layer).__name__, "", "see its parts", **sums), shape
    yield from found


def _parts(place: str, layer: Container, shape: Shape) -> Iterator[tuple[str, Layer, Shape]]:
    """Each part that has a product, with the shape of what it is given: its features are read off its weights."""
    if isinstance(layer, TimeDistributed):
        rows = (shape[0] or 1) * (shape[1] or 1)
        yield f"{place}.layer", layer.parts["layer"], (rows, *shape[2:])
        return
    sizes = layer.plan(shape)[0]
    for name, part in layer.parts.items():
        inside = {key.partition(".")[2]: size for key, size in sizes.items() if key.partition(".")[0] == name}
        first = next((size for key, size in inside.items() if key.rpartition(".")[2] == "W"), None)
        if first is not None:
            groups = getattr(part, "groups", 1)
            yield f"{place}.{name}", part, (*shape[:-1], first[-2] * groups)


def _leaf(place: str, layer: Layer, shape: Shape, given: Circumstances) -> Line:
    sizes = layer.plan(shape)[0]
    named: Any = {"place": place, "kind": layer.name or type(layer).__name__}
    named["weights"] = given.itemsize * sum(map(prod, sizes.values()))
    if isinstance(layer, Recurrent):
        return _recurrent(layer, shape, given, named)
    if isinstance(layer, Conv1D):
        rows = (shape[0] or 1) * layer.sliding.window(shape[1] or 1).outputs(shape[1] or 1)
        count = 2 * rows * prod(sizes["W"])
        kernel = given.backend.convolution().origin
        tape = given.itemsize * prod(n or 1 for n in shape)
        return Line(kernel=kernel, why=_made(kernel, given), forward=count, backward=2 * count, tape=tape, **named)
    if isinstance(layer, Dense):
        count = 2 * prod(n or 1 for n in shape[:-1]) * prod(sizes["W"])
        tape = given.itemsize * prod(n or 1 for n in shape)
        if given.backend.place is not None:
            kernel, why = "cuBLAS", "one product, which CuPy hands to cuBLAS"
        else:
            kernel, why = "BLAS", "one product, which NumPy hands to its BLAS and the BLAS divides"
        return Line(kernel=kernel, why=why, forward=count, backward=2 * count, tape=tape, **named)
    if given.backend.place is not None:
        return Line(kernel="CuPy", why="no products: CuPy, array by array", **named)
    compiled = isinstance(layer, (Dropout, Embedding)) and given.backend.elementwise.origin == "numba"
    why = "reads and writes each number once, without products" if compiled else "no products: NumPy, number by number"
    return Line(kernel="numba" if compiled else "NumPy", why=why, **named)


def _recurrent(layer: Recurrent, shape: Shape, given: Circumstances, named: Any) -> Line:
    cell, (B, T) = layer.make_cell(), (shape[0] or 1, shape[1] or 1)
    sizes = layer.kernel_weights(layer.plan(shape)[0])  # type: ignore[arg-type]
    cost = costs.recurrence(cell, sizes, T, B, given.itemsize)  # type: ignore[arg-type]
    named |= {"forward": cost.forward, "backward": cost.backward, "tape": cost.tape}
    if given.backend.place is not None:
        return _on_a_gpu(layer, shape, "P" in sizes, given, named)
    if given.backend.name == "numpy":
        return Line(kernel="textbook", why=_made("textbook", given), **named)
    from rnnkit_kernels.numba_cpu.programs import width
    from rnnkit_kernels.numba_cpu.split import choose

    obstacle = without(layer.zoneout or layer.cell_zoneout, None, "P" in sizes, np.dtype(given.dtype))
    if obstacle is not None:
        return Line(kernel="textbook", why=f"{obstacle}, which the compiled kernel does not take", **named)
    F, units = sizes["W"][0], sizes["U"][0]
    lanes = width(given.dtype, units)
    split = choose(cell, T, B, F, units, given.itemsize, lanes)
    parts = str(split.parts) if split.parts == 1 else f"{split.parts} by {'units' if split.by_units else 'rows'}"
    why = f"{_made('numba', given)}; {split.reason}"
    if given.training and layer.gradient_clip is not None:
        why += "; the way back is the textbook's, for gradient_clip"
    return Line(kernel="numba", why=why, split=parts, lanes=lanes, **named)


def _on_a_gpu(layer: Recurrent, shape: Shape, projected: bool, given: Circumstances, named: Any) -> Line:
    obstacle = without(layer.zoneout or layer.cell_zoneout, None, projected, np.dtype(given.dtype))
    if obstacle is not None:
        why = f"{obstacle}, which the GPU's kernels do not take: NumPy's lines, on CuPy's arrays"
        return Line(kernel="textbook", why=why, **named)
    pair, rows, units = given.backend.kernel(layer.cell_made), shape[0] or 1, layer.state_sizes["h"]
    why = f"{_made('cuda', given)}; {pair.in_words(rows, units, given.dtype, given.training)}"
    if given.training and layer.gradient_clip is not None:
        why += "; the way back is the textbook's, for gradient_clip"
    return Line(kernel="cuda", why=why, **named)


def _made(kernel: str, given: Circumstances) -> str:
    if kernel == "cuda":
        return f"printed for {given.dtype}"
    if kernel == "numba":
        return f"compiled for {given.dtype}"
    return f"NumPy and its BLAS, as backend={given.backend.name!r} says"
