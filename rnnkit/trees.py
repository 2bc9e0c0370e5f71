"""Trees: any nesting of dict, list and tuple with arrays at the leaves, as parameters and gradients come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["leaves", "map", "same_structure"]


def map(fn: Callable[..., Any], *trees: Any) -> Any:  # shadows the builtin on purpose: read it as trees.map
    """fn(leaf, ...) at every place of trees of one structure, in a tree of the same structure.

    Dicts are matched by key and come out in the key order of the first tree.
    Raises ValueError, naming the place, where structures differ or a leaf is None.
    """
    return _map(fn, "tree", trees)


def leaves(tree: Any) -> list[Any]:
    """The leaves of a tree, depth first, dicts in their own order. Raises ValueError for a leaf that is None."""
    found: list[Any] = []
    map(found.append, tree)
    return found


def same_structure(*trees: Any) -> None:
    """Raises ValueError, naming the first place, unless all trees nest alike; arrays are not compared."""
    map(lambda *_: 0, *trees)


def _map(fn: Callable[..., Any], path: str, trees: tuple[Any, ...]) -> Any:
    head = trees[0]
    for tree in trees:
        if _nesting(tree) != _nesting(head):
            raise ValueError(
                f"{path} is {_words(head)} in one tree and {_words(tree)} in another; "
                "expected the same nesting of dict, list and tuple."
            )
    if isinstance(head, dict):
        return {key: _map(fn, f"{path}[{key!r}]", tuple(tree[key] for tree in trees)) for key in head}
    if isinstance(head, list | tuple):
        parts = [_map(fn, f"{path}[{i}]", group) for i, group in enumerate(zip(*trees, strict=True))]
        return parts if isinstance(head, list) else tuple(parts)
    if head is None:
        raise ValueError(f"{path} is None; expected an array: leave the entry out of every tree instead.")
    return fn(*trees)


def _nesting(tree: Any) -> object:
    """What two trees must share at one place: the keys of a dict, the length of a list or tuple, being a leaf."""
    if isinstance(tree, dict):
        return tree.keys()
    if isinstance(tree, list | tuple):
        return isinstance(tree, list), len(tree)
    return tree is None


def _words(tree: Any) -> str:
    if isinstance(tree, dict):
        return f"a dict with keys {list(tree)}"
    if isinstance(tree, list | tuple):
        return f"a {'list' if isinstance(tree, list) else 'tuple'} of {len(tree)}"
    return "None" if tree is None else "a leaf"
