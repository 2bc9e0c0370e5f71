"""The right answer in float64: the textbook's, on NumPy's arrays, or for large workloads on the device's own."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np

from rnnkit_kernels.backends import Backend, Kernel

from ..workload import Workload

__all__ = ["answer"]

_LARGE = 4 << 20  # numbers of h, of which NumPy makes the answer in some seconds


class _Textbook(Backend):
    """A backend whose arrays lie where they do, and whose every recurrence is the textbook's."""

    def kernel(self, cell: Any) -> Kernel:
        return Kernel(cell)


def answer(work: Workload, backend: Backend) -> dict[str, Any]:
    """What `Workload.expected` is; on the backend's arrays, by the products of its libraries, where there are many."""
    B, T, _, H = work.shape
    if B * T * H <= _LARGE:
        return work.expected
    textbook = _Textbook(**{entry.name: getattr(backend, entry.name) for entry in fields(Backend)})

    def there(a: Any) -> Any:
        return backend.array(a.astype(np.float64))

    ctx = work.context(textbook)
    y, back = work.forward(
        {name: there(w) for name, w in work.params.items()}, there(work.x), replace(ctx, mask=backend.array(ctx.mask))
    )
    found = {"y": y}
    if work.backward:
        dparams, dx = back(there(work.dy))
        found |= {"dx": dx, **dparams}
    return {name: backend.host(a) for name, a in found.items()}
