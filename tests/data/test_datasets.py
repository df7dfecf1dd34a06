"""The bundled digits: the right file, its licence beside it, and rows that a network takes."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

import cynn
from cynn import datasets

FOLDER = Path(datasets.__file__).parent
SHA256 = "06af5dfe73b70e3bc1c36439982b18a8d76803db9b544f6fdf838a37fbb01b64"


@pytest.fixture(scope="module")
def mnist():
    return datasets.load_mnist()


def test_the_file_is_the_one_that_was_bundled():
    assert hashlib.sha256((FOLDER / "mnist.npz").read_bytes()).hexdigest() == SHA256


def test_the_licence_lies_beside_the_file():
    text = (FOLDER / "LICENSE-MNIST.txt").read_text(encoding="utf-8")
    for said in ("Yann LeCun", "Corinna Cortes", "Attribution-ShareAlike 3.0", SHA256):
        assert said in text


def test_shapes_and_dtypes(mnist):
    (x_train, y_train), (x_test, y_test) = mnist
    assert x_train.shape == (60_000, 784)
    assert y_train.shape == (60_000,)
    assert x_test.shape == (10_000, 784)
    assert y_test.shape == (10_000,)
    assert {a.dtype for part in mnist for a in part} == {np.dtype(np.uint8)}


def test_counts_of_the_digits(mnist):
    # as in the database's own description of its labels
    (_, y_train), (_, y_test) = mnist
    assert np.bincount(y_train).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_a_row_is_the_picture_row_by_row(mnist):
    (x_train, _), _ = mnist
    with np.load(FOLDER / "mnist.npz") as stored:
        np.testing.assert_array_equal(x_train[:100].reshape(-1, 28, 28), stored["x_train"][:100])
    picture = x_train[0].reshape(28, 28)
    assert picture[:4].sum() == 0
    assert picture.max() == 255


def test_the_arrays_are_the_callers_own(mnist):
    (x_train, y_train), _ = datasets.load_mnist()
    for mine, other in ((x_train, mnist[0][0]), (y_train, mnist[0][1])):
        assert mine.flags.writeable
        assert mine.flags.c_contiguous
        assert not np.shares_memory(mine, other)


def test_reachable_from_the_package(mnist):
    assert cynn.datasets.load_mnist is datasets.load_mnist
    net = cynn.Network.mlp([784, 4, 10], input_scale=1 / 255, seed=0)
    assert net.predict(mnist[1][0][:5]).shape == (5, 10)
