"""Layers of somebody's own: what the builder gives them, and what it refuses."""

import ctypes
import pickle

import numpy as np
import pytest
from planted_kernels import plant

import cynn
from cynn import kernels
from cynn.errors import InvalidParameterError, PluginError, UnknownNameError
from cynn.layers import Layer, Parameter, SavedForBackward
from cynn.testing import abi

FUNCTIONS = abi.functions(cynn.PReLU())
X = np.random.default_rng(0).normal(size=(12, 3))


class Slopes(Layer):
    """PReLU with as many slopes as one likes, of which the kernel knows the first; the others are not used."""

    name = "slopes"
    kernel = cynn.PReLU.kernel
    alpha = Parameter()
    count = Parameter(is_trained=False)

    def __init__(self, start=0.25):
        super().__init__()
        self.start = start

    def build(self, builder, values):
        units = builder.widths[values[0]]
        alpha = builder.parameter("alpha", builder.constant(self.start, units))
        count = builder.state("count", builder.values(np.arange(units)))
        return builder.add(self.kernel, values, units, parameters=[alpha], states=[count])


def layer_with(build, kernel=None, **attributes):
    def built(self, builder, values):
        return build(self, builder, values, builder.widths[values[0]])

    attributes = {"name": "own", "kernel": kernel or cynn.PReLU.kernel, "build": built, **attributes}
    return type("Own", (Layer,), attributes)()


def refused(layer, pattern, **options):
    with pytest.raises(PluginError, match=pattern) as caught:
        cynn.Network([cynn.Input(3), layer, cynn.Dense(1)], **options)
    assert "the layer 'own' of test_own_layers unpackaged" in str(caught.value)
    assert "Got " in str(caught.value)


class TestBuilder:
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_the_same_as_the_built_in(self, dtype):
        networks = [
            cynn.Network([cynn.Input(3), cynn.Dense(4), layer, cynn.Dense(2)], seed=0, dtype=dtype)
            for layer in (cynn.PReLU(), Slopes())
        ]
        for net in networks:
            net.fit(X, X[:, :2], epochs=3, batch_size=5, progress=False, optimizer="adam")
        np.testing.assert_array_equal(*(net.predict(X) for net in networks))
        np.testing.assert_array_equal(*(net.layers[1].alpha for net in networks))

    def test_what_it_declares_is_saved_loaded_and_pickled(self, tmp_path):
        cynn.registry.layers.register(Slopes)
        net = cynn.Network([cynn.Input(3), Slopes(0.5), cynn.Dense(1)], seed=0)
        net.layers[0].count = [4, 5, 6]
        net.save(tmp_path / "net")
        for again in (cynn.load(tmp_path / "net"), pickle.loads(pickle.dumps(net))):
            np.testing.assert_array_equal(again.layers[0].count, [4, 5, 6])
            np.testing.assert_array_equal(again.layers[0].alpha, np.float32([0.5, 0.5, 0.5]))
            assert repr(again.layers[0]) == "Slopes(start=0.5)"
        assert net.layers[0].parameter_count == 3
        assert list(net.layers[0].parameters) == ["alpha"]

    def test_arrays(self):
        made = {}

        def build(layer, builder, values, units):
            made.update(
                normal=builder.normal(2.0, 40, 50, 3),
                uniform=builder.uniform(0.5, 40, 50),
                other=builder.normal(2.0, 4),
                weights=builder.weights("glorot_uniform", 4, 5),
                values=builder.values([[1, 2], [3, 4]]),
            )
            return builder.add(kernels.merge.KERNELS["add"], values, units)

        cynn.Network([cynn.Input(3), layer_with(build)], seed=1)
        assert made["normal"].shape == (40, 50, 3)
        assert abs(made["normal"].std() - 2) < 0.1
        assert abs(made["normal"].mean()) < 0.1
        assert 0.49 < abs(made["uniform"]).max() <= 0.5
        assert abs(made["uniform"].mean()) < 0.03
        assert not np.isin(made["other"], made["normal"]).any()
        np.testing.assert_array_equal(made["values"], [[1, 2], [3, 4]])
        for array in made.values():
            assert array.dtype == np.float32
            assert array.ctypes.data % 64 == 0

    def test_a_parameter_of_three_dimensions(self):
        """Its rows are all dimensions but the last: the optimizer, constraints and gradients see a matrix."""
        seen = {}

        def gradient(op, pass_, parameter, begin, end, grad):
            shape = op[0].parameter_rows[parameter], op[0].parameter_columns[parameter]
            seen.setdefault(parameter, []).append((shape, begin, end))
            ctypes.memset(grad, 0, 4 * (end - begin) * shape[1])

        function = dict(abi.OperationStruct._fields_)["gradient_f32"](gradient)
        functions = {name: address for name, address in FUNCTIONS.items() if name.endswith("f32")}
        kernel = Layer.from_addresses(**functions | {"gradient_f32": function})

        def build(layer, builder, values, units):
            shapes = [(units,), (5, 7, 2), (4, 6)] + [(2, 3)] * 13
            rule = builder.rule(None, cynn.constraints.UnitNorm(), of_rows=True)
            given = [
                builder.parameter(f"p{number}", builder.ones(*shape)) for number, shape in enumerate(shapes)
            ]
            return builder.add(layer.kernel, values, units, parameters=given, rules=[rule, rule])

        layer = layer_with(build, kernel, **{f"p{number}": Parameter() for number in range(16)})
        net = cynn.Network([cynn.Input(3), layer, cynn.Dense(1)], seed=0)
        net.fit(X, X[:, :1], epochs=1, batch_size=12, progress=False, optimizer="adam", n_threads=1)
        assert {number: shape for number, [(shape, _, _), *_] in seen.items()} == {
            0: (1, 3), 1: (35, 2), 2: (4, 6), **dict.fromkeys(range(3, 16), (2, 3))
        }  # fmt: skip
        assert [(begin, end) for _, begin, end in seen[1]] == [(0, 35)]
        np.testing.assert_allclose(net.layers[0].p1, np.float32(0.5**0.5))
        np.testing.assert_array_equal(net.layers[0].p2, 1)
        assert [array.shape for array in net.get_weights()[:3]] == [(3,), (5, 7, 2), (4, 6)]

    def test_names_that_are_not_declared(self):
        for wrong in ("beta", "name", "count"):
            refused(
                layer_with(
                    lambda s, b, v, n, wrong=wrong: b.parameter(wrong, b.zeros(n)), count=Parameter(is_trained=False)
                ),
                rf"must declare the parameter '{wrong}' in its body, as {wrong} = cynn\.layers\.Parameter\(\)",
            )
        refused(
            layer_with(lambda s, b, v, n: b.state("alpha", b.zeros(n)), alpha=Parameter()),
            r"must declare the state 'alpha' in its body, as alpha = cynn\.layers\.Parameter\(is_trained=False\)",
        )

    @pytest.mark.parametrize(
        "array",
        [np.zeros(3), np.zeros((3, 3), np.float32).T[::2], [0.0, 0.0], np.float32(1), np.zeros((0, 3), np.float32)],
    )
    def test_arrays_of_ones_own(self, array):
        refused(
            layer_with(lambda s, b, v, n: b.parameter("alpha", array), alpha=Parameter()),
            r"must be those that methods of the builder have made",
        )

    def test_arrays_without_a_name(self):
        refused(
            layer_with(lambda s, b, v, n: b.add(s.kernel, v, n, parameters=[b.zeros(n)])),
            r"must be given a name, as in builder\.parameter\(name, array\)",
        )
        refused(
            layer_with(lambda s, b, v, n: b.add(s.kernel, v, n, states=[b.zeros(n)])),
            r"as in builder\.state\(name, array\)",
        )

    def test_weights_that_are_not_finite(self):
        with pytest.raises(InvalidParameterError, match="must be finite in float32"):
            cynn.Network([cynn.Input(3), layer_with(lambda s, b, v, n: b.values([1e300]))])

    def test_more_rules_than_parameters(self):
        layer = layer_with(lambda s, b, v, n: b.add(s.kernel, v, n, rules=[b.rule(None, None)]))
        refused(layer, "at most a rule for each of its 0 parameters. Got 1")

    def test_an_activation_in_python(self):
        class Twice(cynn.activations.Activation):
            name = "twice"

            def forward(self, z):
                return 2 * z

            def backward(self, z, a, grad):
                return 2 * grad

        refused(layer_with(lambda s, b, v, n: b.add(s.kernel, v, n, activation=Twice())), "must be compiled. Got Twice")


class TestKernels:
    def build(self, **options):
        def built(layer, builder, values, units):
            alpha = builder.parameter("alpha", builder.zeros(units))
            given = {"parameters": [alpha], **options}
            return builder.add(layer.kernel, values, given.pop("units", units), **given)

        return built

    def layer(self, kernel, **options):
        return layer_with(self.build(**options), kernel, alpha=Parameter())

    def test_no_kernel(self):
        layer = self.layer(None)
        type(layer).kernel = None
        refused(layer, "must be a capsule named 'cynn.operation'. Got None")
        type(layer).kernel = cynn.activations.ReLU.kernel
        refused(layer, "Got a capsule named 'cynn.activation' instead")

    @pytest.mark.parametrize("offered", ["f32", "f64"])
    def test_one_dtype_alone(self, offered):
        functions = {name: address for name, address in FUNCTIONS.items() if name.endswith(offered)}
        layer = self.layer(Layer.from_addresses(**functions))
        dtypes = ["float32", "float64"] if offered == "f32" else ["float64", "float32"]
        cynn.Network([cynn.Input(3), layer], dtype=dtypes[0]).predict(X)
        refused(layer, f"must be one that its kernel has. Got '{dtypes[1]}'", dtype=dtypes[1])

    @pytest.mark.parametrize("missing", list(FUNCTIONS))
    def test_a_missing_function(self, missing):
        functions = {name: address for name, address in FUNCTIONS.items() if name != missing}
        dtype = "float32" if missing.endswith("32") else "float64"
        refused(self.layer(Layer.from_addresses(**functions)), f"must offer {dtype} whole. Got .* NULL {missing}")

    @pytest.mark.parametrize("name", ["forward_columns", "backward_columns", "linear_step", "update_states"])
    def test_a_function_of_one_dtype(self, name):
        functions = FUNCTIONS | {f"{name}_f64": FUNCTIONS["forward_f64"]}
        pattern = f"must offer float32 whole. Got forward_f32 with a NULL {name}_f32"
        refused(self.layer(Layer.from_addresses(**functions)), pattern)

    def test_a_gradient_that_is_needed(self):
        functions = {name: address for name, address in FUNCTIONS.items() if "gradient" not in name}
        refused(self.layer(Layer.from_addresses(**functions)), "must have the function gradient")
        layer = self.layer(Layer.from_addresses(**functions), trainable=False)
        cynn.Network([cynn.Input(3), layer]).predict(X)

    def test_columns_that_are_needed(self):
        refused(self.layer(cynn.PReLU.kernel, column_piece=8), "must have the functions forward_columns and backward_c")

    @pytest.mark.parametrize("flag", ["in_place", "gradient_in_place", "only_training"])
    def test_flags_that_want_equal_columns(self, flag):
        kernel = Layer.from_addresses(**FUNCTIONS, **{flag: True})
        refused(self.layer(kernel, units=4), rf"flag CYNN_{flag.upper()}, .* as many columns as it takes, 3. Got 4")

    def test_divisible(self):
        kernel = Layer.from_addresses(**FUNCTIONS, divisible=True)
        refused(self.layer(kernel), r"flag CYNN_DIVISIBLE.*Got inputs of \[3\] columns, .* shape \(3,\) instead")
        refused(self.layer(kernel, parameters=[]), "shape None instead")

    @pytest.mark.parametrize(("what", "given"), [("states", [None]), ("saved", [SavedForBackward(1)])])
    def test_too_many(self, what, given):
        def build(layer, builder, values, units):
            many = given * 17 if what == "saved" else [builder.state("count", builder.zeros(1))] * 17
            return builder.add(layer.kernel, values, units, **{what: many})

        refused(layer_with(build, count=Parameter(is_trained=False)), "must have at most 16 .*. Got 17")

    def test_an_unknown_function(self):
        with pytest.raises(UnknownNameError, match=r"no function of an operation named 'forwards_f32'\. Did you mean"):
            Layer.from_addresses(forwards_f32=1)

    def test_a_planted_struct_works(self):
        layer = plant("layer")
        cynn.Network([cynn.Input(3), layer], seed=0).fit(X, X, epochs=1, progress=False)
