"""`compiled`: the one way this folder compiles Python functions, with Numba's cache on disk where there is one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from numba import njit
from numba.core import caching, sigutils
from numba.core.ccallback import CFunc

__all__ = ["c_function", "compiled", "emitters", "lost"]

_uncached: list[str] = []
_alive: list[Any] = []  # what addresses were given out of


def compiled(function: Callable[..., Any]) -> Any:
    """`function` compiled at its first call, without the GIL, and kept on disk for the next process.

    A division by zero raises nothing in it: what is called by address has nobody to raise to.

    Numba looks at the file of a function only, not at the files of what it calls: a kernel kept on disk would go on
    running a changed intrinsic's old instructions. Here the kept code is stale when any file of the folder has changed.

    Where no folder can be written (neither the package's __pycache__ nor a cache folder of the user), the function is
    compiled in every process anew, and `lost` says so.
    """
    try:
        dispatcher: Any = njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError as refusal:  # Numba has no narrower class for it
        if "no locator available" not in str(refusal):
            raise
        _uncached.append(function.__name__)
        return njit(nogil=True, error_model="numpy")(function)
    dispatcher.is_kept = True
    _keep(dispatcher, "")
    return dispatcher


def c_function(function: Any, signature: str) -> int:
    """The address of what `compiled` made of a function, as a C function of that signature; kept on disk likewise."""
    read: Any = sigutils.normalize_signature
    made: Any = CFunc(function.py_func, read(signature), locals={}, options={"nopython": True, "error_model": "numpy"})
    if hasattr(function, "is_kept"):
        made.enable_caching()
        _keep(made, "-c")
    made.compile()
    _alive.append(made)
    return int(made.address)


def lost() -> str | None:
    """What is lost for want of a folder to keep compiled code in, as a sentence; None where nothing is."""
    if not _uncached:
        return None
    return (
        "compiled kernels are not kept for the next process, which compiles them anew: neither the package's folder "
        "nor the user's cache folder can be written; set NUMBA_CACHE_DIR to a folder that can"
    )


@lru_cache(maxsize=1)
def emitters() -> str:
    """A fingerprint of all files in and below this folder; a cell has one of its own."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


class _Kept(caching.IndexDataCacheFile):
    """Numba's files of one function, an index and one file of code a signature, safe for two processes at once.

    Numba numbers the files of code as the index says at that moment: two processes that compile for two signatures at
    the same time both call theirs 1, and the index, whoever wrote it last, may lead to the other's code. Here the
    number is made of the signature, and code is there before the index names it; what may be lost is an entry.
    """

    def save(self: Any, key: Any, data: Any) -> None:
        digest = hashlib.sha256(repr((key, self._source_stamp)).encode()).digest()
        name = self._data_name(int.from_bytes(digest[:8]))
        self._save_data(name, data)
        self._save_index({**self._load_index(), key: name})


_files: Any = _Kept


def _keep(made: Any, suffix: str) -> None:
    """Has `made` keep its code in files of its own, stale when any file of the folder is another."""
    cache = made._cache
    cache._cache_file = _files(
        cache._cache_path, cache._impl.filename_base + suffix, (cache._impl.locator.get_source_stamp(), emitters())
    )
