"""Fleets on executors: the same bits as in this process, also where a worker is killed."""

import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse
from fleets import Kill, KillOnce, same_weights, small_network

import cynn
from cynn.distributed import engines
from cynn.distributed.shared_data import InFile, InMemmap, Sent, Shared, SharedData, opened, to_file, with_data

GENERATOR = np.random.default_rng(0)
X = GENERATOR.standard_normal((3000, 6)).astype(np.float32)
Y = GENERATOR.integers(0, 3, 3000)
OPTIONS = {"epochs": 3, "validation_data": (X[:500], Y[:500]), "metrics": ["accuracy"]}


def networks(n=6):
    return [small_network(seed) for seed in range(n)]


def alone(n=6, **options):
    own = networks(n)
    for network in own:
        network.fit(X, Y, progress=False, **OPTIONS | options)
    return own


def processes():
    return ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))


def test_processes():
    ours, theirs = networks(), alone()
    with processes() as executor:
        result = cynn.fit_many(ours, X, Y, **OPTIONS, executor=executor)
        assert same_weights(ours, theirs)
        for history, other in zip(result.histories, theirs, strict=True):
            assert history["val_accuracy"] == other.history["val_accuracy"]
        # the memory of the optimizer is here, too
        cynn.fit_many(ours, X, Y, epochs=1, executor=executor)
        for network in theirs:
            network.fit(X, Y, epochs=1)
        assert same_weights(ours, theirs)
        rates = [cynn.optimizers.SGD(learning_rate=rate) for rate in (0.1, 1e30)]
        with pytest.warns(cynn.errors.CynnWarning, match="number 1: TrainingDivergedError"):
            two = [cynn.Network.mlp([6, 3], seed=seed) for seed in range(2)]
            result = cynn.fit_many(two, X, Y, optimizer=rates, epochs=1, executor=executor)
        assert isinstance(result.errors[1], cynn.errors.TrainingDivergedError)


def test_threads_of_an_executor():
    ours = networks()
    with ThreadPoolExecutor(2) as executor:
        cynn.fit_many(ours, X, Y, **OPTIONS, executor=executor)
    assert same_weights(ours, alone())


def test_an_executor_is_asked_once_for_its_workers(monkeypatch):
    """A Dask client takes milliseconds to answer."""
    asked = []
    monkeypatch.setattr(engines, "_workers_of", lambda executor: asked.append(executor) or 2)
    with ThreadPoolExecutor(2) as executor:
        cynn.fit_many(networks(), X, Y, **OPTIONS, executor=executor)
    assert len(asked) == 1


def test_search_in_processes():
    def build(rate):
        return small_network(0), {"optimizer": cynn.optimizers.SGD(learning_rate=rate)}

    options = {"candidates": 9, "epochs": 9, "validation_split": 0.2}
    space = {"rate": cynn.many.log_uniform(1e-3, 1)}
    with processes() as executor:
        found = cynn.search(build, space, X, Y, **options, executor=executor)
    here = cynn.search(build, space, X, Y, **options)
    assert found.figures == here.figures and same_weights(found.networks, here.networks)
    assert found.epochs_run == sum(found.epochs) == here.epochs_run


def test_a_search_hands_data_over_once(monkeypatch):
    """Its rungs and groups are one fleet after another, on the same data."""
    from cynn.distributed import engines

    handed = []
    monkeypatch.setattr(engines, "to_file", lambda value, path: handed.append(value) or to_file(value, path))

    def build(rate):
        return small_network(0), {"optimizer": cynn.optimizers.SGD(learning_rate=rate)}

    with ThreadPoolExecutor(2) as executor:
        cynn.search(
            build, {"rate": [0.1, 0.2]}, X, Y, candidates=6, brackets=2, epochs=4, reduction=2, validation_split=0.2,
            executor=executor,
        )  # fmt: skip
    assert len(handed) == 2 and handed[0] is X and handed[1] is Y


def test_a_lost_worker_of_processes(tmp_path):
    """A pool of processes ends with the first that is lost: the next call trains what is left."""
    callbacks = [KillOnce(tmp_path / "killed")]
    with processes() as executor, pytest.raises(cynn.errors.WorkerError, match="of 6 trained when one was lost"):
        cynn.fit_many(networks(), X, Y, **OPTIONS, callbacks=callbacks, executor=executor, checkpoint=tmp_path / "f")
    ours = networks()
    with processes() as executor:
        cynn.fit_many(
            ours, X, Y, **OPTIONS, callbacks=callbacks, executor=executor, checkpoint=tmp_path / "f", resume=True
        )
    assert same_weights(ours, alone())
    # all are done now: this executor does not even run
    again = networks()
    cynn.fit_many(
        again, X, Y, **OPTIONS, callbacks=callbacks, executor=executor, checkpoint=tmp_path / "f", resume=True
    )
    assert same_weights(ours, again)


def test_a_lost_worker_of_joblib(tmp_path):
    from joblib import Parallel

    ours = networks()
    cynn.fit_many(ours, X, Y, **OPTIONS, callbacks=[KillOnce(tmp_path / "killed")], executor=Parallel(2))
    assert same_weights(ours, alone())
    assert (tmp_path / "killed").exists()


def test_a_worker_that_is_always_lost():
    from joblib import Parallel

    with pytest.raises(cynn.errors.WorkerError, match="of 2 trained when one was lost"):
        cynn.fit_many(networks(2), X, Y, epochs=3, callbacks=[Kill()], executor=Parallel(2))


@pytest.mark.skipif(cynn.kernels.level == "baseline", reason="there is no lower level than this process's")
def test_workers_with_other_bits(monkeypatch):
    monkeypatch.setenv("CYNN_CPU", "baseline")
    with processes() as executor:
        with pytest.raises(cynn.errors.WorkerError, match=r"for the same bits. Got .*baseline"):
            cynn.fit_many(networks(2), X, Y, **OPTIONS, executor=executor)
        ours = networks(2)
        cynn.fit_many(ours, X, Y, **OPTIONS, executor=executor, allow_mixed=True)
    for network, other in zip(ours, alone(2), strict=True):
        np.testing.assert_allclose(network.predict(X), other.predict(X), atol=1e-3)


def test_data_go_once():
    """Large data are handed over once, small ones travel with the task; a memmap is its file."""
    handed = []
    data = SharedData(lambda value: handed.append(value) or len(handed))
    options = {"x": X, "pair": (X, Y[:3], [X.copy()]), "small": Y[:3], "number": 3}
    found = data.without_data(options)
    assert len(handed) == 2 and handed[0] is X
    assert found == {"x": Shared(0), "pair": (Shared(0), found["pair"][1], [Shared(1)]), "small": found["small"],
                     "number": 3}  # fmt: skip
    back = with_data(found, [X, handed[1]])
    assert back["x"] is X and back["pair"][0] is X and back["number"] == 3


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_memmap_is_mapped_by_each_worker(tmp_path, order):
    there = np.memmap(tmp_path / "x", np.float32, "w+", 128, X.shape, order)
    there[:] = X
    data = SharedData(lambda value: pytest.fail("it has a file already"))
    assert data.without_data(there) == Shared(0)
    assert isinstance(data.sources[0], InMemmap)
    np.testing.assert_array_equal(opened(data.sources[0]), X)
    handed = SharedData(lambda value: "copied")
    handed.without_data(there[1:])
    assert handed.sources == ["copied"], "a slice of a memmap is copied: its file holds more"


def test_files_of_the_driver(tmp_path):
    for value, is_array in [(X, True), ({"a": X}, False), (np.array(["a", "b"]), False)]:
        source = to_file(value, str(tmp_path / f"data-{is_array}-{type(value).__name__}"))
        assert source == InFile(source.path, is_array)
        found = opened(source)
        assert isinstance(found, np.memmap) == is_array
        np.testing.assert_equal(found, value)
    with pytest.raises(cynn.errors.WorkerError, match="must see the folder"):
        opened(InFile(str(tmp_path / "none"), True))


@pytest.mark.parametrize("value", [X, scipy.sparse.csr_array(X), {"a": X}], ids=["array", "sparse", "other"])
def test_what_arrives_in_the_middle_of_a_message_is_aligned(value):
    """An array that is not would be copied by every fit of a worker."""
    buffers = []
    message = pickle.dumps(Sent(value), protocol=5, buffer_callback=buffers.append)
    parts = []
    for buffer in buffers:
        raw = buffer.raw()
        there = bytearray(raw.nbytes + 65)
        begin = np.frombuffer(there, np.uint8).ctypes.data
        first = -begin % 64 + 1
        there[first : first + raw.nbytes] = raw
        parts.append(memoryview(there)[first : first + raw.nbytes])
    found = opened(pickle.loads(message, buffers=parts))
    dense = found.toarray() if hasattr(found, "toarray") else found
    np.testing.assert_equal(dense, X if hasattr(value, "shape") else value)
    if isinstance(value, dict):
        return  # as it came
    for array in [found] if isinstance(found, np.ndarray) else [found.data, found.indices, found.indptr]:
        assert array.flags.aligned
