"""Categories as vectors that are learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from cynn import constraints, initializers, kernels, regularizers
from cynn.engine.operations import MAX_DIMENSION
from cynn.errors import InvalidParameterError, ShapeError, check_whole_number, shown
from cynn.layers.layer import Layer, Parameter

if TYPE_CHECKING:
    from cynn.layers.builder import Builder

__all__ = ["Embedding"]

# What float32 holds exactly: a category is a number of a row like any other.
_MAX_CATEGORIES = 2**24

_LIMIT = 0.05


class Embedding(Layer):
    """Replaces columns of categories, whole numbers from 0, by vectors: rows of a table that is learned.

    It stands at the input, or behind another embedding; the columns that stay come first, in their order,
    then the vectors. Categories out of range, or that are not whole, are a DataError.

    Parameters
    ----------
    input_dim : int
        How many categories there are.
    output_dim : int
        Numbers of a vector.
    columns : int or list of int
        Which columns hold categories, which then share the table.
    initializer : str, Initializer or dict, optional
        How the vectors start, as for `Dense`; by default uniform between -0.05 and 0.05.
    regularizer : str, Regularizer or dict, optional
        A penalty on the size of the whole table, at every step.
    constraint : str, Constraint or dict, optional
        What the vectors are brought back to after every step: a norm is that of each vector.
    trainable : bool
        Whether training moves them.
    learning_rate_factor : float
        What the optimizer's learning rate is multiplied by for them.

    Attributes
    ----------
    weights : array of shape (input_dim, output_dim)
        The table. A live view, only in a network.

    Examples
    --------
    >>> import cynn
    >>> net = cynn.Network([cynn.Input(2), cynn.Embedding(3, 2, columns=0)])
    >>> net.layers[0].weights = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    >>> net.predict([2.0, 0.5])
    array([0.5, 5. , 6. ], dtype=float32)
    """

    name: ClassVar[str] = "embedding"
    kernel = kernels.embedding.KERNELS["embedding"]
    weights = Parameter()

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        columns: int | Sequence[int] = 0,
        *,
        initializer: Any = None,
        regularizer: Any = None,
        constraint: Any = None,
        trainable: bool = True,
        learning_rate_factor: float = 1.0,
    ) -> None:
        super().__init__(trainable=trainable, learning_rate_factor=learning_rate_factor)
        self.input_dim = check_whole_number(
            input_dim, "input_dim", "Embedding", minimum=1, maximum=_MAX_CATEGORIES
        )
        self.output_dim = check_whole_number(
            output_dim, "output_dim", "Embedding", minimum=1, maximum=MAX_DIMENSION
        )
        several = list(columns) if isinstance(columns, (list, tuple)) else [columns]
        checked = [check_whole_number(column, "columns", "Embedding") for column in several]
        if not checked or len(set(checked)) < len(checked):
            raise InvalidParameterError(
                f"The 'columns' parameter of Embedding must be columns, each once. Got {shown(columns)} instead."
            )
        self.columns = checked if isinstance(columns, (list, tuple)) else checked[0]
        self.initializer = initializers.check_name(initializer)
        self.regularizer = regularizers.get(regularizer)
        self.constraint = constraints.get(constraint)

    def build(self, builder: Builder, values: list[int]) -> int:
        (value,) = values
        width = builder.widths[value]
        columns = self.columns if isinstance(self.columns, list) else [self.columns]
        if max(columns) >= width:
            raise ShapeError(f"The columns of an embedding must be there, below {width}. Got {max(columns)} instead.")
        for column in columns:
            input_column = builder.input_column(value, column)
            if input_column is None:
                raise ShapeError(
                    "The columns of an embedding must be columns of the network's input. "
                    f"Got column {column} of what other layers return instead."
                )
            builder.categories[input_column] = min(
                self.input_dim, builder.categories.get(input_column, self.input_dim)
            )
        if self.initializer is None:
            W = builder.uniform(_LIMIT, self.input_dim, self.output_dim)
        else:
            W = builder.weights(self.initializer, self.input_dim, self.output_dim)
        builder.parameter("weights", W)
        ascending = sorted(columns)
        output = builder.add(
            self.kernel,
            values,
            width + (self.output_dim - 1) * len(columns),
            parameters=[W],
            trainable=self.trainable,
            rules=[builder.rule(self.regularizer, self.constraint, of_rows=True)],
            hyperparameters=[len(columns), *columns, *ascending],
        )
        builder.without[output] = value, ascending
        return output
