"""Networks from PyTorch, and for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cynn.interop.needed import needed
from cynn.interop.torch_optimizer import adopt_state
from cynn.interop.torch_reader import Reader
from cynn.interop.torch_writer import Writer

if TYPE_CHECKING:
    from cynn.network import Network

__all__ = ["adopt", "export"]


def adopt(module: Any, optimizer: Any = None, *, inputs: int | None = None) -> Network:
    """A network that computes what a module of dense parts does, evaluated.

    The module is traced by `torch.fx`: `Sequential`, or any graph of Linear, Embedding, the activations, Dropout,
    AlphaDropout, BatchNorm1d, LayerNorm, RMSNorm, GLU behind a Linear, additions, `torch.cat` and slices of columns.
    Weights are the same to the bit, predictions to the rounding of their dtype.

    Parameters
    ----------
    module : torch.nn.Module
        Its `forward` takes rows, one tensor of the shape (rows, inputs). It is left as it is.
    optimizer : torch.optim.SGD, Adam or AdamW, optional
        The one that has trained the module: the next `fit` goes on with its settings and its memory.
    inputs : int, optional
        Columns of the input, where no layer that takes it tells.

    Returns
    -------
    Network
        In the dtype of the module's parameters; with several outputs where `forward` returns a tuple or a dict.

    Raises
    ------
    MissingDependencyError
        PyTorch is not installed.
    InvalidParameterError
        A part has no counterpart: it is named, with its place, before anything is built; or the optimizer has none.
    """
    needed("torch", "torch")
    reader = Reader(module, inputs)
    network = reader.network()
    if optimizer is not None:
        adopt_state(network, optimizer, reader.arrays_of(network))
    return network


def export(network: Network) -> Any:
    """A module of PyTorch that computes what a network predicts, and knows nothing of CyNN.

    Dense layers, embeddings, normalizations and the activations that PyTorch has are its own modules, with their
    parameters, which train on there; others are composed of functions. Dropout and noise, which predictions do not
    have, stay behind. The module is in evaluation mode.

    Parameters
    ----------
    network : Network
        Its arrays are copied.

    Returns
    -------
    torch.fx.GraphModule
        In the network's dtype; several outputs are a dict.

    Raises
    ------
    MissingDependencyError
        PyTorch is not installed.
    InvalidParameterError
        A layer or an activation has no formula: it is named, with its place.
    """
    needed("torch", "torch")
    return Writer(network).module()
