"""Nodes of ONNX that a plugin yields as its `onnx_nodes`: checks them, and gives them the names of one model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cynn.errors import InvalidParameterError, shown

__all__ = ["nodes_of"]


def nodes_of(
    onnx: Any, part: Any, shape: tuple[int, int], dtype: Any, opset: int, names: Mapping[str, str], prefix: str
) -> tuple[list[Any], list[Any]]:
    """The nodes and the constants of a part.

    Parameters
    ----------
    onnx : module
    part : Activation or Layer
        It has `onnx_nodes`.
    shape : tuple of int
        The number of columns that go in, and that come out.
    dtype : dtype
    opset : int
    names : mapping of str to str
        What its input "z" and its output "a" are called in the model.
    prefix : str
        Put in front of every other name.
    """
    owner = type(part).__name__
    yielded = list(part.onnx_nodes(np.dtype(dtype), opset))
    constants = [each for each in yielded if isinstance(each, onnx.TensorProto)]
    nodes = [each for each in yielded if not isinstance(each, onnx.TensorProto)]
    known = {"z", "", *(each.name for each in constants)}
    for node in nodes:
        if not isinstance(node, onnx.NodeProto):
            raise _mistake(owner, "yield NodeProto and TensorProto of onnx alone", shown(node))
        if node.domain or not onnx.defs.has(node.op_type) or not _is_in(onnx, node.op_type, opset):
            raise _mistake(owner, f"yield operators of ONNX in opset {opset}", node.op_type)
        unknown = [name for name in node.input if name not in known]
        if unknown:
            raise _mistake(owner, "take what comes before: z, its constants, and outputs of its nodes", unknown[0])
        known |= set(node.output)
    if "a" not in known:
        raise _mistake(owner, "have an output called a", ", ".join(sorted(known - {""})))
    _check(onnx, owner, nodes, constants, shape, dtype, opset)
    names = {**names, "": ""}
    renamed = [_renamed(each, names, prefix) for each in nodes]
    kept = [onnx.TensorProto.FromString(each.SerializeToString()) for each in constants]
    for each in kept:
        each.name = prefix + each.name
    return renamed, kept


def _mistake(owner: str, wanted: str, got: str) -> InvalidParameterError:
    return InvalidParameterError(f"The onnx_nodes of {owner} must {wanted}. Got {got} instead.")


def _is_in(onnx: Any, operator: str, opset: int) -> bool:
    try:
        return not onnx.defs.get_schema(operator, opset, "").deprecated
    except onnx.defs.SchemaError:
        return False


def _check(
    onnx: Any, owner: str, nodes: list[Any], constants: list[Any], shape: tuple[int, int], dtype: Any, opset: int
) -> None:
    """Check the nodes as a model of their own."""
    helper = onnx.helper
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    z, a = (helper.make_tensor_value_info(name, kind, ["rows", n]) for name, n in zip("za", shape, strict=True))
    opsets = [helper.make_opsetid("", opset)]
    model = helper.make_model(
        helper.make_graph(nodes, "part", [z], [a], constants), opset_imports=opsets,
        ir_version=helper.find_min_ir_version_for(opsets),
    )  # fmt: skip
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:  # of the checker, or of its inference of shapes
        wanted = f"make a of {shape[1]} columns from z of {shape[0]}, in {np.dtype(dtype)}, by valid nodes"
        raise _mistake(owner, wanted, " ".join(str(error).split())) from error


def _renamed(node: Any, names: Mapping[str, str], prefix: str) -> Any:
    """A copy of a node with the names of the model, also in graphs within it."""
    found = type(node).FromString(node.SerializeToString())
    found.name = ""
    for field in (found.input, found.output):
        field[:] = [names.get(name, prefix + name) for name in field]
    for attribute in found.attribute:
        graph = attribute.g
        if attribute.HasField("g"):
            inner = [_renamed(each, names, prefix) for each in graph.node]
            del graph.node[:]
            graph.node.extend(inner)
            for each in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
                each.name = names.get(each.name, prefix + each.name)
    return found
