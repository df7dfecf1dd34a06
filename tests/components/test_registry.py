"""Names, and the classes that they lead to: built in, registered, or from an installed package."""

import subprocess
import sys
import textwrap

import pytest

import cynn
from cynn import registry
from cynn.activations import Activation, LeakyReLU, ReLU
from cynn.errors import InvalidParameterError, PluginError, UnknownNameError
from cynn.losses import Loss

DOUBLE = """
import numpy as np
from cynn.activations import Activation

class Double(Activation):
    name = "{name}"
    def forward(self, z):
        return 2 * z
    def backward(self, z, a, grad):
        return 2 * grad
"""


@pytest.fixture
def fresh(monkeypatch):
    """Registries that have not looked for packages yet, in place of those that have."""
    found = {}
    for kind in ("activations", "losses", "optimizers"):
        old = getattr(registry, kind)
        builtins = list(dict.fromkeys(old._builtins.values()))
        found[kind] = registry.Registry(old._base, builtins)
        monkeypatch.setattr(registry, kind, found[kind])
    return found


@pytest.fixture
def install(tmp_path, monkeypatch, fresh):
    """Makes a package as an installer would: modules, and a folder of metadata beside them."""

    def make(distribution, source, entry_points, folder="installed", metadata=True):
        folder = tmp_path / folder / distribution
        information = folder / f"{distribution.replace('-', '_')}-1.5.dist-info"
        information.mkdir(parents=True)
        module = f"plugin_of_{distribution.replace('-', '_')}"
        sys.modules.pop(module, None)
        (folder / f"{module}.py").write_text(textwrap.dedent(source))
        lines = [f"{name} = {module}:{attribute}" for name, attribute in entry_points.items()]
        (information / "entry_points.txt").write_text("\n".join(["[cynn.activations]", *lines]))
        if metadata:
            text = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.5\n"
            (information / "METADATA").write_text(text)
        monkeypatch.syspath_prepend(folder)
        return module

    return make


class TestGet:
    def test_by_name_class_instance_and_configuration(self):
        leaky = LeakyReLU(0.3)
        get = registry.activations.get
        assert get("leaky_relu", negative_slope=0.3) == get(LeakyReLU, negative_slope=0.3) == leaky
        assert get(leaky) is leaky
        assert get(leaky.get_config()) == leaky
        assert get(LeakyReLU) == get("leaky_relu") == LeakyReLU()

    @pytest.mark.parametrize("kind", ["activations", "losses", "optimizers"])
    def test_every_name_has_a_configuration_that_leads_back(self, kind):
        found = getattr(registry, kind)
        for name in found.names():
            component = found.get(name)
            assert found.get(component.get_config()) == component
            assert eval(repr(component), {type(component).__name__: type(component)}) == component

    def test_aliases(self):
        assert registry.activations.get("linear") == registry.activations.get("identity")
        assert registry.losses.get("mse") == registry.losses.get("mean_squared_error")
        assert registry.losses.get("sparse_categorical_crossentropy") == registry.losses.get("cross_entropy")

    @pytest.mark.parametrize("spec", [5, None, [], {}, {"name": 5}, {"nome": "relu"}, Loss, int, print])
    def test_what_names_nothing(self, spec):
        words = "^The activation must be a name, an instance of Activation, such a class, or a dict with"
        with pytest.raises(InvalidParameterError, match=words):
            registry.activations.get(spec)

    def test_hyperparameters_do_not_go_with_an_instance(self):
        with pytest.raises(InvalidParameterError, match="The activation must be"):
            registry.activations.get(LeakyReLU(), negative_slope=0.5)

    @pytest.mark.parametrize("name", ["reluu", "rel", "lu re", "nobody:relu", ":", "a:b:c", ""])
    def test_an_unknown_name(self, name):
        with pytest.raises(UnknownNameError, match="There is no activation named") as caught:
            registry.activations.get(name)
        assert isinstance(caught.value, KeyError)
        assert repr(name) in str(caught.value)
        assert "relu" in str(caught.value)


class TestPlugins:
    def test_ours_are_reached_by_entry_point_alone(self):
        code = """
            import sys, cynn
            def loaded():
                return sorted(m for m in sys.modules if m.startswith("cynn_plugins"))
            cynn.registry.activations.get("relu")
            assert "importlib.metadata" not in sys.modules
            assert {"swish", "gaussian", "relu"} <= set(cynn.registry.activations.names())
            assert loaded() == [], loaded()
            cynn.registry.activations.get("gaussian")
            assert not [m for m in loaded() if "swish" in m or "gated" in m], loaded()
            swish = cynn.registry.activations.get("swish", beta=2)
            assert type(swish).__module__.startswith("cynn_plugins."), swish
        """
        result = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60
        )
        assert result.returncode == 0, result.stderr

    def test_one_of_somebody_else(self, install):
        module = install("cynn-double", DOUBLE.format(name="double"), {"double": "Double"})
        assert "double" in registry.activations.names()
        assert module not in sys.modules
        assert registry.activations.get("double")([1.0]).tolist() == [2]
        assert registry.activations.get("cynn-double:double")([1.0]).tolist() == [2]
        assert registry.activations.get("cynn_double:double")([1.0]).tolist() == [2]
        net = cynn.Network([cynn.Input(1), cynn.Dense(1, "double")], seed=0)
        assert net.predict([[1.0]]) == 2 * net.layers[0].weights

    def test_a_model_with_one_is_loaded_again(self, install, tmp_path):
        install("cynn-double", DOUBLE.format(name="double"), {"double": "Double"})
        net = cynn.Network([cynn.Input(1), cynn.Dense(1, "double")], seed=0)
        net.save(tmp_path / "net.safetensors")
        assert cynn.load(tmp_path / "net.safetensors").predict([[3.0]]) == net.predict([[3.0]])

    def test_metadata_are_read_once(self, install, monkeypatch):
        import importlib.metadata

        calls, ask = [], importlib.metadata.entry_points
        monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: calls.append(1) or ask(**_))
        for _ in range(3):
            registry.activations.names()
            with pytest.raises(UnknownNameError):
                registry.activations.get("nothing")
        assert len(calls) == 1


class TestBrokenPlugins:
    """One that is broken is an error for who asks for it, and for nobody else."""

    SOURCE = "The activation 'broken' of cynn-broken 1.5 (plugin_of_cynn_broken:Broken)"

    @pytest.mark.parametrize(
        ("source", "cause"),
        [
            ("import a_package_that_is_not_there", "ModuleNotFoundError: No module named 'a_package"),
            ("1 / 0", "ZeroDivisionError: division by zero"),
            ("class Broken(", "SyntaxError"),
            ("x = 1", "AttributeError"),
        ],
    )
    def test_that_cannot_be_imported(self, install, source, cause):
        install("cynn-broken", source, {"broken": "Broken"})
        with pytest.raises(PluginError) as caught:
            registry.activations.get("broken")
        assert str(caught.value).startswith(f"{self.SOURCE} could not be imported: {cause}")
        assert type(caught.value.__cause__).__name__ == cause.partition(":")[0]
        assert registry.activations.get("relu") == ReLU()
        assert registry.activations.get("gaussian").name == "gaussian"
        assert "broken" in registry.activations.names()
        with pytest.raises(UnknownNameError, match="'brokn'"):
            registry.activations.get("brokn")

    @pytest.mark.parametrize(
        ("source", "words"),
        [
            ("Broken = 5", "must be a subclass of Activation. Got 5 instead."),
            ("class Broken: pass", "must be a subclass of Activation. Got <class"),
            ("from cynn.losses import CrossEntropy as Broken", "must be a subclass of Activation. Got <"),
            ("from cynn.activations import Activation as Broken", "must have a name"),
            (
                DOUBLE.format(name="else").replace("Double", "Broken"),
                "must have the name of its entry point, or that among its aliases",
            ),
        ],
    )
    def test_that_is_something_else(self, install, source, words):
        install("cynn-broken", source, {"broken": "Broken"})
        with pytest.raises(PluginError) as caught:
            registry.activations.get("broken")
        assert words in str(caught.value)
        assert "of cynn-broken 1.5" in str(caught.value)

    def test_that_has_neither_kernel_nor_methods(self, install):
        source = "from cynn.activations import Activation\nclass Broken(Activation):\n    name = 'broken'"
        install("cynn-broken", source, {"broken": "Broken"})
        with pytest.raises(PluginError, match=r"1\.5 must have a compiled kernel or define"):
            cynn.Network([cynn.Input(1), cynn.Dense(1, "broken")])

    def test_whose_metadata_are_missing(self, install):
        install("cynn-broken", DOUBLE.format(name="broken"), {"broken": "Double"}, metadata=False)
        assert registry.activations.get("gaussian").name == "gaussian"
        assert registry.activations.get("broken")([1.0]).tolist() == [2]


class TestOneNameTwice:
    def test_the_error_names_both_and_how_to_choose(self, install):
        install("package-a", DOUBLE.format(name="double"), {"double": "Double"})
        install("package-b", DOUBLE.format(name="double").replace("2 *", "3 *"), {"double": "Double"})
        with pytest.raises(PluginError) as caught:
            registry.activations.get("double")
        message = str(caught.value)
        assert "package-a" in message
        assert "package-b" in message
        assert "'package-a:double'" in message
        assert "'package-b:double'" in message
        assert registry.activations.get("package-a:double")([1.0]).tolist() == [2]
        assert registry.activations.get("Package_B:double")([1.0]).tolist() == [3]
        names = registry.activations.names()
        assert {"package-a:double", "package-b:double"} <= set(names)
        assert "double" not in names

    def test_nobody_shadows_a_built_in(self, install):
        install("package-a", DOUBLE.format(name="relu"), {"relu": "Double"})
        assert registry.activations.get("relu") == ReLU()
        assert registry.activations.names().count("relu") == 1
        assert registry.activations.get("package-a:relu")([-1.0]).tolist() == [-2]

    def test_an_installation_that_is_on_the_path_twice_is_one(self, install):
        for folder in ("installed", "elsewhere"):
            install("package-a", DOUBLE.format(name="double"), {"double": "Double"}, folder)
        assert registry.activations.get("double")([1.0]).tolist() == [2]
        assert "double" in registry.activations.names()


class TestDescribe:
    def test_built_in_plugin_and_registered(self, install):
        install("cynn-double", DOUBLE.format(name="double"), {"double": "Double"})
        ours = cynn.__version__
        for name, distribution, version, compiled in [
            ("relu", "cynn-nn", ours, True),
            ("swish", "cynn-nn", ours, True),
            ("gaussian", "cynn-nn", ours, True),
            ("double", "cynn-double", "1.5", False),
        ]:
            expected = registry.Description("activation", name, distribution, version, compiled)
            assert registry.activations.describe(name) == expected
        assert registry.optimizers.describe("sgd").compiled is True


class TestRegister:
    def make(self, name="mine", aliases=()):
        methods = {"forward": lambda self, z: z + 1}
        return type("Mine", (Activation,), {"name": name, "aliases": aliases, **methods})

    def test_it_is_found_and_given_back(self, fresh):
        cls = self.make()
        assert registry.activations.register(cls) is cls
        assert registry.activations.register(cls) is cls  # once more is no harm
        assert isinstance(registry.activations.get("mine"), cls)
        assert "mine" in registry.activations.names()
        assert registry.activations.describe("mine").version == "unpackaged"

    def test_its_aliases(self, fresh):
        cls = registry.activations.register(self.make(aliases=("meine", "mienne")))
        assert registry.activations.register(cls) is cls
        for name in ("mine", "meine", "mienne"):
            assert registry.activations.find(name) is cls
            assert registry.activations.has(name)
        assert {"mine", "meine"} & set(registry.activations.names()) == {"mine"}

    def test_an_alias_that_is_taken_registers_nothing(self, fresh):
        registry.activations.register(self.make(aliases=("meine",)))
        for aliases in [("new", "linear"), ("new", "relu"), ("new", "meine"), ("new", "mine")]:
            with pytest.raises(PluginError, match=rf"must be new\. '{aliases[1]}' is taken by"):
                registry.activations.register(self.make("other", aliases=aliases))
            assert not registry.activations.has("other")
            assert not registry.activations.has("new")

    def test_a_built_in_one_is_no_harm(self, fresh):
        assert registry.activations.register(ReLU) is ReLU
        assert registry.activations.describe("relu").distribution == "cynn-nn"

    def test_a_name_that_is_taken(self, fresh):
        registry.activations.register(self.make())
        for name in ("mine", "relu", "linear"):
            with pytest.raises(PluginError, match=rf"must be new\. '{name}' is taken by"):
                registry.activations.register(self.make(name))

    @pytest.mark.parametrize("what", [5, int, Loss, cynn.losses.CrossEntropy, ReLU()])
    def test_what_cannot_be(self, fresh, what):
        with pytest.raises(PluginError, match="must be a subclass of Activation"):
            registry.activations.register(what)

    def test_without_a_name(self, fresh):
        with pytest.raises(PluginError, match="must have a name"):
            registry.activations.register(self.make(""))
