"""Kernels of ctypes in capsules, right and wrong ones: what a plugin in C could be."""

import ctypes

import cynn
from cynn.engine.activation_kernel import ActivationKernel
from cynn.engine.loss_kernel import LossKernel
from cynn.engine.operation_kernel import OperationKernel
from cynn.engine.optimizer_kernel import OptimizerKernel
from cynn.testing import abi


def operation_kernel(layer):
    return OperationKernel(layer, layer.kernel)


KINDS = {
    "activation": (cynn.activations.Activation, cynn.activations.Tanh(), ActivationKernel),
    "layer": (cynn.layers.Layer, cynn.PReLU(), operation_kernel),
    "loss": (cynn.losses.Loss, cynn.losses.MeanSquaredError(), LossKernel),
    "optimizer": (cynn.optimizers.Optimizer, cynn.optimizers.Adam(), OptimizerKernel),
}
new_capsule = ctypes.pythonapi.PyCapsule_New
new_capsule.restype = ctypes.py_object
new_capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
KEPT = []  # capsules do not own what they point to


def plant(kind, *, capsule=None, struct=None, **fields):
    """An instance of a class whose struct is that of a built-in one, with other fields."""
    _, model, _ = KINDS[kind]
    struct = struct or abi.struct_of(model)
    for name, value in fields.items():
        setattr(struct, name, value)
    name = (capsule or abi.capsule_name(kind)).encode()
    KEPT.extend([struct, name])

    class Planted(type(model)):  # with its hyperparameters, which the functions read
        pass

    Planted.name = "planted"
    Planted.kernel = new_capsule(ctypes.addressof(struct), name, None)
    return Planted()
