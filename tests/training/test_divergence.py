"""Training that leaves the finite numbers: it is noticed, said rightly, and nothing of it is written down."""

import helpers
import numpy as np
import pytest
from safetensors.numpy import load_file

import cynn
from cynn import Network
from cynn.callbacks import Callback, Checkpoint, EarlyStopping
from cynn.errors import ModelFileError, TrainingDivergedError
from cynn.optimizers import SGD, Adam
from cynn.saving import checkpoint_file

WEIGHTS = r"The weights, .* must stay finite\. Got NaN or infinity in epoch {}, step {}.*not finite any more"


def network(dtype="float32", **options):
    return Network.mlp([3, 4, 1], activation="tanh", seed=0, dtype=dtype, **options)


X, Y = helpers.inputs(8, 3), np.full(8, 100.0)


class TestWeights:
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("where", ["rows", "batches", "short epochs"])
    def test_the_last_step_is_looked_at(self, dtype, where):
        rate = 1e38 if dtype == "float32" else 1e307
        given = {"rows": (X, Y), "batches": ([(X, Y)],), "short epochs": (X, Y)}[where]
        net = network(dtype)
        if where == "short epochs":
            net.fit(*given, epochs=2, optimizer=SGD(1e-9), progress=False)
        with pytest.raises(TrainingDivergedError, match=WEIGHTS.format(1, 1)) as caught:
            net.fit(*given, epochs=1, optimizer=SGD(rate))
        assert caught.value.history.epochs == net.history.epochs == 0

    @pytest.mark.parametrize("last", [1, 2, 5])
    def test_the_last_of_many_short_epochs(self, last):
        """Of one step each, which run together where nobody looks in between."""
        net = network()
        with pytest.raises(TrainingDivergedError, match=WEIGHTS.format(last, 1)):
            net.fit(X, Y, epochs=last, optimizer=SGD(lambda step: 1e38 if step == last - 1 else 1e-9))
        assert net.history.epochs == last - 1

    @pytest.mark.parametrize("options", [{}, {"use_ema": True}, {"gradient_accumulation_steps": 1, "clipvalue": 1e30}])
    def test_by_train_batch(self, options):
        net = network()
        with pytest.raises(TrainingDivergedError, match=WEIGHTS.format(1, 1)):
            net.train_batch(X, Y, optimizer=SGD(1e38, **options))

    def test_states_of_layers_and_memory_of_optimizers(self):
        net = Network([cynn.Input(1), cynn.Dense(1), cynn.BatchNorm(), cynn.Dense(1)], seed=0)
        net.layers[0].weights = [[1e25]]
        with pytest.raises(TrainingDivergedError):  # the variance is
            net.train_batch([[1.0], [2.0]], [0.0, 1.0], optimizer=SGD(1e-30))
        net = Network([cynn.Input(1), cynn.Dense(1)], seed=0)
        with pytest.raises(TrainingDivergedError, match=WEIGHTS.format(1, 1)):  # the square of the gradient is
            net.train_batch([[1e22]], [1e12], optimizer=Adam(1e-3), loss="mean_absolute_error")

    def test_a_loss_after_such_a_step_says_what_the_network_holds(self):
        with pytest.raises(TrainingDivergedError, match=r"The loss must stay finite.*not finite any more"):
            network().fit(X, Y, batch_size=4, epochs=1, optimizer=SGD(1e38))

    def test_the_best_weights_still_come_back(self):
        class Jump(Callback):
            def on_epoch_end(self, epoch, logs):
                if epoch == 2:
                    self.network._optimizer_state.optimizer.learning_rate = 1e38

        net, stopping = network(), EarlyStopping("loss", patience=9, restore_best_weights=True)
        with pytest.raises(TrainingDivergedError):
            net.fit(X, Y, epochs=3, optimizer=SGD(1e-3), callbacks=[Jump(), stopping])
        assert stopping.best_epoch == 2
        assert all(np.isfinite(array).all() for array in net.get_weights())

    @pytest.mark.parametrize("options", [{}, {"every_steps": 1}, {"every_seconds": 0}])
    @pytest.mark.parametrize("whole", [2, 3])
    def test_no_checkpoint_holds_them(self, whole, options, tmp_path):
        """After so many of four steps one makes them infinite: the last of the epoch, or the one before."""

        class Jump(Callback):
            def on_step_end(self, step, logs):
                if step == whole:
                    self.network._optimizer_state.optimizer.learning_rate = 1e38

        path = tmp_path / "run.safetensors"
        net = network()
        with pytest.raises(TrainingDivergedError):
            net.fit(X, Y, epochs=3, batch_size=2, optimizer=SGD(1e-3), callbacks=[Jump(), Checkpoint(path, **options)])
        if path.exists():
            assert all(np.isfinite(array).all() for array in load_file(path).values())
        assert path.exists() == bool(options)

    def test_none_that_holds_them_is_gone_on_from(self, tmp_path):
        path = tmp_path / "run.safetensors"

        def fit(net, **options):
            net.fit(X, Y, epochs=2, optimizer=Adam(), callbacks=Checkpoint(path), **options)

        fit(network())
        whole = checkpoint_file.read(path)
        for spoil in (
            lambda net, state: net.layers[0].weights.__setitem__((0, 0), np.inf),
            lambda net, state: state["optimizer"]["slots"][0].__setitem__(0, np.full((3, 4), np.nan, "float32")),
        ):
            poisoned, state, net = network(), checkpoint_file.read(path), network()
            state.pop("network")
            spoil(poisoned, state)
            checkpoint_file.write(str(path), poisoned, state)
            before = helpers.digest(net)
            with pytest.raises(ModelFileError, match="not all finite"):
                fit(net, resume=True)
            assert helpers.digest(net) == before
            state = {name: value for name, value in whole.items() if name != "network"}
            checkpoint_file.write(str(path), network(), state)


class TestNorms:
    @pytest.mark.parametrize("options", [{"global_clipnorm": 1.0}, {"clipnorm": 1.0}])
    def test_an_infinite_norm_is_not_called_the_loss(self, options):
        """The loss is finite, as a sum in float64; the gradient, in float32, is not."""
        net = Network([cynn.Input(1), cynn.Dense(1, use_bias=False)], seed=0)
        net.layers[0].weights = [[1e-3]]
        before = helpers.digest(net)
        for train in (net.train_batch, net.fit):
            with pytest.raises(TrainingDivergedError, match=r"The norm of the gradient must stay finite\. Got inf"):
                train([[1e21]], [0.0], optimizer=SGD(0.1, **options))
            assert helpers.digest(net) == before
