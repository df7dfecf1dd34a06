"""Directional derivatives and second derivatives of the outputs by the inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from cynn.data import inputs
from cynn.engine import threads
from cynn.errors import DataError, ShapeError

if TYPE_CHECKING:
    import numpy.typing as npt

    from cynn.model import Model

    Array = npt.NDArray[Any]

__all__ = ["SecondDerivatives"]


class SecondDerivatives:
    """What `Network` has of directional and second derivatives."""

    def jvp(self, x: Any, t: Any, *, n_threads: int | None = None) -> Any:
        """Compute the derivative of the outputs along a direction of the inputs: J t, without J.

        d/dε y(x + ε t) at ε = 0, of the prediction: without dropout, and with the moving averages of batch
        normalization. It costs about two predictions. Every operation does it with its `jvp` (`cynn/abi.h`).

        Parameters
        ----------
        x : array of shape (rows, inputs), or (inputs,) for a single row
            As for `predict`: before the scale of `Input`.
        t : array of the shape of x
            The direction of each row, likewise before that scale.
        n_threads : int, optional
            By default `cynn.get_num_threads()`. The result has the same bits with any number.

        Returns
        -------
        array of shape (rows, outputs), or (outputs,)
            A list or a dict of them for several outputs.

        Raises
        ------
        DataError
            x or t is not finite.
        PluginError
            A part has no directional derivative. The message names the part and the missing function.
        ShapeError
            t does not have the shape of x.

        Examples
        --------
        >>> import cynn
        >>> net = cynn.Network([cynn.Input(2), cynn.Dense(1)], dtype="float64")
        >>> net.layers[0].weights = [[2.0], [5.0]]
        >>> net.jvp([3.0, 4.0], [1.0, -1.0])
        array([-3.])
        """
        network = cast("Model", self)
        rows, single = network.as_rows_or_one(x)
        directions, one = inputs.as_rows_or_one(t, network.input.units, "t")
        if one != single or len(directions) != len(rows):
            raise ShapeError(f"t must have the shape of x, {np.shape(x)}. Got {np.shape(t)} instead.")
        if not np.isfinite(directions).all():
            raise DataError("t must be finite. Got a NaN or an infinity.")
        from cynn.engine import directional

        team = _check(network, n_threads, "jvp", ["jvp"])
        found = [np.empty((len(rows), units), network.dtype) for units in network._outputs.units]
        if not directional.differentiate(network._engine, rows, directions, found, team):
            network.raise_unusable(rows, "x", check_finite=True)
        return network._outputs.join([array[0] if single else array for array in found])

    def hessian(self, x: Any, *, n_threads: int | None = None) -> Any:
        """Compute the second derivatives of each output by the inputs: ∂²y / ∂x_i ∂x_j.

        Of the prediction: without dropout, and with the moving averages of batch normalization. With J_k the
        derivatives of what operation k takes by the inputs, and f_k its function, it is the sum over the operations of
        J_kᵀ (∂²(δ_k · f_k) / ∂x_k²) J_k, where δ_k are the derivatives of the output by what the operation returns: a
        pass forward along each input, and one backward for each output. Dense layers add nothing; of the activations,
        that is f''. (Gower and Mello, 2012, "A new framework for the computation of Hessians",
        doi:10.1080/10556788.2011.580098.) The time grows with inputs × the weights, the
        memory with inputs² × outputs per row.

        Parameters
        ----------
        x : array of shape (rows, inputs), or (inputs,) for a single row
            As for `predict`. The derivatives are those by x before the scale of `Input`.
        n_threads : int, optional
            By default `cynn.get_num_threads()`. The result has the same bits with any number.

        Returns
        -------
        array of shape (rows, outputs, inputs, inputs), or (outputs, inputs, inputs)
            A list or a dict of them for several outputs.

        Raises
        ------
        DataError
            x is not finite.
        InvalidParameterError
            A column of x holds categories, by which there is no derivative.
        PluginError
            A part has no `backward_jvp`. The message names both.

        Examples
        --------
        >>> import cynn
        >>> layers = [cynn.Input(1), cynn.Dense(1, "tanh")]
        >>> net = cynn.Network(layers, dtype="float64")
        >>> net.layers[0].weights = [[2.0]]
        >>> net.hessian([[0.25], [0.5]]).round(3).ravel()
        array([-2.907, -2.559])
        """
        return _hessians(cast("Model", self), x, n_threads, is_diagonal=False)

    def hessian_diagonal(self, x: Any, *, n_threads: int | None = None) -> Any:
        """Compute the second derivatives of each output by each input alone: ∂²y / ∂x_i².

        As `hessian`, with inputs numbers instead of inputs² per row and output: for a Laplacian, or a residual of a
        differential equation.

        Parameters
        ----------
        x : array of shape (rows, inputs), or (inputs,) for a single row
            As for `hessian`.
        n_threads : int, optional
            By default `cynn.get_num_threads()`. The result has the same bits with any number.

        Returns
        -------
        array of shape (rows, outputs, inputs), or (outputs, inputs)
            A list or a dict of them for several outputs.

        Raises
        ------
        DataError
            x is not finite.
        InvalidParameterError
            A column of x holds categories, by which there is no derivative.
        PluginError
            A part has no `backward_jvp`. The message names both.

        Examples
        --------
        >>> import cynn, numpy as np
        >>> layers = [cynn.Input(2), cynn.Dense(4, "tanh"), cynn.Dense(1)]
        >>> net = cynn.Network(layers, seed=0)
        >>> x = [0.5, 1.0]
        >>> diagonal = net.hessian(x)[0].diagonal()
        >>> np.allclose(net.hessian_diagonal(x)[0], diagonal, atol=1e-6)
        True
        """
        return _hessians(cast("Model", self), x, n_threads, is_diagonal=True)

    def hvp(
        self,
        x: Any,
        y: Any,
        v: Any,
        *,
        loss: Any = None,
        loss_weights: Any = None,
        sample_weight: Any = None,
        n_threads: int | None = None,
    ) -> Array:
        """Compute the Hessian of the loss by the trained weights, times a vector: H v, without H.

        H v = d/dε ∇C(W + ε v) at ε = 0, of the loss C that `evaluate` returns, with its L2 penalty. It costs about
        two gradients. (Pearlmutter, "Fast exact multiplication by the Hessian", Neural Computation 6, 1994.) For other
        weights than those of the network there is `Network.problem`.

        Parameters
        ----------
        x, y : array
            Rows and their targets, as for `fit`.
        v : array of shape (n_parameters,)
            A number for each trained weight, in the order of `parameter_vector`.
        loss : str, Loss or dict, optional
            As for `fit`.
        loss_weights : list or dict of float, optional
            For several outputs, the weight of the loss of each in the sum.
        sample_weight : array of shape (rows,), optional
            The weight of each row. Only ratios matter. For several outputs, as for `fit`.
        n_threads : int, optional
            By default `cynn.get_num_threads()`. The result has the same bits with any number.

        Returns
        -------
        array of shape (n_parameters,)
            H v, in the network's dtype.

        Raises
        ------
        InvalidParameterError
            Layers draw noise or combine rows, or there is an L1 regularizer.
        PluginError
            A part or the loss has no function for it. The message names both.
        ShapeError, DataError
            x, y or v do not fit.

        Examples
        --------
        >>> import cynn
        >>> net = cynn.Network([cynn.Input(1), cynn.Dense(1)], seed=0)
        >>> net.hvp([[3.0]], [5.0], [1.0, 0.0])  # of (3 w + b - 5)²
        array([18.,  6.], dtype=float32)
        """
        from cynn.training import problem

        return problem.hvp(
            cast("Model", self), x, y, v, loss=loss, loss_weights=loss_weights, sample_weight=sample_weight,
            n_threads=n_threads,
        )  # fmt: skip


def _hessians(network: Model, x: Any, n_threads: int | None, *, is_diagonal: bool) -> Any:
    from cynn.derivatives import first
    from cynn.engine.hessians import InputHessians

    n, name = network.input.units, "hessian_diagonal" if is_diagonal else "hessian"
    first.check_inputs(network)
    rows, single = network.as_rows_or_one(x)
    team = _check(network, n_threads, name, ["jvp", "backward_jvp"])
    if network._input_hessians is None:
        network._input_hessians = InputHessians(network._engine)
    shape = (n,) if is_diagonal else (n, n)
    found = [np.empty((len(rows), units, *shape), network.dtype) for units in network._outputs.units]
    if not network._input_hessians.compute(rows, found, team, is_diagonal=is_diagonal):
        network.raise_unusable(rows, "x", check_finite=True)
    return network._outputs.join([array[0] if single else array for array in found])


def _check(network: Model, n_threads: int | None, name: str, functions: list[str]) -> int:
    """The number of threads, if the network can do it."""
    from cynn.derivatives import first
    from cynn.engine import directional

    team = threads.resolve(n_threads)
    first.check_noise(network)
    directional.require(network._engine.operations, network.dtype, functions, name)
    return team
