"""ONNX Runtime: a model of one LSTM, GRU or RNN operator, in inference alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from ..workload import Runner, Workload
from . import Contender

__all__ = ["contender"]

# ONNX' gates in rnnkit's order of columns: LSTM i o f c of i f g o, GRU z r h of z r n
_OPERATORS = {"LSTM": ("LSTM", (0, 3, 1, 2), {}), "GRU": ("GRU", (0, 1, 2), {"linear_before_reset": 1})}
_OPERATORS["SimpleRNN"] = ("RNN", (0,), {})


def contender(name: str, threads: int) -> Contender:
    return Contender(name, lambda work: runner(work, threads))


def runner(work: Workload, threads: int) -> Runner | None:
    if work.cell not in _OPERATORS or work.backward or work.dtype != "float32":
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    compiled = onnxruntime.InferenceSession(
        model(work).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    feed = {"x": work.x.swapaxes(0, 1).copy()}
    return Runner(lambda: compiled.run(["y"], feed)[0], lambda y: {"y": y[:, 0].swapaxes(0, 1)})


def model(work: Workload) -> Any:
    """x (T, B, F) -> y (T, 1, B, H) with the workload's weights."""
    B, T, F, H = work.shape
    operator, order, attributes = _OPERATORS[work.cell]

    def rows(w: Any) -> Any:
        parts = np.split(w, len(order), axis=-1)
        return np.concatenate([parts[gate] for gate in order], axis=-1).T

    b = work.params["b"]
    b_h = work.params.get("b_h", np.zeros_like(b))
    tensors = {
        "W": rows(work.params["W"])[None],
        "R": rows(work.params["U"])[None],
        "B": np.concatenate([rows(b), rows(b_h)])[None],
    }
    node = helper.make_node(operator, ["x", *tensors], ["y"], hidden_size=H, **attributes)
    graph = helper.make_graph(
        [node],
        work.cell,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (T, B, F))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (T, 1, B, H))],
        [numpy_helper.from_array(np.ascontiguousarray(w), name) for name, w in tensors.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
