"""Layouts of data: whatever the strides, the order of bytes and the dtype, the numbers are those of a plain copy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cynn import Network

ROWS, COLUMNS = 150, 5
DTYPES = ["u1", "i1", "<i2", ">i4", "<i8", "?", "<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "longdouble"]


def unaligned(array):
    memory = bytearray(array.nbytes + 1)
    copy = np.frombuffer(memory, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def in_gaps(array):
    """Among other numbers, which are no use: rows and columns with others between."""
    memory = np.full((2 * len(array), 3 * array.shape[1]), 77, array.dtype)
    memory[::2, 1::3] = array
    return memory[::2, 1::3]


def in_records(array):
    """As a field beside others: a stride that is no multiple of the size."""
    memory = np.zeros(len(array), [("tag", "u1"), ("values", array.dtype, array.shape[1:])])
    memory["values"] = array
    return memory["values"]


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


LAYOUTS = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "read-only": read_only,
    "unaligned": unaligned,
    "gaps": in_gaps,
    "records": in_records,
    "reversed rows": lambda array: array[::-1].copy()[::-1],
    "reversed columns": lambda array: array[:, ::-1].copy()[:, ::-1],
    "reversed": lambda array: array[::-1, ::-1].copy()[::-1, ::-1],
    "transposed": lambda array: array.T.copy().T,
    "one row over and over": lambda array: np.broadcast_to(array[:1], array.shape),
    "one column over and over": lambda array: np.broadcast_to(array[:, :1], array.shape),
    "lists": lambda array: array.tolist(),
}


def results(x, y, dtype="float32"):
    """What every call makes of x and y."""
    net = Network.mlp([COLUMNS, 7, 3], activation="tanh", output="softmax", seed=0, dtype=dtype)
    yield net.predict(x)
    yield net.predict(x, n_threads=2)
    yield net.predict(x[:3])
    yield net.predict(x[0])
    yield from net.activations(x)
    yield np.array(list(net.evaluate(x, y, metrics=["accuracy"]).values()))
    yield from (array for pair in net.gradients(x, y) for array in pair)
    yield np.array(net.train_batch(x, y))
    yield np.array(net.fit(x, y, epochs=2, batch_size=32, validation_data=(x, y), metrics=["accuracy"])["val_loss"])
    yield np.array(net.fit(x, y, epochs=1, shuffle=False, transform=lambda x, y, generator: (x[::-1], y[::-1]))["loss"])
    yield from net.get_weights()


def assert_as_plain(x, y, dtype="float32"):
    plain = np.array(x.tolist() if isinstance(x, np.ndarray) else x, np.float64), np.array(y)
    for found, expected in zip(results(x, y, dtype), results(*plain, dtype), strict=True):
        np.testing.assert_array_equal(found, expected)


def numbers(dtype):
    """Whole numbers and, where the dtype has some, halves: every dtype holds them as they are."""
    values = np.random.default_rng(0).integers(0, 9, (ROWS, COLUMNS)) / (2 if np.dtype(dtype).kind == "f" else 1)
    return values.astype(dtype)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["u1", "<f4", "<f8", ">f4"])
def test_rows(layout, dtype):
    x = LAYOUTS[layout](numbers(dtype))
    assert_as_plain(x, np.arange(ROWS) % 3)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("network", ["float32", "float64"])
def test_dtypes(dtype, network):
    assert_as_plain(numbers(dtype), np.arange(ROWS) % 3, network)


@pytest.mark.parametrize("mode", ["r", "c"])
def test_files(mode, tmp_path):
    x, y = numbers("<f4"), np.arange(ROWS) % 3
    for name, array in (("x", x), ("y", y)):
        np.save(tmp_path / f"{name}.npy", array)
    mapped = [np.load(tmp_path / f"{name}.npy", mmap_mode=mode) for name in ("x", "y")]
    assert_as_plain(*mapped)


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "lists"])
@pytest.mark.parametrize("dtype", ["u1", "<f4", ">f8"])
def test_rows_of_targets(layout, dtype):
    y = LAYOUTS[layout](np.eye(3)[np.arange(ROWS) % 3].astype(dtype))
    assert_as_plain(numbers("<f4"), y)


@pytest.mark.parametrize("dtype", ["u1", "i1", ">i2", "<i8", ">i8", "<u8", "<f4", ">f8"])
@pytest.mark.parametrize("step", [1, -1, 3])
def test_labels_and_weights_of_rows(dtype, step):
    labels = (np.arange(ROWS * 3) % 3).astype(dtype)[::step][:ROWS]
    weights = np.arange(1.0, 3 * ROWS + 1).astype(dtype if dtype != "i1" else "u1")[::step][:ROWS] % 7 + 1
    x = numbers("<f4")
    found, expected = (Network.mlp([COLUMNS, 3], output="softmax", seed=0) for _ in range(2))
    plain = labels.tolist(), [float(weight) for weight in weights]
    for net, (y, w) in ((found, (labels, weights)), (expected, plain)):
        net.fit(x, y, sample_weight=w, epochs=2)
    for own, other in zip(found.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(own, other)
    assert found.evaluate(x, labels, sample_weight=weights) == expected.evaluate(x, plain[0], sample_weight=plain[1])


slices = st.builds(slice, st.integers(0, 3), st.none(), st.sampled_from([1, 2, 3])) | st.builds(
    slice, st.none(), st.none(), st.sampled_from([-1, -2])
)


@given(
    dtype=st.sampled_from(["u1", "<f4", "<f8", ">f4", "<f2", "<i4"]),
    rows=slices,
    columns=slices,
    transposed=st.booleans(),
    offset=st.integers(0, 9),
)
def test_any_view(dtype, rows, columns, transposed, offset):
    """A view of a view at any place of a buffer predicts, and is trained on, as its copy."""
    size = 40 * 17
    memory = np.zeros(size * np.dtype(dtype).itemsize + offset, np.uint8)[offset:].view(dtype).reshape(40, 17)
    memory[...] = np.random.default_rng(0).integers(0, 9, (40, 17))
    x = (memory.T if transposed else memory)[rows, columns]
    net, same = (Network.mlp([x.shape[1], 4, 2], output="softmax", seed=0) for _ in range(2))
    y = np.arange(len(x)) % 2
    plain = np.array(x.tolist())
    np.testing.assert_array_equal(net.predict(x), net.predict(plain))
    for one, given_rows in ((net, x), (same, plain)):
        one.fit(given_rows, y, epochs=1, batch_size=7)
        one.train_batch(given_rows, y)
    for own, other in zip(net.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(own, other)
