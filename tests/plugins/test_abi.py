"""The checks that a kernel's struct goes through when it is loaded, with planted structs."""

import ctypes
import re
from pathlib import Path

import numpy as np
import pytest
from planted_kernels import KINDS, plant

import cynn
from cynn.engine.abi_checks import known_bytes
from cynn.engine.activation_kernel import ActivationKernel
from cynn.engine.loss_kernel import LossKernel
from cynn.errors import InvalidParameterError, PluginError
from cynn.testing import abi

HEADER = Path(cynn.get_include(), "cynn", "abi.h").read_text(encoding="utf-8")
def kernel_of(component):
    return KINDS[component.kind][2](component)


def refused(component, pattern):
    with pytest.raises(PluginError, match=pattern) as caught:
        kernel_of(component)
    message = str(caught.value)
    assert f"the {component.kind} 'planted' of {type(component).__module__} unpackaged" in message
    assert "Got " in message
    return message


@pytest.mark.parametrize("kind", KINDS)
class TestLoading:
    def test_a_struct_as_it_must_be(self, kind):
        kernel_of(plant(kind))

    @pytest.mark.parametrize(("major", "who"), [(0, "the plugin"), (2, "CyNN")])
    def test_abi_major(self, kind, major, who):
        refused(
            plant(kind, abi_major=major),
            rf"ABI {major}\.2 instead: upgrade {who}, and build the plugin again",
        )

    def test_short_struct(self, kind):
        message = refused(plant(kind, struct_size=24), "Got 24 bytes")
        assert "build the plugin again" in message

    def test_unknown_flag(self, kind):
        flags = abi.struct_of(KINDS[kind][1]).flags | 1 << 40
        refused(plant(kind, flags=flags), "Got 0x100000000.*upgrade CyNN, or build the plugin without")

    def test_capsule_of_another_kind(self, kind):
        other = "loss" if kind == "activation" else "activation"
        refused(
            plant(kind, capsule=f"cynn.{other}"), f"must be a capsule named '{abi.capsule_name(kind)}'.*'cynn.{other}'"
        )

    @pytest.mark.parametrize("value", [1234, "kernel", object])
    def test_no_capsule(self, kind, value):
        component = plant(kind)
        type(component).kernel = value
        refused(component, "must be a capsule named")

    def test_all_functions_null(self, kind):
        struct = abi.STRUCTS[kind](1, 0, ctypes.sizeof(abi.STRUCTS[kind]), 0)
        refused(plant(kind, struct=struct), "Got NULL for all of")

    def test_newer_minor_with_appended_fields(self, kind):
        class Newer(ctypes.Structure):
            _fields_ = [
                *abi.STRUCTS[kind]._fields_,
                ("appended", ctypes.c_void_p),
                ("more", ctypes.c_int64 * 9),
            ]

        model = abi.struct_of(KINDS[kind][1])
        struct = Newer()
        ctypes.memmove(ctypes.byref(struct), ctypes.byref(model), ctypes.sizeof(model))
        struct.appended = 0xDEAD
        component = plant(kind, struct=struct, abi_minor=7, struct_size=ctypes.sizeof(Newer))
        works(component)

    def test_a_cynn_with_more_fields_reads_what_there_is(self, kind):
        component = plant(kind)
        struct = abi.struct_of(component)
        known = known_bytes(component, component.kernel, kind, ctypes.sizeof(struct) + 24)
        assert known == bytes(struct) + bytes(24)

    def test_a_cynn_with_fewer_fields_leaves_the_rest(self, kind):
        component = plant(kind)
        struct = abi.struct_of(component)
        assert known_bytes(component, component.kernel, kind, 40) == bytes(struct)[:40]


def works(component):
    """Train a small network with a component."""
    used = {component.kind: component}
    behind = [component] if component.kind == "layer" else []
    net = cynn.Network([cynn.Input(3), cynn.Dense(2, activation=used.get("activation", "tanh")), *behind], seed=0)
    x = np.random.default_rng(0).normal(size=(8, 3))
    net.fit(x, x[:, :2], loss=used.get("loss", "mse"), optimizer=used.get("optimizer", "adam"), epochs=2)


def test_optional_field_beyond_the_struct_is_null():
    # linear_step is the optional field of the optimizers: a struct that ends before it has none
    size = abi.OptimizerStruct.linear_step.offset
    struct = abi.struct_of(cynn.optimizers.SGD())
    assert ctypes.cast(struct.linear_step, ctypes.c_void_p).value
    component = plant("optimizer", struct=struct, struct_size=size)
    assert known_bytes(component, component.kernel, "optimizer", ctypes.sizeof(struct))[size:] == bytes(8)
    assert "linear_step" not in abi.functions(component)


@pytest.mark.parametrize("name", ["forward_f32", "backward_f32", "forward_f64", "backward_f64"])
def test_half_a_dtype(name):
    kind = dict(abi.ActivationStruct._fields_)[name]
    refused(
        plant("activation", **{name: kind()}),
        f"must offer {'float32' if name.endswith('32') else 'float64'} whole",
    )


def test_fused_functions_without_which_fuses_with_is_a_lie():
    refused(plant("loss", fuses_with=b"sigmoid"), "NULL fused_value_and_gradient_f32")


def test_in_place_that_loses_z():
    refused(plant("activation", flags=abi.IN_PLACE | abi.NEEDS_Z), "CYNN_IN_PLACE and CYNN_NEEDS_Z together")


@pytest.mark.parametrize("n_slots", [-1, 17, 2**32, 2**62])
def test_number_of_slots(n_slots):
    refused(plant("optimizer", n_slots=n_slots), f"n_slots .* from 0 to 16. Got {n_slots}")


@pytest.mark.parametrize("n_slots", [-1, 17, 1.5, None])
def test_number_of_slots_of_a_python_class(n_slots):
    class Slots(cynn.optimizers.Optimizer):
        name = "planted"

        def step(self, w, grad, slots, learning_rate, t):
            pass

    Slots.n_slots = n_slots
    refused(Slots(), "n_slots")


@pytest.mark.parametrize("offered", ["f32", "f64"])
def test_one_dtype_alone(offered):
    functions = abi.functions(cynn.activations.Tanh())

    class One(cynn.activations.Activation):
        name = "one"
        kernel = cynn.activations.Activation.from_addresses(
            **{name: address for name, address in functions.items() if name.endswith(offered)}, needs_a=True
        )

    dtype, other = ("float32", "float64") if offered == "f32" else ("float64", "float32")
    layers = [cynn.Input(2), cynn.Dense(1, activation=One())]
    cynn.Network(layers, dtype=dtype).predict([[1.0, 2.0]])
    with pytest.raises(PluginError, match=f"'one' of test_abi unpackaged .*Got '{other}'"):
        cynn.Network(layers, dtype=other)


class TestFromAddresses:
    def test_numbers_objects_with_an_address_and_ctypes_functions(self):
        struct = abi.struct_of(cynn.activations.Tanh())
        numbers = abi.functions(cynn.activations.Tanh())

        class WithAddress:
            address = numbers["forward_f32"]

        kernel = cynn.activations.Activation.from_addresses(
            forward_f32=WithAddress(),
            backward_f32=numbers["backward_f32"],
            forward_f64=struct.forward_f64,
            backward_f64=struct.backward_f64,
            needs_a=True,
        )

        class Same(cynn.activations.Activation):
            name = "same"

        Same.kernel = kernel
        given = ("forward_f32", "backward_f32", "forward_f64", "backward_f64")
        assert abi.functions(Same()) == {name: numbers[name] for name in given}
        assert abi.struct_of(Same()).flags == abi.NEEDS_A

    def test_what_has_an_address_is_kept_alive(self):
        import gc
        import weakref

        class Function:
            address = abi.functions(cynn.optimizers.SGD())["step_f32"]

        function = Function()
        seen = weakref.ref(function)
        kernel = cynn.optimizers.Optimizer.from_addresses(step_f32=function)
        del function
        gc.collect()
        assert seen() is not None
        del kernel
        gc.collect()
        assert seen() is None

    @pytest.mark.parametrize("value", ["0x10", 1.5, -4, 0, True, 2**64])
    def test_no_address(self, value):
        with pytest.raises(
            InvalidParameterError, match="'step_f32' parameter of from_addresses must be an address"
        ):
            cynn.optimizers.Optimizer.from_addresses(step_f32=value)

    def test_fused_loss(self):
        model = cynn.losses.BinaryCrossEntropy()

        class Same(cynn.losses.Loss):
            name = "same"
            kernel = cynn.losses.Loss.from_addresses(
                **abi.functions(model), fuses_with="sigmoid", class_index=True
            )

        assert LossKernel(Same()).fuses_with == "sigmoid"
        assert bytes(abi.struct_of(Same()))[:24] == bytes(abi.struct_of(model))[:24]


class TestOverriding:
    """A method nearer than the kernel wins, and may call the kernel's."""

    def test_python_method_over_a_compiled_class(self):
        class Twice(cynn.activations.Sigmoid):
            """a = 2 σ(z)."""

            name = "twice"

            def forward(self, z):
                return 2 * super().forward(z)

            def backward(self, z, a, grad):
                return 2 * super().backward(z, a / 2, grad)

        assert ActivationKernel(Twice()).is_python
        assert Twice()([0.0]) == [1.0]
        cynn.testing.check_activation(Twice)

    def test_kernel_under_a_python_class(self):
        class Slow(cynn.activations.Activation):
            def forward(self, z):
                raise AssertionError

            backward = forward

        class Fast(Slow):
            name = "fast"
            kernel = cynn.activations.Tanh.kernel

        assert not ActivationKernel(Fast()).is_python


def fields(name):
    """The names of the fields of a struct in the header."""
    body = re.search(r"typedef struct \{([^}]*)\} %s;" % name, HEADER)[1]  # noqa: UP031  # the pattern has braces
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.S)
    names = re.findall(r"\(\*(\w+)\)|(\w+)(?=[,;])", re.sub(r"\)\([^;]*\);", ");", body))
    return [first or second for first, second in names]


class TestHeader:
    @pytest.mark.parametrize("kind", KINDS)
    def test_ctypes_structs_are_those_of_the_header(self, kind):
        assert fields("cynn_operation" if kind == "layer" else f"cynn_{kind}") == [
            name for name, _ in abi.STRUCTS[kind]._fields_
        ]
        size = int.from_bytes(bytes(abi.struct_of(KINDS[kind][1]))[4:8], "little")
        assert size == ctypes.sizeof(abi.STRUCTS[kind])

    @pytest.mark.parametrize(("name", "struct"), [
        ("cynn_operands", abi.Operands), ("cynn_pass", abi.Pass), ("cynn_tangents", abi.Tangents)
    ])  # fmt: skip
    def test_what_an_operation_is_handed(self, name, struct):
        assert fields(name) == [field for field, _ in struct._fields_]
        assert fields(name)[0] == "struct_size"

    @pytest.mark.parametrize("name", [name for name in abi.__all__ if name.isupper() and name != "STRUCTS"])
    def test_flags(self, name):
        assert int(re.search(rf"#define CYNN_{name} +(\d+)u", HEADER)[1]) == getattr(abi, name)

    def test_every_field_is_documented(self):
        for struct in re.findall(r"typedef struct \{([^}]*)\} cynn_\w+;", HEADER):
            assert len(re.findall(r"/\*", struct)) >= 3
