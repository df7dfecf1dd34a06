"""How many threads; and networks in several threads, and in processes that were forked."""

import os
import subprocess
import sys
import textwrap
import threading
import time

import helpers
import in_a_process
import numpy as np
import pytest

import cynn
from cynn import Network
from cynn.errors import InvalidParameterError


@pytest.fixture(autouse=True)
def default(monkeypatch):
    for name in ("CYNN_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    yield
    cynn.set_num_threads(None)


def large():
    """A network and data of a size that several threads are used for."""
    net = Network.mlp([150, 120, 60, 10], output="softmax", seed=2)
    x = helpers.inputs(600, 150, "float32")
    return net, x, np.arange(600) % 10


def run(code):
    """The words that code prints in a process of its own."""
    return in_a_process.run(code).split()


class TestNumber:
    def test_the_default_is_what_this_process_may_use(self):
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        assert 1 <= cynn.get_num_threads() <= cores

    def test_it_can_be_set_and_reset(self):
        default = cynn.get_num_threads()
        cynn.set_num_threads(np.int64(7))
        assert cynn.get_num_threads() == 7
        cynn.set_num_threads(None)
        assert cynn.get_num_threads() == default

    @pytest.mark.parametrize("n_threads", [0, -1, 1.0, "2", True, [2]])
    def test_what_is_no_number(self, n_threads):
        words = r"The 'n_threads' parameter of cynn must be a whole number >= 1\. Got .* instead"
        with pytest.raises(InvalidParameterError, match=words):
            cynn.set_num_threads(n_threads)
        net, x, y = large()
        for use in (net.predict, net.activations):
            for rows in (x, x[0]):
                with pytest.raises(InvalidParameterError, match=words):
                    use(rows, n_threads=n_threads)
        with pytest.raises(InvalidParameterError, match=words):
            net.evaluate(x, y, n_threads=n_threads)

    @pytest.mark.parametrize("name", ["CYNN_NUM_THREADS", "OMP_NUM_THREADS"])
    def test_from_the_environment(self, monkeypatch, name):
        monkeypatch.setenv(name, "3")
        assert cynn.get_num_threads() == 3
        cynn.set_num_threads(5)
        assert cynn.get_num_threads() == 5

    def test_ours_goes_before(self, monkeypatch):
        monkeypatch.setenv("CYNN_NUM_THREADS", "3")
        monkeypatch.setenv("OMP_NUM_THREADS", "4")
        assert cynn.get_num_threads() == 3

    @pytest.mark.parametrize("value", ["0", "-2", "many", "1.5", "²"])
    def test_what_is_no_number_in_the_environment(self, monkeypatch, value):
        monkeypatch.setenv("CYNN_NUM_THREADS", value)
        with pytest.raises(InvalidParameterError, match=rf"'CYNN_NUM_THREADS' .* Got '?{value}'? instead"):
            cynn.get_num_threads()

    def test_an_empty_one_is_none(self, monkeypatch):
        monkeypatch.setenv("CYNN_NUM_THREADS", "")
        assert cynn.get_num_threads() >= 1


class TestFewRows:
    @pytest.mark.skipif(not hasattr(time, "thread_time"), reason="this system has no clock per thread")
    def test_a_second_thread_takes_part(self):
        net = Network.mlp([784, 700, 500, 10], output="softmax", seed=0)
        x = helpers.inputs(128, 784, "float32")
        shares = {}
        for n_threads in (1, 2):
            net.predict(x, n_threads=n_threads)
            begin, own = time.process_time(), time.thread_time()
            for _ in range(10):
                net.predict(x, n_threads=n_threads)
            shares[n_threads] = (time.thread_time() - own) / (time.process_time() - begin)
        assert shares[1] > 0.9 > shares[2], shares

    @pytest.mark.parametrize("rows", [1, 63, 64, 65, 127, 128, 129, 200, 256, 257])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_the_same_bits_on_any_number_of_threads(self, rows, dtype):
        net = Network.mlp([784, 300, 10], output="softmax", dtype=dtype, seed=0)
        x = helpers.inputs(rows, 784, dtype)
        one = net.predict(x, n_threads=1)
        for n_threads in (2, 3, 8):
            np.testing.assert_array_equal(net.predict(x, n_threads=n_threads), one)
        np.testing.assert_allclose(one, net.predict(np.vstack([x, x, x]))[:rows], rtol=1e-5)


class TestManyAtOnce:
    def in_threads(self, work, n):
        """Runs work(0) .. work(n - 1) at once; what went wrong in one is raised here."""
        errors, barrier = [], threading.Barrier(n)

        def run_one(i):
            try:
                barrier.wait()
                work(i)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=run_one, args=(i,)) for i in range(n)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]

    @pytest.mark.parametrize("rows", [1, 50, 600])
    def test_predict_from_eight_threads(self, rows):
        net, x, _ = large()
        expected = net.predict(x[:rows])

        def work(i):
            for _ in range(20):
                assert (net.predict(x[:rows], n_threads=1 + i % 3) == expected).all()

        self.in_threads(work, 8)

    def test_two_fits_at_once(self):
        alone = []
        for seed in (0, 1):
            net, x, y = large()
            net.fit(x, y, optimizer="adam", epochs=3, batch_size=200 + seed)
            alone.append(helpers.digest(net))
        nets = [large()[0] for _ in range(2)]

        def work(i):
            nets[i].fit(x, y, optimizer="adam", epochs=3, batch_size=200 + i, n_threads=3)

        self.in_threads(work, 2)
        assert [helpers.digest(net) for net in nets] == alone

    def test_fit_in_a_thread_leaves_others_to_run(self):
        """Steps run without the GIL: this thread counts on while the other trains."""
        net, x, y = large()
        thread = threading.Thread(target=net.fit, args=(x, y), kwargs={"epochs": 40})
        thread.start()
        count = 0
        while thread.is_alive():
            count += 1
        thread.join()
        assert count > 1000


class TestForks:
    FIT = """
        import hashlib, os, sys
        import numpy as np
        import cynn

        def fitted():
            net = cynn.Network.mlp([150, 120, 60, 10], output="softmax", seed=2)
            x = np.random.default_rng(0).normal(size=(600, 150))
            net.fit(x, np.arange(600) % 10, epochs=2, batch_size=300, n_threads=3)
            predicted = net.predict(x, n_threads=3)
            return hashlib.sha256(net.layers[0].weights.tobytes() + predicted.tobytes()).hexdigest()
    """

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
    def test_after_fork(self):
        out = run(
            self.FIT
            + """
        first = fitted()
        pid = os.fork()
        if pid == 0:
            print(fitted() == first, flush=True)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        print(status, fitted() == first)
        """
        )
        assert out == ["True", "0", "True"]

    @pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="this system does not list threads")
    def test_predictions_keep_their_threads_and_a_child_gets_its_own(self):
        """Starting threads costs more than many a prediction: they are kept, of one number, for all networks."""
        out = run(
            """
        import os
        import numpy as np
        import cynn

        x = np.random.default_rng(0).normal(size=(600, 150))

        def threads_after_a_prediction(n_threads=3, rows=600):
            cynn.Network.mlp([150, 120, 60, 10], seed=2).predict(x[:rows], n_threads=n_threads)
            return len(os.listdir("/proc/self/task"))

        before = len(os.listdir("/proc/self/task"))
        asked = [(3, 600), (3, 600), (3, 200), (1, 600), (4, 600), (2, 600), (1000, 600), (3, 600)]
        print(*[threads_after_a_prediction(*how) - before for how in asked], flush=True)
        pid = os.fork()
        if pid == 0:
            print(len(os.listdir("/proc/self/task")), threads_after_a_prediction(), flush=True)
            os._exit(0)
        print(os.waitpid(pid, 0)[1])
        """
        )
        assert " ".join(out) == "2 2 1 1 3 1 7 2 1 3 0"

    @pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
    def test_in_a_pool_of_processes(self, tmp_path, method):
        if method != "spawn" and not hasattr(os, "fork"):
            pytest.skip("this system has no fork")
        path = tmp_path / "pool.py"
        path.write_text(
            textwrap.dedent(
                self.FIT
                + """
        def work(_):
            return fitted()

        if __name__ == "__main__":
            import multiprocessing
            first = fitted()
            with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
                print(pool.map(work, range(3)) == [first] * 3)
        """
            )
        )
        result = subprocess.run(
            [sys.executable, "-W", "ignore", path, method], capture_output=True, text=True, timeout=120
        )
        assert (result.returncode, result.stdout) == (0, "True\n"), result.stderr

    @pytest.mark.parametrize("backend", ["loky", "multiprocessing", "threading"])
    def test_in_workers_of_joblib(self, tmp_path, backend):
        """loky tells its processes how many cores are theirs, so that together they fill the machine once."""
        pytest.importorskip("joblib")
        path = tmp_path / "workers.py"
        path.write_text(
            textwrap.dedent(
                self.FIT
                + """
        def work():
            return fitted(), cynn.get_num_threads()

        if __name__ == "__main__":
            from joblib import Parallel, cpu_count, delayed
            first = fitted()
            results = Parallel(n_jobs=2, backend=sys.argv[1])(delayed(work)() for _ in range(4))
            print({digest for digest, _ in results} == {first})
            print(sys.argv[1] != "loky" or {n for _, n in results} == {max(1, cpu_count() // 2)})
        """
            )
        )
        result = subprocess.run(
            [sys.executable, "-W", "ignore", path, backend], capture_output=True, text=True, timeout=120
        )
        assert (result.returncode, result.stdout) == (0, "True\nTrue\n"), result.stderr

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
    def test_a_fork_in_the_middle_of_training(self):
        """In the child only the thread that forked goes on, and trains to the end alone."""
        out = run(
            """
        import hashlib, os, numpy as np, cynn

        class Fork(cynn.training.Callback):
            child = None

            def on_epoch_end(self, epoch, logs):
                if epoch == 2:
                    Fork.child = os.fork()

        net = cynn.Network.mlp([150, 120, 60, 10], output="softmax", seed=2)
        x = np.random.default_rng(0).normal(size=(600, 150))
        net.fit(x, np.arange(600) % 10, epochs=4, batch_size=300, n_threads=3, callbacks=[Fork()])
        # in one piece, also where Python does not buffer: two processes write
        os.write(1, (hashlib.sha256(net.layers[0].weights.tobytes()).hexdigest() + "\\n").encode())
        if Fork.child == 0:
            os._exit(0)
        print(os.waitpid(Fork.child, 0)[1])
        """
        )
        assert out[0] == out[1]
        assert out[2] == "0"
