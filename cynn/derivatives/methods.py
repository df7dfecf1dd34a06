"""The methods of `Network` for derivatives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cynn.engine import threads
from cynn.model import Model

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

__all__ = ["DerivativeMethods"]


class DerivativeMethods(Model):
    """What `Network` has for derivatives."""

    def jacobian(
        self,
        x: Any,
        *,
        out: Any = None,
        training: bool = False,
        n_threads: int | None = None,
        check_finite: bool = True,
    ) -> Any:
        """The derivatives of every output by every input: J = ∂f(x)/∂x for each row.

        They are those by x as it is given, before the scale of `Input`.

        Parameters
        ----------
        x : array of shape (rows, inputs), or (inputs,) for a single row
            As for `predict`.
        out : array of shape (rows, outputs, inputs), optional
            The array to write to: C-contiguous, of the network's dtype. For several outputs, a list or a dict.
        training : bool
            Whether layers do what they do in training: the noise of layers such as `Dropout` is then the same in each
            call, and layers that combine rows, such as `BatchNorm`, are an error, since a row of outputs depends on all
            rows of x: `vjp` has the derivatives of those. It takes a forward pass for each output.
        n_threads : int, optional
            By default `cynn.get_num_threads()`. The result does not depend on it.
        check_finite : bool
            Whether a NaN or an infinity in x is an error.

        Returns
        -------
        array of shape (rows, outputs, inputs), or (outputs, inputs) for a single row
            `out` if it was given. For several outputs, both are lists or dicts.

        Raises
        ------
        InvalidParameterError
            The network has inputs that are categories, by which there are no derivatives. Or layers combine rows.
        ShapeError, DataError
            x or out do not fit.

        Examples
        --------
        >>> import cynn
        >>> layers = [cynn.Input(2, scale=0.5), cynn.Dense(1)]
        >>> net = cynn.Network(layers, seed=0)
        >>> net.layers[0].weights = [[2.0], [6.0]]
        >>> net.jacobian([1.0, 1.0])
        array([[1., 3.]], dtype=float32)
        """
        kept = self._input_derivatives
        if kept is not None and out is None and training is False and check_finite is True:
            if n_threads is not None:
                threads.resolve(n_threads)
            few = kept.small_jacobian(x, True)
            if few is not None:
                return few
        from cynn.derivatives.first import jacobian

        return jacobian(self, x, out=out, training=training, n_threads=n_threads, check_finite=check_finite)

    def vjp(
        self,
        x: Any,
        v: Any,
        *,
        weights: bool = False,
        out: Any = None,
        training: bool = False,
        n_threads: int | None = None,
        check_finite: bool = True,
    ) -> Any:
        """The product of a vector and the Jacobian, vᵀ ∂f(x)/∂x, for each row: what backpropagation computes.

        If v is ∂C/∂f(x) for some C, it is ∂C/∂x. It is that by x as it is given, before the scale of `Input`.

        Parameters
        ----------
        x : array of shape (rows, inputs), or (inputs,) for a single row
            As for `predict`.
        v : array of shape (rows, outputs), or (outputs,) for a single row
            The vector of each row. For several outputs, a list or a dict.
        weights : bool
            Whether to return the products with the Jacobian by the weights, too: Σ vᵀ ∂f(x)/∂W over the rows.
        out : array of the shape of x, optional
            The array to write to: C-contiguous, of the network's dtype.
        training : bool
            Whether layers do what they do in training: the noise of layers such as `Dropout` is then the same in each
            call, and a layer such as `BatchNorm` takes the statistics of these rows.
        n_threads : int, optional
            By default `cynn.get_num_threads()`. The result does not depend on it.
        check_finite : bool
            Whether a NaN or an infinity in x or v is an error.

        Returns
        -------
        array of the shape of x, or a tuple of it and a list
            `out` if it was given. With `weights`, the second item has the form of the result of `gradients`.

        Raises
        ------
        InvalidParameterError
            The network has inputs that are categories, by which there are no derivatives.
        ShapeError, DataError
            x, v or out do not fit.

        Examples
        --------
        >>> import cynn
        >>> net = cynn.Network([cynn.Input(2), cynn.Dense(1)], seed=0)
        >>> net.layers[0].weights = [[2.0], [6.0]]
        >>> net.vjp([[1.0, 1.0]], [[10.0]])
        array([[20., 60.]], dtype=float32)
        >>> dx, dw = net.vjp([[1.0, 3.0]], [[10.0]], weights=True)
        >>> dw
        [(array([[10.],
               [30.]], dtype=float32), array([10.], dtype=float32))]
        """
        kept = self._input_derivatives
        if kept is not None and out is None and weights is False and training is False and check_finite is True:
            if n_threads is not None:
                threads.resolve(n_threads)
            few = kept.small_vjp(x, v, True)
            if few is not None:
                return few
        from cynn.derivatives.first import vjp

        return vjp(
            self,
            x,
            v,
            weights=weights,
            out=out,
            training=training,
            n_threads=n_threads,
            check_finite=check_finite,
        )

    def input_gradients(
        self,
        x: Any,
        y: Any,
        *,
        loss: Any = None,
        loss_weights: Any = None,
        sample_weight: Any = None,
        training: bool = False,
        n_threads: int | None = None,
        check_finite: bool = True,
    ) -> Array:
        """∂C/∂x for the mean loss over the rows, as `gradients` has them by the weights.

        They are those by x as it is given, before the scale of `Input`. The gradient of a row's own loss is as many
        times as large as there are rows.

        Parameters
        ----------
        x, y : array
            Rows and their targets, as for `fit`.
        loss : str, Loss or dict, optional
            As for `fit`.
        loss_weights : list or dict of float, optional
            For several outputs, the weight of the loss of each in the sum.
        sample_weight : array of shape (rows,), optional
            The weight of each row. Only ratios matter. For several outputs, as for `fit`.
        training : bool
            As for `vjp`.
        n_threads : int, optional
            By default `cynn.get_num_threads()`. The result does not depend on it.
        check_finite : bool
            Whether a NaN or an infinity in x or y is an error.

        Returns
        -------
        array of shape (rows, inputs)
            The derivative of C by each number of x.

        Raises
        ------
        InvalidParameterError
            The network has inputs that are categories, by which there are no derivatives.
        TrainingDivergedError
            The loss is not finite.
        ShapeError, DataError
            x or y do not fit.

        Examples
        --------
        >>> import cynn
        >>> net = cynn.Network([cynn.Input(1), cynn.Dense(1)], seed=0)
        >>> net.layers[0].weights = [[2.0]]
        >>> net.input_gradients([[3.0]], [[5.0]], loss="mean_squared_error")
        array([[4.]], dtype=float32)
        """
        from cynn.derivatives.first import input_gradients

        return input_gradients(
            self,
            x,
            y,
            loss=loss,
            loss_weights=loss_weights,
            sample_weight=sample_weight,
            training=training,
            n_threads=n_threads,
            check_finite=check_finite,
        )
