"""Fleets on a Dask cluster whose worker is killed, on MPI's pool, and under scikit-learn's searches on Dask."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest
from fleets import KillOnce, same_weights, small_network

import cynn
from cynn.distributed import engines
from cynn.distributed.shared_data import opened

pytestmark = pytest.mark.interop

GENERATOR = np.random.default_rng(0)
X = GENERATOR.standard_normal((20_000, 6)).astype(np.float32)
Y = GENERATOR.integers(0, 3, 20_000)
OPTIONS = {"epochs": 3, "validation_split": 0.1}


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(params=["of a LocalCluster", "by address"])
def any_client(client, request):
    """The client, and one that does not know that the workers are on this machine."""
    if request.param == "of a LocalCluster":
        yield client
        return
    import distributed

    with distributed.Client(client.scheduler.address, set_as_default=False) as by_address:
        yield by_address


def networks(n=8):
    return [small_network(seed) for seed in range(n)]


def alone():
    own = networks()
    for network in own:
        network.fit(X, Y, progress=False, **OPTIONS)
    return own


def test_dask(any_client):
    ours = networks()
    cynn.fit_many(ours, X, Y, **OPTIONS, executor=any_client)
    assert same_weights(ours, alone())


def test_arrays_in_the_workers_of_dask(client, any_client, tmp_path):
    sent = engines.of(any_client, str(tmp_path)).hand_over(X)
    workers = any_client.scheduler_info()["workers"]
    found = any_client.gather([any_client.submit(opened_there, sent, name, workers=[name]) for name in workers])
    # the workers of a LocalCluster map one file; an array that was sent is aligned
    assert found == [(any_client is client, True, float(X.sum()))] * 2


def opened_there(source, _):
    array = opened(source)
    return isinstance(array, np.memmap), array.flags.aligned, float(array.sum())


def test_dask_does_the_task_of_a_killed_worker_again(client, tmp_path):
    ours = networks()
    cynn.fit_many(ours, X, Y, **OPTIONS, callbacks=[KillOnce(tmp_path / "killed")], executor=client)
    assert (tmp_path / "killed").exists()
    assert same_weights(ours, alone())


def test_search_on_dask(client):
    def build(rate):
        return small_network(0), {"optimizer": cynn.optimizers.SGD(learning_rate=rate)}

    options = {"candidates": 9, "epochs": 9, "validation_split": 0.2}
    space = {"rate": cynn.many.log_uniform(1e-3, 1)}
    found = cynn.search(build, space, X[:2000], Y[:2000], **options, executor=client)
    here = cynn.search(build, space, X[:2000], Y[:2000], **options)
    assert found.figures == here.figures
    assert found.epochs_run == sum(found.epochs)


def test_search_of_optuna():
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def build(units, rate):
        return cynn.Network.mlp([6, units, 3], output="softmax", seed=0), {"optimizer": cynn.optimizers.Adam(rate)}

    space = {"units": [4, 8], "rate": cynn.many.log_uniform(1e-4, 1e-1)}
    found = cynn.search(
        build, space, X[:500], Y[:500], candidates=8, brackets=4, epochs=2, reduction=2, validation_split=0.2,
        sampler=optuna.samplers.TPESampler(seed=0),
    )  # fmt: skip
    assert sorted(found.epochs) == [1] * 4 + [2] * 4
    with pytest.raises(cynn.errors.InvalidParameterError, match="'sampler' parameter of search"):
        cynn.search(build, space, X[:500], Y[:500], validation_split=0.2, sampler="tpe")


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # three epochs are enough here
@pytest.mark.parametrize("backend", ["loky", "dask"])
def test_grid_search_of_sklearn(client, backend):
    model_selection = pytest.importorskip("sklearn.model_selection")
    import joblib

    from cynn.sklearn import MLPClassifier

    grid = {"alpha": [1e-4, 1e-2], "hidden_layer_sizes": [(4,), (8,)]}
    estimator = MLPClassifier(max_iter=3, random_state=0, tol=0)

    def scores():
        search = model_selection.GridSearchCV(estimator, grid, cv=3, n_jobs=2).fit(X[:600], Y[:600])
        return search.cv_results_["mean_test_score"]

    here = scores()
    with joblib.parallel_config(backend=backend, n_jobs=2):
        np.testing.assert_array_equal(scores(), here)


SCRIPT = """
import numpy as np, cynn
from fleets import same_weights, small_network
x = np.random.default_rng(0).standard_normal((20_000, 6)).astype(np.float32)
y = (x[:, 0] > 0).astype(int)
if __name__ == "__main__":
    from mpi4py.futures import MPIPoolExecutor
    ours, theirs = ([small_network(seed) for seed in range(8)] for _ in range(2))
    cynn.fit_many(theirs, x, y, epochs=2)
    with MPIPoolExecutor() as executor:
        cynn.fit_many(ours, x, y, epochs=2, executor=executor)
    print(same_weights(ours, theirs))
"""


def test_mpi(tmp_path):
    pytest.importorskip("mpi4py")
    mpiexec = Path(sysconfig.get_path("scripts"), "mpiexec")
    (tmp_path / "script.py").write_text(SCRIPT)
    root = Path(__file__).parents[2]
    found = subprocess.run(
        [mpiexec, "-n", "3", sys.executable, "-m", "mpi4py.futures", tmp_path / "script.py"],
        capture_output=True, text=True, timeout=120, env={"PYTHONPATH": f"{root}:{root / 'tests' / 'support'}"},
    )  # fmt: skip
    assert (found.stdout, found.returncode) == ("True\n", 0), found.stderr
