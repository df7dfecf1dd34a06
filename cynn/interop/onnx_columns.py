"""The inputs of an ONNX model by the names of columns, and the label that it predicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.interop.printer import unique

if TYPE_CHECKING:
    from cynn.interop.onnx_file import Graph

__all__ = ["inputs", "label"]

_LABEL = "label"


def inputs(graph: Graph) -> list[Any]:
    """Add the nodes that make one matrix of the inputs; its name becomes that of `graph.x`. Returns the inputs.

    Of a plan that knows its columns, each is an input of its own: a category is a text, and a text that is none has no
    place.
    """
    helper, plan = graph.onnx.helper, graph.plan
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(plan.input_dtype))
    if plan.columns is None:
        return [helper.make_tensor_value_info(graph.x, kind, ["rows", plan.inputs])]
    found, parts = [], []
    names = unique([str(column.name) or "column" for column in plan.columns], [_LABEL, plan.output_name])
    for name, column in zip(names, plan.columns, strict=True):
        is_number = column.categories is None
        found.append(
            helper.make_tensor_value_info(name, kind if is_number else graph.onnx.TensorProto.STRING, ["rows", 1])
        )
        if not is_number:
            place = graph.node(
                "LabelEncoder",
                [name],
                domain="ai.onnx.ml",
                keys_strings=column.categories,
                values_int64s=list(range(len(column.categories or []))),
                default_int64=-1,
            )
            name = graph.node("Cast", [place], to=kind)
        parts.append(name)
    graph.x = graph.node("Concat", parts, axis=1)
    return found


def label(graph: Graph) -> list[Any]:
    """Add the nodes that find the label of the largest output. Returns the output: none without labels."""
    helper, plan = graph.onnx.helper, graph.plan
    if plan.labels is None:
        return []
    array = np.asarray(plan.labels)
    tensor = graph.onnx.numpy_helper.from_array(array.astype(object) if array.dtype.kind == "U" else array, "/labels")
    graph.constants["/labels"] = tensor
    place = graph.node("ArgMax", [graph.names[plan.outputs[0].value]], axis=1, keepdims=0)
    graph.nodes.append(helper.make_node("Gather", ["/labels", place], [_LABEL], axis=0))
    return [helper.make_tensor_value_info(_LABEL, tensor.data_type, ["rows"])]
