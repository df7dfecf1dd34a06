"""A network as a function of JAX, whose forward and backward passes are those of CyNN."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cynn.errors import InvalidParameterError
from cynn.interop.forms import as_given, as_list
from cynn.interop.needed import needed

if TYPE_CHECKING:
    from cynn.network import Network

__all__ = ["wrap"]


def wrap(network: Network) -> Any:
    """A function of JAX that calls a network: for `jax.jit`, `jax.grad`, `jax.vjp`, `jax.jacrev` and `jax.vmap`.

    It is a `jax.pure_callback` with the predictions of the network, and a `jax.custom_vjp` with `Network.vjp`. Under
    `vmap`, the calls become one call for many rows. Forward mode, `jax.jvp`, and second derivatives are errors. The
    weights are constants for JAX: those that the network has when the function runs.

    Parameters
    ----------
    network : Network
        The network. Derivatives of a float64 network want `jax.config.update("jax_enable_x64", True)`.

    Returns
    -------
    callable
        A function of rows, or of one row, of any real dtype. Outputs have the network's dtype; several are a list or
        a dict.

    Raises
    ------
    MissingDependencyError
        JAX is not installed.
    InvalidParameterError
        The network has inputs that are categories, by which there are no derivatives. Or it is of float64, which JAX
        is not set to use.
    """
    jax = needed("jax", "jax")
    if network.dtype == "float64" and not jax.config.jax_enable_x64:
        raise InvalidParameterError(
            "JAX must use float64 for a network of float64. Got jax_enable_x64=False instead: "
            'jax.config.update("jax_enable_x64", True) sets it.'
        )
    inputs, dtype = network.input.units, network.dtype
    network.jacobian(np.zeros((0, inputs)))  # an error now, if it has no derivatives

    def call(function: Any, shapes: Any, *arguments: Any) -> Any:
        return jax.pure_callback(function, shapes, *arguments, vmap_method="broadcast_all")

    def predict(x: Any) -> Any:
        x = np.asarray(x)
        found = as_list(network, network.predict(x.reshape(-1, inputs)))
        return as_given(network, [one.reshape(*x.shape[:-1], one.shape[-1]) for one in found])

    def pull_back(x: Any, v: Any) -> Any:
        x = np.asarray(x)
        vectors = [np.asarray(one) for one in as_list(network, v)]
        rows = as_given(network, [one.reshape(-1, one.shape[-1]) for one in vectors])
        return network.vjp(x.reshape(-1, inputs), rows).reshape(x.shape).astype(x.dtype)

    def shape_of(x: Any) -> Any:
        return as_given(
            network,
            [jax.ShapeDtypeStruct((*x.shape[:-1], units), dtype) for units in as_list(network, network.outputs)],
        )

    def value(x: Any) -> Any:
        return call(predict, shape_of(x), x)

    f = jax.custom_vjp(value)

    def forward(x: Any) -> Any:
        return f(x), x

    def backward(x: Any, v: Any) -> Any:
        return (call(pull_back, jax.ShapeDtypeStruct(x.shape, x.dtype), x, v),)

    f.defvjp(forward, backward)
    return f
