"""Imports networks from PyTorch, and exports them to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cynn.interop.needed import needed
from cynn.interop.torch_optimizer import adopt_state
from cynn.interop.torch_reader import Reader
from cynn.interop.torch_wrap import wrap
from cynn.interop.torch_writer import Writer

if TYPE_CHECKING:
    from cynn.network import Network

__all__ = ["adopt", "export", "wrap"]


def adopt(module: Any, optimizer: Any = None, *, inputs: int | None = None) -> Network:
    """Make a network from a module of dense layers, as it computes in evaluation mode.

    The module is traced by `torch.fx`: `Sequential`, or any graph of Linear, Embedding, the activations, Dropout,
    AlphaDropout, BatchNorm1d, LayerNorm, RMSNorm, GLU behind a Linear, additions, `torch.cat` and slices of columns.
    The weights are the same bits, the predictions equal up to rounding.

    Parameters
    ----------
    module : torch.nn.Module
        Its `forward` takes one tensor of shape (rows, inputs). The module is not changed.
    optimizer : torch.optim.SGD, Adam or AdamW, optional
        The optimizer that trained the module: the next `fit` continues with its settings and its state.
    inputs : int, optional
        The number of columns of the input, if no layer determines it.

    Returns
    -------
    Network
        It has the dtype of the module's parameters, and several outputs if `forward` returns a tuple or a dict.

    Raises
    ------
    MissingDependencyError
        PyTorch is not installed.
    InvalidParameterError
        A part has no counterpart: the message names it and its place, before anything is built. Or the optimizer has
        none.
    """
    needed("torch", "torch")
    reader = Reader(module, inputs)
    network = reader.network()
    if optimizer is not None:
        adopt_state(network, optimizer, reader.arrays_of(network))
    return network


def export(network: Network) -> Any:
    """Make a module of PyTorch that computes the predictions of a network and does not need CyNN.

    Dense layers, embeddings, normalizations and the activations that PyTorch has are modules of PyTorch, whose
    parameters can be trained there; others are composed of functions. Dropout and noise, which do not affect
    predictions, are left out. The module is in evaluation mode.

    Parameters
    ----------
    network : Network
        Its arrays are copied.

    Returns
    -------
    torch.fx.GraphModule
        It has the network's dtype. Several outputs are a dict.

    Raises
    ------
    MissingDependencyError
        PyTorch is not installed.
    InvalidParameterError
        A layer or an activation has no formula. The message names it and its place.
    """
    needed("torch", "torch")
    return Writer(network).module()
