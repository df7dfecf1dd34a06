"""A network as a module of PyTorch, whose forward and backward passes are those of CyNN."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cynn import layers
from cynn.interop.forms import as_given, as_list
from cynn.interop.needed import needed

if TYPE_CHECKING:
    from cynn.network import Network

__all__ = ["wrap"]


def wrap(network: Network, *, weights: bool = False) -> Any:
    """A module of PyTorch that calls a network, and passes gradients on.

    Its outputs are the predictions of the network; backward is `Network.vjp`. Second derivatives are an error. For a
    module that has copies of the weights and needs no CyNN, see `export`.

    Parameters
    ----------
    network : Network
        The network. Its weights are used as they are at each call.
    weights : bool
        Whether gradients reach the weights, too: the module then has a parameter for each array that training
        updates, which shares its memory, so that an optimizer of PyTorch trains the network.

    Returns
    -------
    torch.nn.Module
        It takes rows, or one row, in a tensor of any real dtype on the CPU. Outputs have the network's dtype; several
        are a list or a dict.

    Raises
    ------
    MissingDependencyError
        PyTorch is not installed.
    InvalidParameterError
        The network has inputs that are categories, by which there are no derivatives.
    """
    torch = needed("torch", "torch")
    network.jacobian(np.zeros((0, network.input.units)))  # an error now, if it has no derivatives
    trained = _trained(network) if weights else []

    class Call(torch.autograd.Function):  # type: ignore[misc, name-defined]  # torch is found at run time
        """One call: x and the parameters go in, the outputs come out."""

        @staticmethod
        def forward(ctx: Any, x: Any, *parameters: Any) -> Any:
            rows = x.detach().numpy()
            ctx.save_for_backward(x, *parameters)
            return tuple(map(torch.from_numpy, as_list(network, network.predict(rows))))

        @staticmethod
        @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator]  # as above
        def backward(ctx: Any, *grads: Any) -> Any:
            x, *parameters = ctx.saved_tensors  # it finds out whether somebody has changed them since
            v = as_given(network, [grad.numpy() for grad in grads])
            rows = x.detach().numpy()
            if not any(ctx.needs_input_grad[1:]):
                dx, found = network.vjp(rows, v), [None] * len(parameters)
            else:
                dx, dw = network.vjp(rows, v, weights=True)
                found = [torch.from_numpy(array) for of_layer in dw for array in of_layer if array is not None]
            return torch.from_numpy(dx).to(x.dtype), *found

    class Wrapped(torch.nn.Module):  # type: ignore[misc, name-defined]  # as above
        """A network of CyNN."""

        def __init__(self) -> None:
            super().__init__()
            for name, array in trained:
                self.register_parameter(name.replace(".", "_"), torch.nn.Parameter(torch.from_numpy(array)))

        def forward(self, x: Any) -> Any:
            """The predictions for rows, or for one row."""
            return as_given(network, list(Call.apply(x, *self.parameters())))

    return Wrapped()


def _trained(network: Network) -> list[tuple[str, Any]]:
    """The arrays that training updates, with names: those of `vjp(weights=True)`, in its order."""
    units = network.input.units
    zero = as_given(network, [np.zeros((1, n)) for n in as_list(network, network.outputs)])
    _, gradients = network.vjp(np.zeros((1, units)), zero, weights=True)
    walked = [layer for layer in layers.walk(network.layers) if layer.parameters]
    return [
        (f"layer{number}_{name}", array)
        for number, (layer, of_layer) in enumerate(zip(walked, gradients, strict=True))
        for (name, array), gradient in zip(layer.parameters.items(), of_layer, strict=True)
        if gradient is not None
    ]
