"""Trees: any nesting of dict, list and tuple with arrays at the leaves, as parameters and gradients come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

__all__ = ["leaves", "like", "map", "rows", "same_structure"]

_ARRAYS = {np.ndarray}


def map(fn: Callable[..., Any], *trees: Any) -> Any:  # shadows the builtin on purpose: read it as trees.map
    """fn(leaf, ...) at every place of trees of one structure, in a tree of the same structure.

    Dicts are matched by key and come out in the key order of the first tree.
    Raises ValueError, naming the place, where structures differ or a leaf is None.
    """
    return like(trees[0], [fn(*row) for row in rows(*trees)])


def leaves(tree: Any) -> list[Any]:
    """The leaves of a tree, depth first, dicts in their own order. Raises ValueError for a leaf that is None."""
    return [leaf for (leaf,) in rows(tree)]


def same_structure(*trees: Any) -> None:
    """Raises ValueError, naming the first place, unless all trees nest alike; arrays are not compared."""
    rows(*trees)


def rows(*trees: Any) -> list[tuple[Any, ...]]:
    """The leaves at every place of trees of one structure, depth first, in the order of the first tree.

    Raises as `map` does.
    """
    found: list[tuple[Any, ...]] = []
    _walk(trees, (), found)
    return found


def like(tree: Any, leaves: Iterable[Any]) -> Any:
    """A tree of the structure of `tree` with other leaves, in the order in which `leaves` has them."""
    return _filled(tree, iter(leaves))


def _filled(tree: Any, leaves: Iterator[Any]) -> Any:
    if isinstance(tree, dict):
        return {
            key: next(leaves) if type(branch) is np.ndarray else _filled(branch, leaves) for key, branch in tree.items()
        }
    if isinstance(tree, list):
        return [_filled(branch, leaves) for branch in tree]
    if isinstance(tree, tuple):
        return tuple([_filled(branch, leaves) for branch in tree])
    return next(leaves)


def _walk(trees: tuple[Any, ...], path: tuple[Any, ...], found: list[tuple[Any, ...]]) -> None:
    head = trees[0]
    if isinstance(head, dict):
        for tree in trees:
            if tree is not head and (not isinstance(tree, dict) or tree.keys() != head.keys()):
                raise _other(path, head, tree)
        for key in head:
            row = tuple([tree[key] for tree in trees])
            if {type(leaf) for leaf in row} == _ARRAYS:  # nearly always
                found.append(row)
            else:
                _walk(row, (*path, key), found)
    elif isinstance(head, (list, tuple)):
        for tree in trees:
            if tree is not head and _sequence(tree) != _sequence(head):
                raise _other(path, head, tree)
        for i, branches in enumerate(zip(*trees, strict=True)):
            _walk(branches, (*path, i), found)
    else:
        for tree in trees:
            if isinstance(tree, (dict, list, tuple)) or (tree is None) != (head is None):
                raise _other(path, head, tree)
        if head is None:
            raise ValueError(f"{_place(path)} is None; expected an array: leave the entry out of every tree instead.")
        found.append(trees)


def _sequence(tree: Any) -> object:
    """What two lists or tuples must share: their kind and their length; None for all else."""
    return (isinstance(tree, list), len(tree)) if isinstance(tree, (list, tuple)) else None


def _other(path: tuple[Any, ...], head: Any, tree: Any) -> ValueError:
    return ValueError(
        f"{_place(path)} is {_words(head)} in one tree and {_words(tree)} in another; "
        "expected the same nesting of dict, list and tuple."
    )


def _place(path: tuple[Any, ...]) -> str:
    return "tree" + "".join(f"[{key!r}]" for key in path)


def _words(tree: Any) -> str:
    if isinstance(tree, dict):
        return f"a dict with keys {list(tree)}"
    if isinstance(tree, (list, tuple)):
        return f"a {'list' if isinstance(tree, list) else 'tuple'} of {len(tree)}"
    return "None" if tree is None else "a leaf"
