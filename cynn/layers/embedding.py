"""Embedding: learned vectors for categories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from cynn import constraints, initializers, kernels, regularizers
from cynn.components.declarations import checked_by, part, whole_number
from cynn.engine.operations import MAX_DIMENSION
from cynn.errors import ShapeError, check_whole_number, not_allowed
from cynn.layers.layer import Layer, Parameter

if TYPE_CHECKING:
    from cynn.layers.builder import Builder

__all__ = ["Embedding"]

# Categories are numbers in the rows of x, and float32 holds whole numbers exactly up to here.
_MAX_CATEGORIES = 2**24

_LIMIT = 0.05


def _columns(value: Any, name: str, owner: str) -> int | list[int]:
    several = list(value) if isinstance(value, (list, tuple)) else [value]
    checked = [check_whole_number(column, name, owner) for column in several]
    if not checked or len(set(checked)) < len(checked):
        raise not_allowed(name, owner, "columns, each once", value)
    return checked if isinstance(value, (list, tuple)) else checked[0]


class Embedding(Layer):
    """Replaces columns of categories, which are whole numbers from 0, by rows of a learned table.

    It must be the first layer, or follow another embedding. Its output has the other columns in their order, then the
    vectors. A category that is out of range, or not a whole number, raises a DataError.

    Parameters
    ----------
    input_dim : int
        The number of categories.
    output_dim : int
        The length of a vector.
    columns : int or list of int
        The columns with categories, which all use the same table.
    initializer : str, Initializer or dict, optional
        The initializer of the vectors, as for `Dense`. By default uniform between -0.05 and 0.05.
    regularizer : str, Regularizer or dict, optional
        A penalty on the whole table.
    constraint : str, Constraint or dict, optional
        A constraint that is applied after every step. It limits each vector.
    trainable : bool
        Whether training updates the vectors.
    learning_rate_factor : float
        A factor for the optimizer's learning rate for the vectors.

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
    input_dim: int = whole_number(minimum=1, maximum=_MAX_CATEGORIES)
    output_dim: int = whole_number(minimum=1, maximum=MAX_DIMENSION)
    columns: int | Sequence[int] = checked_by(_columns, default=0)
    initializer: Any = checked_by(lambda value, *_: initializers.check_name(value), default=None, kw_only=True)
    regularizer: Any = part(regularizers.Regularizer, default=None, kw_only=True)
    constraint: Any = part(constraints.Constraint, default=None, kw_only=True)

    def build(self, builder: Builder, values: list[int]) -> int:
        (value,) = values
        width = builder.widths[value]
        columns = [self.columns] if isinstance(self.columns, int) else self.columns
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
