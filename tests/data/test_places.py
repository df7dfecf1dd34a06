"""Only some rows are looked at: those that `places` names, in that order."""

import numpy as np
import pytest

import cynn
from cynn.data import inputs
from cynn.data.inputs import Conversion
from cynn.data.targets import Targets
from cynn.engine.row_matrix import RowMatrix
from cynn.engine.sparse_rows import SparseRows
from cynn.errors import DataError

PLACES = np.array([7, 299, 3, 150, 151, 152])


def rows(kind, wrong):
    """300 rows, some of which have a NaN in their last column."""
    x = np.random.default_rng(0).normal(size=(300, 5)).astype("float64" if kind == "float64" else "float32")
    x[wrong, -1] = np.nan
    if kind == "strided":
        return np.asfortranarray(x)
    if kind == "reversed":
        return x[::-1].copy()[::-1]
    if kind == "sparse":
        starts, column_of = np.arange(0, 1501, 5), np.tile(np.arange(5, dtype=np.int32), 300)
        return SparseRows(starts, column_of, x.ravel(), 5)
    return x


@pytest.mark.parametrize("conversion", [Conversion("float32"), Conversion("float32", 2.0, 1.0)], ids=["as is", "moved"])
@pytest.mark.parametrize("kind", ["float32", "float64", "strided", "reversed", "sparse"])
class TestFirstNonfiniteRow:
    def test_a_row_that_is_not_named_is_not_looked_at(self, kind, conversion):
        wrong = np.setdiff1d(np.arange(300), PLACES)
        assert RowMatrix(rows(kind, wrong)).first_nonfinite_row(conversion, PLACES) == -1
        assert RowMatrix(rows(kind, wrong)).first_nonfinite_row(conversion, np.zeros(0, np.int64)) == -1

    @pytest.mark.parametrize("first", range(len(PLACES)))
    def test_the_first_one_in_their_order(self, kind, conversion, first):
        assert RowMatrix(rows(kind, PLACES[first:])).first_nonfinite_row(conversion, PLACES) == PLACES[first]

    def test_more_than_are_converted_at_a_time(self, kind, conversion):
        places = np.r_[np.tile(PLACES, 50), 200]
        assert RowMatrix(rows(kind, [200])).first_nonfinite_row(conversion, places) == 200

    @pytest.mark.parametrize("outside", [-1, 300, 2**62])
    def test_no_row_outside_is_read(self, kind, conversion, outside):
        with pytest.raises(IndexError, match=f"from 0 to 299. Got {outside} instead"):
            RowMatrix(rows(kind, [])).first_nonfinite_row(conversion, np.array([0, outside]))


def test_the_held_out_row_that_is_wrong_is_named_and_nothing_changes():
    x, y = np.random.default_rng(0).normal(size=(100, 3)), np.arange(100) % 2
    net = cynn.Network.mlp([3, 4, 2], output="softmax", seed=0)
    _, held_out = inputs.split(Targets(None, y, 2), 100, 0.2, net.seed)
    x[held_out[3], 1] = np.inf
    before = net.get_weights()
    with pytest.raises(DataError, match=rf"x of the validation split .* row {held_out[3]}, column 1"):
        net.fit(x, y, validation_split=0.2, epochs=1)
    assert all(map(np.array_equal, before, net.get_weights()))


@pytest.mark.parametrize("largest", [1, 255, 65_535, 65_536, 10**9])
def test_a_split_does_not_depend_on_how_labels_are_sorted(largest):
    y = np.random.default_rng(0).integers(0, 4, 200) * (largest // 3)
    y[0] = largest
    train, held_out = inputs.split(Targets(None, y, largest + 1), 200, 0.25, seed=0)
    small = np.unique(y, return_inverse=True)[1]
    expected = inputs.split(Targets(None, small, small.max() + 1), 200, 0.25, seed=0)
    assert (train.tolist(), held_out.tolist()) == tuple(part.tolist() for part in expected)
