"""Datasets that are part of the package: nothing is downloaded.

Functions return NumPy arrays that can be given to `fit`. They use nothing else of the package.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["load_mnist"]

Bytes: TypeAlias = npt.NDArray[np.uint8]


def load_mnist() -> tuple[tuple[Bytes, Bytes], tuple[Bytes, Bytes]]:
    """The MNIST database of handwritten digits.

    An image is a row of 784 bytes: 28 rows of 28 pixels, from 0 (background) to 255 (ink).
    ``x.reshape(-1, 28, 28)`` gives the images as matrices, without a copy.

    With ``Input(784, scale=1/255)``, a network converts the bytes to numbers from 0 to 1, one batch at a time, so the
    training images take only 47 MB.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        Images, uint8, of shapes (60000, 784) and (10000, 784), and their digits, uint8, of shapes (60000,) and
        (10000,). Every call returns new arrays, which may be changed.

    Notes
    -----
    By Yann LeCun and Corinna Cortes, under the licence Creative Commons Attribution-ShareAlike 3.0. The
    file ``LICENSE-MNIST.txt`` beside the data says so.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to document
    recognition", Proceedings of the IEEE 86(11), 1998, pages 2278 to 2324.

    Examples
    --------
    >>> (x_train, y_train), (x_test, y_test) = load_mnist()
    >>> x_train.shape, y_train.shape, x_test.shape, y_test.shape
    ((60000, 784), (60000,), (10000, 784), (10000,))
    >>> print(y_train[:10])
    [5 0 4 1 9 2 1 3 1 4]
    """
    from pathlib import Path  # imported when needed, as it takes time

    with np.load(Path(__file__).with_name("mnist.npz")) as stored:
        return (
            (stored["x_train"].reshape(-1, 784), stored["y_train"]),
            (stored["x_test"].reshape(-1, 784), stored["y_test"]),
        )
