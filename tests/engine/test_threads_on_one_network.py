"""One network and several threads of Python: one trains, others look, and nobody waits for ever.

Each test runs in a process of its own, which is killed where it hangs.
"""

import textwrap

import in_a_process
import pytest

BEGIN = """
import copy, os, pickle, signal, tempfile, threading, time, traceback
import numpy as np
import cynn
from cynn import Network
from cynn.errors import BusyError

generator = np.random.default_rng(0)
x, y = generator.random((600, 150), dtype="float32"), np.arange(600) % 10

def network():
    return Network.mlp([150, 120, 60, 10], output="softmax", seed=2)

def side_by_side(*calls):
    "Runs each call on a thread; what they raised."
    errors = []
    def run(call):
        try:
            call()
        except Exception as error:
            errors.append(error)
    threads = [threading.Thread(target=run, args=(call,), daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors

def beside_a_fit(net, look, **settings):
    "Calls look() over and over while net is trained, until it has been called 20 times at least; what fit raised."
    begun, done, seen_enough, looks = threading.Event(), threading.Event(), threading.Event(), []
    class Until(cynn.callbacks.Callback):
        def on_train_begin(self):
            begun.set()
        def on_epoch_end(self, epoch, logs):
            self.stop_training = seen_enough.is_set()
    def train():
        try:
            data = settings.pop("data", (x, y))
            net.trained = net.fit(*data, epochs=10**6, callbacks=[Until()], progress=False, **settings)
        finally:
            done.set()
    def watch():
        begun.wait()
        try:
            while not done.is_set():
                looks.append(look())
                if len(looks) == 20:
                    seen_enough.set()
        finally:
            seen_enough.set()
    return side_by_side(train, watch)
"""


def run(code):
    """The lines that code prints in a process of its own."""
    return in_a_process.run(BEGIN + textwrap.dedent(code), seconds=90).splitlines()


class TestOneTrains:
    @pytest.mark.parametrize("n_threads", [1, 2])
    def test_steps_on_two_threads(self, n_threads):
        """Each step is taken, or refused: none is lost, and none hangs."""
        run(f"""
            net, taken = network(), []
            def steps():
                for _ in range(150):
                    try:
                        net.train_batch(x, y, optimizer="sgd", n_threads={n_threads})
                        taken.append(1)
                    except BusyError:
                        pass
            assert side_by_side(steps, steps, steps) == []
            assert net._optimizer_state.t == len(taken) > 0
            same = network()
            for _ in taken:
                same.train_batch(x, y, optimizer="sgd", n_threads={n_threads})
            assert all((a == b).all() for a, b in zip(net.get_weights(), same.get_weights()))
        """)

    @pytest.mark.parametrize(
        "call",
        [
            "net.fit(x, y)",
            "net.train_batch(x, y)",
            "net.update_moving_averages(x)",
            "net.set_weights(net.get_weights())",
        ],
    )
    def test_what_is_refused_beside_a_fit(self, call):
        run(f"""
            net, refused = network(), []
            def change():
                time.sleep(0.01)
                try:
                    {call}
                except BusyError as error:
                    assert "on another thread" in str(error), error
                    refused.append(error)
            errors = beside_a_fit(net, change)
            assert errors == [] and len(refused) >= 20
            same = network()
            same.fit(x, y, epochs=net.trained.epochs, progress=False)
            assert net.trained["loss"] == same.history["loss"]
            {call}
        """)

    def test_an_assignment_beside_a_fit(self):
        run("""
            net, refused = network(), []
            def change():
                try:
                    net.layers[0].biases = np.zeros(120)
                except BusyError as error:
                    assert "an assignment of biases" in str(error)
                    refused.append(error)
            assert beside_a_fit(net, change) == [] and len(refused) >= 19
            net.layers[0].biases = np.zeros(120)
        """)

    @pytest.mark.parametrize("call", ["fit(x, y)", "train_batch(x, y)"])
    def test_training_in_a_callback_of_the_same_network(self, call):
        (line,) = run(f"""
            net = network()
            class Nested(cynn.callbacks.Callback):
                def on_epoch_end(self, epoch, logs):
                    self.network.{call}
            try:
                net.fit(x, y, epochs=2, callbacks=[Nested()], progress=False)
            except BusyError as error:
                print(error)
            assert net.history.epochs == 1
            net.{call}
        """)
        assert "beside fit in whose callback it is instead" in line

    def test_what_a_callback_may_do(self):
        run("""
            net, path = network(), tempfile.mktemp()
            class Looks(cynn.callbacks.Callback):
                def on_step_end(self, step, logs):
                    self.network.predict(x), self.network.evaluate(x, y), self.network.gradients(x, y)
                    self.network.save(path), copy.deepcopy(self.network), self.network.update_moving_averages(x)
                    self.network.set_weights(self.network.get_weights())
                    self.network.layers[0].biases = self.network.layers[0].biases
            net.fit(x, y, epochs=1, batch_size=300, callbacks=[Looks()], progress=False)
            os.unlink(path)
        """)

    def test_what_gives_batches_may_look(self):
        run("""
            net, path = network(), tempfile.mktemp()
            def batches(epoch):
                for _ in range(5):
                    net.predict(x), net.evaluate(x, y), net.save(path), pickle.dumps(net)
                    yield x, y
            net.fit(batches, epochs=2, progress=False)
            os.unlink(path)
            def trains(epoch):
                yield x, y
                net.train_batch(x, y)
            try:
                net.fit(trains, epochs=2, progress=False)
            except BusyError:
                net.fit(x, y, epochs=1, progress=False)
            else:
                raise AssertionError
        """)


class TestTheNextMayBegin:
    @pytest.mark.parametrize(
        "ends", ["ZeroDivisionError", "KeyboardInterrupt", "SystemExit", "cynn.errors.DataError('')"]
    )
    def test_after_an_error(self, ends):
        run(f"""
            net = network()
            class Ends(cynn.callbacks.Callback):
                def on_step_end(self, step, logs):
                    raise {ends}
            try:
                net.fit(x, y, callbacks=[Ends()], progress=False)
            except BaseException as error:
                kept = error
            assert side_by_side(lambda: net.fit(x, y, epochs=1, progress=False)) == []
            try:
                net.fit(x, y[:-1])
            except cynn.errors.ShapeError:
                net.train_batch(x, y)
        """)

    def test_after_ctrl_c_at_any_moment(self):
        run("""
            net, interrupted = network(), 0
            net.fit(x, y, epochs=1, progress=False)  # an import that is interrupted is Python's affair
            net.train_batch(x, y)
            signal.signal(signal.SIGALRM, signal.default_int_handler)
            for number in range(200):
                try:
                    signal.setitimer(signal.ITIMER_REAL, 0.001 + 0.00007 * number)
                    while True:
                        net.train_batch(x[:20], y[:20])
                        net.get_weights()
                except KeyboardInterrupt:
                    interrupted += 1
            assert interrupted == 200
            assert side_by_side(lambda: net.fit(x, y, epochs=1, progress=False), net.get_weights) == []
        """)

    def test_in_a_forked_child_of_one_that_trains(self):
        run("""
            net = network()
            def child():
                pid = os.fork()
                if pid == 0:
                    try:
                        net.fit(x, y, epochs=2, progress=False, n_threads=2)
                        net.get_weights(), net.predict(x), net.train_batch(x, y)
                        os._exit(7)
                    finally:
                        traceback.print_exc()
                        os._exit(8)
                status = 0, None
                while status[0] == 0:
                    status = os.waitpid(pid, os.WNOHANG)
                    time.sleep(0.01)
                assert os.waitstatus_to_exitcode(status[1]) == 7
            assert beside_a_fit(net, child, n_threads=2) == []
        """)


class TestOthersLook:
    @pytest.mark.parametrize("n_threads", [1, 2])
    def test_predictions_on_many_threads(self, n_threads):
        run(f"""
            net = network()
            expected = {{n: net.predict(x[:n]) for n in (1, 7, 130, 600)}}
            def predict():
                for _ in range(40):
                    for n in expected:
                        assert (net.predict(x[:n], n_threads={n_threads}) == expected[n]).all()
            assert side_by_side(*[predict] * 6) == []
        """)

    def test_errors_of_a_python_activation_stay_on_their_thread(self):
        run("""
            class Picky(cynn.activations.Activation):
                name = "picky"
                def forward(self, z):
                    if z[0, 0] > 1:
                        time.sleep(0.0005)
                        raise ValueError
                    return z
                def backward(self, z, a, grad):
                    return grad
            net = Network([cynn.Input(1), cynn.Dense(1, Picky())])
            net.layers[0].weights = [[1.0]]
            def good():
                for _ in range(300):
                    net.predict([[0.5]])
            def bad():
                for _ in range(300):
                    try:
                        net.predict([[2.0]])
                    except cynn.errors.PluginError:
                        continue
                    raise AssertionError
            assert side_by_side(good, bad, good, bad) == []
        """)

    @pytest.mark.parametrize("n_threads", [1, 2])
    @pytest.mark.parametrize("batches", [False, True])
    def test_beside_a_fit_all_weights_are_of_one_step(self, n_threads, batches):
        """Every step moves every weight by the same: where they differ, the step was not whole."""
        run(f"""
            net, path = Network([cynn.Input(40), cynn.Dense(4096)]), tempfile.mktemp()
            net.set_weights([np.zeros((40, 4096)), np.zeros(4096)])
            rows, targets = np.full((64, 40), 1, "float32"), np.full((64, 4096), 1e9, "float32")
            def check(weights):
                assert len(np.unique(np.concatenate([w.ravel() for w in weights]))) == 1
            def look():
                check(net.get_weights())
                net.save(path)
                check(cynn.load(path).get_weights())
                again = pickle.loads(pickle.dumps(net))
                check(again.get_weights())
                check(copy.deepcopy(net).get_weights())
                if again._optimizer_state is not None:
                    found = np.unique(np.concatenate([s.ravel() for of in again._optimizer_state.slots for s in of]))
                    assert len(found) == 1
                    step = again.layers[0].biases[0] * 4096 / again._optimizer_state.t
                    assert again._optimizer_state.t == 0 or 1 <= step * 2**4 <= 2.001, step
                net.predict(rows), net.evaluate(rows, targets), net.activations(rows), net.gradients(rows, targets)
            def forever(epoch):
                for _ in range(20):
                    yield rows, targets
            sgd = cynn.optimizers.SGD(2.0**-4, momentum=0.5)
            data = (forever, None) if {batches} else (np.tile(rows, (20, 1)), np.tile(targets, (20, 1)))
            options = dict(data=data, loss="mean_absolute_error", optimizer=sgd, n_threads={n_threads})
            errors = beside_a_fit(net, look, **options, **({{}} if {batches} else dict(batch_size=64)))
            assert errors == [], errors
            os.unlink(path)
        """)

    def test_many_who_wait_do_not_hold_up_the_training(self):
        run("""
            net, done = network(), threading.Event()
            def look():
                while not done.is_set():
                    net.get_weights()
            def train():
                net.fit(x, y, epochs=30, progress=False)
                done.set()
            assert side_by_side(train, *[look] * 8) == []
        """)

    def test_a_copy_has_a_lock_of_its_own(self):
        run("""
            net = network()
            class Trains(cynn.callbacks.Callback):
                def on_epoch_end(self, epoch, logs):
                    for other in (copy.deepcopy(net), copy.copy(net), pickle.loads(pickle.dumps(net))):
                        other.fit(x, y, epochs=1, progress=False)
            net.fit(x, y, epochs=2, callbacks=[Trains()], progress=False)
            layer = copy.deepcopy(net.layers[0])
            assert (pickle.loads(pickle.dumps(layer)).weights == net.layers[0].weights).all()
            same = network()
            same.fit(x, y, epochs=2, progress=False)
            assert net.history["loss"] == same.history["loss"]
        """)
