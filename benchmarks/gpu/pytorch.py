"""PyTorch's nn.LSTM, nn.GRU and nn.RNN on a device, which are cuDNN's on a GPU, in strict float32, TF32, float16
and bfloat16; each also replayed from a CUDA graph, which takes the time of the host out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from ..workload import Workload
from .device import Device
from .ours import loosely
from .runner import Absent, GpuRunner

__all__ = ["PRECISIONS", "Precision", "entrants", "packed"]


@dataclass(frozen=True)
class Precision:
    """title: behind the name; tf32: whether products may round to it; dtype: of everything."""

    title: str
    tf32: bool = False
    dtype: str = "float32"

    def set(self) -> None:
        """For cuDNN and for matrix products: by itself PyTorch lets cuDNN use TF32."""
        import torch

        torch.backends.cudnn.allow_tf32 = self.tf32
        torch.backends.cuda.matmul.allow_tf32 = self.tf32

    @property
    def strict(self) -> bool:
        return not self.tf32 and self.dtype == "float32"

    def allowed(self, work: Workload) -> float:
        """The tolerance."""
        return work.tolerance if self.strict else loosely(work, "bf16" if self.dtype == "bfloat16" else "tf32")


PRECISIONS = (
    Precision(""),
    Precision(" TF32", tf32=True),
    Precision(" fp16", tf32=True, dtype="float16"),
    Precision(" bf16", tf32=True, dtype="bfloat16"),
)


def entrants(work: Workload, device: Device) -> dict[str, Callable[[], GpuRunner]]:
    """ "PyTorch", "PyTorch TF32", "PyTorch fp16", "PyTorch bf16", and each with " graph" behind it."""
    found = {}
    for precision in PRECISIONS:
        for end, recorded in (("", False), (" graph", True)):
            found[f"PyTorch{precision.title}{end}"] = partial(runner, work, device, precision, recorded)
    return found


def runner(work: Workload, device: Device, precision: Precision, recorded: bool = False) -> GpuRunner:
    x, dy = (_tensor(a, device, precision) for a in (work.x, work.dy))
    x.requires_grad_(work.backward)
    module, weights = _module(work, device, precision)
    return _made(work, device, precision, recorded, lambda: module(x)[0], (x, dy, weights))


def packed(work: Workload, device: Device) -> GpuRunner:
    """Rows of their own lengths as PyTorch has it: sorted in, packed, and padded again behind the layer. What a held
    step gives, zeros there and the state here, is nobody's."""
    torch, precision = import_torch(), PRECISIONS[0]
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    x, dy = (_tensor(a, device, precision) for a in (work.x, work.dy))
    x.requires_grad_(work.backward)
    module, weights = _module(work, device, precision)
    lengths, T = torch.from_numpy(work.lengths), work.shape[1]

    def forward() -> Any:
        y, _ = module(pack_padded_sequence(x, lengths, enforce_sorted=False))
        return pad_packed_sequence(y, total_length=T)[0]

    return _made(work, device, precision, False, forward, (x, dy, weights))


def import_torch() -> Any:
    """Raises Absent where it is not installed."""
    if find_spec("torch") is None:
        raise Absent("torch is not installed (pip install 'rnnkit[bench]')")
    import torch

    return torch


def _made(
    work: Workload, device: Device, precision: Precision, recorded: bool, forward: Callable[[], Any], given: Any
) -> GpuRunner:
    torch = import_torch()
    x, dy, weights = given

    def run() -> Any:
        if not work.backward:
            with torch.inference_mode():
                return (forward(),)
        y = forward()
        return (y, *torch.autograd.grad(y, [x, *weights.values()], dy))

    def arrays(found: Any) -> dict[str, Any]:
        y, *gradients = (a.detach().float().cpu().numpy() for a in found)
        if not work.backward:
            return {"y": y.swapaxes(0, 1)}
        dx, *dweights = gradients
        whole = {"y": y.swapaxes(0, 1), "dx": dx.swapaxes(0, 1)}
        return whole | _named(work, dict(zip(weights, dweights, strict=True)))

    precision.set()
    call = device.recorded(run) if recorded else run
    return GpuRunner(call, arrays, before=precision.set, kernel=lambda: "PyTorch", tolerance=precision.allowed(work))


def _tensor(a: Any, device: Device, precision: Precision) -> Any:
    """Steps first."""
    torch = import_torch()
    there = torch.from_numpy(np.ascontiguousarray(a.swapaxes(0, 1)))
    return there.to(device.name).to(getattr(torch, precision.dtype))


_ROWS = {"W": "weight_ih_l0", "U": "weight_hh_l0", "b": "bias_ih_l0", "b_h": "bias_hh_l0"}
_DIRECTIONS = {"forward.": "", "backward.": "_reverse"}


def _module(work: Workload, device: Device, precision: Precision) -> tuple[Any, dict[str, Any]]:
    """The module, of one direction or of two, and its weights by name."""
    torch = import_torch()
    from ..contenders.pytorch import module_of

    both = "forward.W" in work.params
    if not both:
        module = module_of(work.cell, work.params)
    else:
        _, _, F, H = work.shape
        kind = {"LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU, "SimpleRNN": torch.nn.RNN}[work.cell]
        module = kind(F, H, bidirectional=True)
        with torch.no_grad():
            for prefix, end in _DIRECTIONS.items():
                for name, w in module_of(work.cell, work.params, prefix).named_parameters():
                    getattr(module, name + end).copy_(w)
    module = module.to(device.name).to(getattr(torch, precision.dtype))
    return module, dict(module.named_parameters())


def _named(work: Workload, gradients: dict[str, Any]) -> dict[str, Any]:
    """The gradients of a module's weights under rnnkit's names and in its order of gates."""
    from ..contenders.pytorch import reordered

    found = {}
    for prefix, end in _DIRECTIONS.items() if "forward.W" in work.params else (("", ""),):
        for ours, theirs in _ROWS.items():
            if prefix + ours in work.params:
                found[prefix + ours] = reordered(work.cell, gradients[theirs + end]).T
    return found
