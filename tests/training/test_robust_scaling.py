"""Columns are scaled by their medians and quartiles, in any network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cynn
from cynn.errors import DataError, InvalidParameterError, ShapeError

#: Quartiles that differ; the same in most rows; all the same.
X = np.array([[1.0, 0, 7], [2, 0, 7], [3, 0, 7], [4, 0, 7], [500, 8, 7]])


def make(dtype: str = "float64", first: Any = None, **options: float) -> cynn.Network:
    first = cynn.BatchNorm(trainable=False) if first is None else first
    return cynn.Network([cynn.Input(3, **options), first, cynn.Dense(4, "tanh"), cynn.Dense(1)], seed=0, dtype=dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("options", [{}, {"scale": 4.0}, {"offset": 100.0}], ids=str)
def test_columns(dtype: str, options: dict[str, float]) -> None:
    net = make(dtype, **options)
    net.scale_robustly(X)
    wanted = np.column_stack([(X[:, 0] - 3) / 2, X[:, 1] * 2 / 8, np.zeros(5)])
    np.testing.assert_allclose(net.activations(X)[1], wanted, rtol=1e-6, atol=1e-12)
    before = net.layers[0].gamma.copy()
    net.fit(X, X[:, 0], epochs=2, progress=False)
    np.testing.assert_array_equal(net.layers[0].gamma, before)


def test_weights_are_copies() -> None:
    weight = np.array([3, 0, 1, 2, 1])
    one, other = make(), make()
    one.scale_robustly(X, sample_weight=weight)
    other.scale_robustly(np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(one.activations(X)[1], other.activations(X)[1], rtol=1e-12)


def test_it_is_saved(tmp_path: Any) -> None:
    net = make()
    net.scale_robustly(X)
    net.save(tmp_path / "net.safetensors")
    np.testing.assert_array_equal(cynn.load(tmp_path / "net.safetensors").predict(X), net.predict(X))


@pytest.mark.parametrize("first", [cynn.BatchNorm(), cynn.BatchNorm(trainable=False, use_scale=False), cynn.Dense(3)])
def test_the_first_layer_must_be_one_that_can(first: Any) -> None:
    with pytest.raises(InvalidParameterError, match="first layer must be a BatchNorm"):
        make(first=first).scale_robustly(X)


def test_what_cannot_be_scaled_by_changes_nothing() -> None:
    net = make()
    with pytest.raises(DataError, match="x must be finite"):
        net.scale_robustly(np.where(X == 2, np.nan, X))
    with pytest.raises(ShapeError, match="at least one row"):
        net.scale_robustly(X[:0])
    np.testing.assert_array_equal(net.layers[0].gamma, 1)
