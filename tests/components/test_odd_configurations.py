"""Constructors and configurations given what they are not made for: they work, or raise a CynnError."""

import inspect
import os

import numpy as np
import pytest

import cynn
from cynn import Dense, Input, Network
from cynn.components.configurable import Configurable
from cynn.errors import CynnError, InvalidParameterError

ODD = [
    *(None, True, 3, -1, 0, 1.5, float("nan"), float("inf"), 2**70, 10**400, 1j, "", "a", "1", "relu", b"x", object()),
    *([], [1], [[1]], (), {}, {"a": 1}, {"name": "relu"}, {"name": 3}, {"name": "constant", "value": []}, set()),
    *(np.array([1, 2]), np.array(1.0), np.array([True, False]), np.float32(2), np.int64(2), np.bool_(True)),
    *(len, int, range(3), cynn.layers.Residual, cynn.activations.ReLU, Dense(2), Input(2)),
]
MODULES = [
    "activations", "callbacks", "constraints", "initializers", "layers", "losses", "metrics", "optimizers",
    "regularizers", "schedules",
]  # fmt: skip
#: A value for each parameter that has no default.
GIVEN = {
    "units": 2, "layers": [], "input_dim": 3, "output_dim": 2, "rate": 0.5, "stddev": 0.1, "activation": "relu",
    "path": "x", "filename": "log.csv", "initial_learning_rate": 0.1, "learning_rate": 0.1, "max_learning_rate": 0.1,
    "decay_steps": 3, "first_decay_steps": 3, "warmup_steps": 2, "start_epoch": 1, "epochs": 2, "name": "he_normal",
}  # fmt: skip


def classes():
    for name in MODULES:
        module = getattr(cynn, name)
        found = [getattr(module, each) for each in module.__all__]
        yield from (each for each in found if inspect.isclass(each) and issubclass(each, Configurable))
    for registry in (cynn.registry.activations, cynn.registry.losses, cynn.registry.optimizers):
        yield from (registry.find(name) for name in registry.names())


CLASSES = list(dict.fromkeys(classes()))


def tried(call, *arguments, **options):
    """What comes out; None for a CynnError."""
    try:
        return call(*arguments, **options)
    except CynnError:
        return None


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    assert os.listdir() == []


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: f"{cls.__module__}.{cls.__name__}")
class TestClasses:
    def test_its_parameters(self, cls):
        parameters = inspect.signature(cls).parameters.values()
        by_name = [each for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
        needed = {each.name: GIVEN[each.name] for each in by_name if each.default is each.empty}
        for name in [each.name for each in by_name]:
            for odd in ODD:
                made = tried(cls, **{**needed, name: odd})
                if made is None:
                    continue
                assert repr(made)
                if hasattr(made, "get_config"):
                    tried(made.get_config)
                if issubclass(cls, cynn.layers.Layer) and cls is not cynn.layers.Layer:
                    net = tried(Network, [Input(3), made], seed=0)
                    assert net is None or net.predict(np.zeros((2, 3))).shape[0] == 2

    def test_its_configuration(self, cls):
        if not hasattr(cls, "from_config"):
            return
        for odd in ODD:
            tried(cls.from_config, odd)
            tried(cls.from_config, {"a": odd})
            tried(cls.from_config, {1: odd})


CALLS = {
    "layers.from_config": cynn.layers.from_config,
    "Network": Network,
    "Network.from_config": Network.from_config,
    "mlp": Network.mlp,
    "a layer called": lambda odd: Network(Dense(2)(odd)),
    "an input": lambda odd: Network([odd, Dense(2)]),
    "a layer": lambda odd: Network([Input(2), odd]),
    **{
        f"Network({name}=)": lambda odd, name=name: Network([Input(2), Dense(2)], **{name: odd})
        for name in ("sources", "outputs", "regularizer", "seed", "dtype")
    },
    **{
        f"the {key} of a configuration": lambda odd, key=key: Network.from_config(
            {**Network.mlp([2, 1]).get_config(), key: odd}
        )
        for key in ("layers", "sources", "outputs", "regularizer", "seed", "dtype", "more")
    },
    "set_weights": lambda odd: Network.mlp([2, 1]).set_weights(odd),
    "an array of set_weights": lambda odd: Network.mlp([2, 1]).set_weights([odd, odd]),
    "an assignment": lambda odd: setattr(Network.mlp([2, 1]).layers[0], "biases", odd),
    **{
        f"registry of {of_kind.kind}s": of_kind.get
        for of_kind in (cynn.registry.activations, cynn.registry.losses, cynn.registry.optimizers)
    },
    **{f"{name}.get": getattr(cynn, name).get for name in ("constraints", "initializers", "regularizers")},
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call(name):
    for odd in ODD:
        tried(CALLS[name], odd)


@pytest.mark.parametrize(
    "weights", [3, "ab", {"a": 1}, [3, 4], [["a"], ["b"]], [None, None], [[[1, 2], [3]], [1]], [1j, 1j]]
)
def test_set_weights_changes_nothing_where_it_fails(weights):
    net = Network.mlp([2, 1], seed=0)
    before = net.get_weights()
    with pytest.raises(CynnError):
        net.set_weights(weights)
    with pytest.raises(CynnError):
        net.set_weights([before[0] + 1, np.array(["a"])])
    assert all((own == saved).all() for own, saved in zip(net.get_weights(), before, strict=True))


class TestNesting:
    def nested(self, depth):
        config = {"layer": "dropout", "rate": 0.5}
        for _ in range(depth):
            config = {"layer": "residual", "layers": [config]}
        return config

    def test_as_deep_as_may_be(self, tmp_path):
        net = Network([Input(2), cynn.layers.from_config(self.nested(50))], seed=0)
        net.save(tmp_path / "net")
        assert cynn.load(tmp_path / "net").get_config() == net.get_config()
        assert net.predict([1.0, 1.0]).shape == (2,)
        (tmp_path / "net").unlink()

    @pytest.mark.parametrize("depth", [51, 90, 1000, 100_000])
    def test_deeper(self, depth):
        with pytest.raises(InvalidParameterError, match="nested no more than"):
            cynn.layers.from_config(self.nested(depth))

    def test_within_itself(self):
        config = self.nested(1)
        config["layers"] += [config, config]
        with pytest.raises(InvalidParameterError, match="nested no more than"):
            cynn.layers.from_config(config)

    def test_schedules(self):
        """One around another has a copy of that: it doubles with each."""
        config = {"name": "constant", "learning_rate": 0.1}
        for _ in range(40):
            config = {"name": "warm_up", "learning_rate": config, "warmup_steps": 2}
        with pytest.raises(InvalidParameterError, match="nested no more than 8 deep"):
            cynn.optimizers.SGD(learning_rate=config)


class TestSize:
    @pytest.mark.parametrize("layers", [[Dense(2**31 - 1), Dense(2**31 - 1)], [cynn.layers.Concatenate([[]] * 3)]])
    def test_what_no_memory_has(self, layers):
        with pytest.raises(CynnError, match="no more than"):
            Network([Input(2**30), *layers])


class TestSeeds:
    @pytest.mark.parametrize("seed", [True, 1.0, -1, 2**64, "1", np.bool_(True), np.float64(1), [1]])
    def test_what_is_none(self, seed):
        with pytest.raises(InvalidParameterError, match=r"must be a whole number >= 0 and <= 18446744073709551615"):
            Network([Input(1), Dense(1)], seed=seed)

    @pytest.mark.parametrize("kind", [np.int8, np.uint16, np.int64, np.uint64])
    def test_numbers_of_numpy(self, kind):
        assert Network([Input(1), Dense(1)], seed=kind(7)).seed == 7

    def test_all_64_bits_count(self):
        """Also for the generators of `transform`: those of 2**63 and 2**63 + 1 were the same."""
        seeds = [0, 1, 2**32, 2**63 - 1, 2**63, 2**63 + 1, 2**64 - 2, 2**64 - 1]
        drawn, weights = set(), set()

        def transform(x, y, generator):
            drawn.add(generator.integers(2**62))
            return x, y

        for seed in seeds:
            net = Network([Input(2), Dense(3)], seed=seed)
            weights.add(net.layers[0].weights.tobytes())
            net.fit([[0.0, 0.0]], [[0.0] * 3], epochs=1, transform=transform, progress=False)
        assert len(drawn) == len(weights) == len(seeds)

    def test_small_seeds_give_what_they_gave(self):
        from cynn.engine.randomness import Purpose, generator

        old = np.random.Generator(np.random.Philox(key=[5, int(Purpose.TRANSFORM)], counter=[0, 0, 3, 2]))
        assert (generator(5, Purpose.TRANSFORM, 2, 3).random(9) == old.random(9)).all()
