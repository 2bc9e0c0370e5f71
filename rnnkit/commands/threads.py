"""One thread for the products of a recurrence.

A step multiplies small matrices, thousands of times a second. A BLAS that splits them over all cores gains nothing on
idle cores, and waits for every part actively on busy ones: ten times slower, where a neighbour takes the other core.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["CHOSEN_BY", "blas", "one_thread"]

CHOSEN_BY = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


@contextmanager
def one_thread() -> Iterator[None]:
    """Holds the BLAS to one thread inside; not where the environment has chosen a number."""
    if any(os.environ.get(name) for name in CHOSEN_BY):
        yield
        return
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield


def blas() -> tuple[str, int | None]:
    """Name and version of the BLAS that NumPy has loaded, and its number of threads."""
    from threadpoolctl import threadpool_info

    for pool in threadpool_info():
        if pool["user_api"] == "blas":
            return f"{pool['internal_api']} {pool['version'] or ''}".strip(), int(pool["num_threads"])
    return "of a kind that does not tell its threads", None
