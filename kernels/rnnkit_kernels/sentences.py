"""The wording of refusals that several places share: what was given, what was expected, what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["unknown"]


def unknown(kind: str, given: object, known: Iterable[str]) -> ValueError:
    """The error for a name that is not in a table, with the nearest name first.

    unknown("activation", "tahn", [...]) says: unknown activation 'tahn'; did you mean 'tanh'? Known are: ...
    """
    names = sorted(known)
    near = get_close_matches(str(given).lower(), names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return ValueError(f"unknown {kind} {given!r}{hint} Known are: {', '.join(names)}")
