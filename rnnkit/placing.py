"""Trees of arrays on their way to where a backend's kernels run, and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnkit_kernels.backends import Backend
from rnnkit_kernels.backends import backend as backend_of
from rnnkit_kernels.devices import host, is_here

if TYPE_CHECKING:
    from .batches import Batch

__all__ = ["batch_there", "handed_out", "here", "numbers", "stepping", "there"]


def there(backend: Backend, tree: Any) -> Any:
    """The tree, any nesting of dict, list and tuple, with its arrays where the backend's kernels run; what is not an
    array of main memory stays as it is. Nothing is copied where they run in main memory."""
    if backend.place is None:
        return tree
    return _moved(tree, lambda a: backend.array(a) if isinstance(a, np.ndarray) else a)


def here(tree: Any) -> Any:
    """The tree with its arrays in main memory. Waits for those that are on a device."""
    return _moved(tree, host)


def _moved(tree: Any, move: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _moved(branch, move) for key, branch in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(_moved(branch, move) for branch in tree)
    return move(tree)


def batch_there(backend: Backend, batch: Batch) -> Batch:
    """The batch where the backend's kernels run: what goes up in a step of training, all of it."""
    if backend.place is None:
        return batch
    return replace(batch, **{field.name: backend.array(getattr(batch, field.name)) for field in fields(batch)})


def handed_out(backend: Backend, y: Any, pullback: Callable[[Any], Any]) -> tuple[Any, Callable[[Any], Any]]:
    """An output and the way back as who is not on the device takes and gives them: NumPy arrays."""
    return here(y), lambda dy: here(pullback(there(backend, dy)))


def numbers(tree: Any) -> Any:
    """The tree with the numbers and small arrays that lie on a device brought down, all of them in one transfer."""
    found: list[Any] = []
    _moved(tree, lambda a: a if is_here(a) else found.append(a))
    if not found:
        return tree
    flat = host(np.concatenate([a.astype(np.float64).reshape(-1) for a in found]))
    ends = np.cumsum([a.size for a in found])
    parts = iter([part.reshape(a.shape) for a, part in zip(found, np.split(flat, ends[:-1]), strict=True)])

    def taken(a: Any) -> Any:
        if is_here(a):
            return a
        part = next(parts)
        return part if part.ndim else part.item()

    return _moved(tree, taken)


def stepping(backend: Backend, params: list[dict[str, Any]]) -> tuple[Backend, list[dict[str, Any]]]:
    """The backend, and the parameters there, that feed a model one step at a time: those of a GPU are brought down, a
    step of a few rows being done sooner on the CPU than it is asked of the GPU."""
    return (backend, params) if backend.place is None else (backend_of("auto"), here(params))
