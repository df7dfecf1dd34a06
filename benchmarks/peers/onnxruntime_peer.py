"""ONNX Runtime: prediction only."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from benchmarks.data import Data, initial_parameters
from benchmarks.workloads import Workload

_OPERATORS = {
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "relu": "Relu",
    "softmax": "Softmax",
    "identity": "Identity",
}


class OnnxruntimePeer:
    version = onnxruntime.__version__

    def __init__(self, workload: Workload, data: Data, n_threads: int) -> None:
        self.weights = initial_parameters(workload)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = n_threads
        options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(_model(workload), options, providers=["CPUExecutionProvider"])
        self.run, self.outputs = session.run, ["prediction"]

    def train(self, orders: list[Any]) -> None:
        raise NotImplementedError

    def predict(self, rows: Any) -> Any:
        return self.run(self.outputs, {"x": rows})[0]

    def parameters(self) -> list[Any]:
        return self.weights


def _model(workload: Workload) -> bytes:
    nodes, constants, name = [], [], "x"
    weights = initial_parameters(workload)
    for layer, (W, b) in enumerate(weights, start=1):
        last = layer == len(weights)
        constants += [numpy_helper.from_array(W, f"W{layer}"), numpy_helper.from_array(b, f"b{layer}")]
        nodes.append(helper.make_node("Gemm", [name, f"W{layer}", f"b{layer}"], [f"z{layer}"]))
        name = "prediction" if last else f"a{layer}"
        operator = _OPERATORS[workload.output if last else workload.activation]
        nodes.append(helper.make_node(operator, [f"z{layer}"], [name]))
    real = TensorProto.FLOAT if np.dtype(workload.dtype) == np.float32 else TensorProto.DOUBLE
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", real, ["rows", workload.sizes[0]])],
        [helper.make_tensor_value_info("prediction", real, ["rows", workload.sizes[-1]])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(model.SerializeToString())


create = OnnxruntimePeer
