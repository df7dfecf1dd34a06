"""What is so where nothing is said: a default that moved would change what networks learn, and no error would tell."""

import inspect

import pytest

import cynn
from cynn import callbacks, constraints, initializers, layers, metrics, regularizers, schedules

TRAINED = {"trainable": True, "learning_rate_factor": 1.0}
OF_WEIGHTS = {
    "use_bias": True, "initializer": None, "regularizer": None, "constraint": None, **TRAINED,
    "bias_learning_rate_factor": None,
}  # fmt: skip
OF_NORMS = {"use_scale": True, "use_bias": True, **TRAINED}
DEFAULTS = {
    initializers: {
        "Constant": {"value": 0.0},
        "Orthogonal": {"gain": 1.0},
        "Siren": {"w0": 30.0, "is_first": False},
        "TruncatedNormal": {"mean": 0.0, "stddev": 0.05},
    },
    regularizers: {"L1": {"l1": 0.01}, "L1L2": {"l1": 0.0, "l2": 0.0}, "L2": {"l2": 0.01}},
    constraints: {"MaxNorm": {"max_value": 2.0}},
    layers: {
        "Add": {"branches": None},
        "BatchNorm": {"momentum": 0.99, "epsilon": 1e-3, **OF_NORMS},
        "Concatenate": {"branches": None},
        "Dense": {"activation": "identity", **OF_WEIGHTS},
        "Embedding": {
            "columns": 0, "initializer": None, "regularizer": None, "constraint": None, **TRAINED
        },
        "GLU": {"activation": "sigmoid", **OF_WEIGHTS},
        "Input": {"scale": 1.0, "offset": 0.0},
        "Layer": TRAINED,
        "LayerNorm": {"epsilon": 1e-3, **OF_NORMS},
        "Maxout": {"pieces": 2, **OF_WEIGHTS},
        "PReLU": {"initial": 0.25, **TRAINED},
        "RMSNorm": {"epsilon": 1e-6, "use_scale": True, **TRAINED},
    },
    schedules: {
        "CosineDecay": {"decay_steps": None, "alpha": 0.0},
        "CosineDecayRestarts": {"t_mul": 2.0, "m_mul": 1.0, "alpha": 0.0},
        "CosineLog": {"decay_steps": None, "cycles": 4},
        "ExponentialDecay": {"decay_steps": None, "decay_rate": 0.1, "staircase": False},
        "FlatCosine": {"decay_steps": None, "flat_fraction": 0.5},
        "OneCycle": {"total_steps": None, "pct_start": 0.3, "div_factor": 25.0, "final_div_factor": 1e4},
        "PolynomialDecay": {"decay_steps": None, "end_learning_rate": 1e-4, "power": 1.0, "cycle": False},
        "ReduceOnPlateau": {
            "monitor": "val_loss", "factor": 0.1, "patience": 10, "min_delta": 1e-4, "cooldown": 0,
            "min_learning_rate": 0.0, "mode": "auto",
        },
        "StepDecay": {"decay_rate": 0.1},
        "WarmUp": {"initial_learning_rate": 0.0},
    },
    callbacks: {
        "CSVLogger": {"separator": ",", "append": False},
        "Checkpoint": {"every_steps": None, "every_seconds": None, "keep": None, "on_error": "raise"},
        "EarlyStopping": {
            "monitor": "val_loss", "min_delta": 0.0, "patience": 0, "mode": "auto", "restore_best_weights": False
        },
        "Live": {"port": 0, "open": True, "shape": None},
        "StochasticWeightAveraging": {"every_epochs": 1},
        "TensorBoard": {"log_dir": "logs"},
        "Timer": {"limit_seconds": None},
    },
    metrics: {"BinaryAccuracy": {"threshold": None}, "TopKAccuracy": {"k": 5}},
}  # fmt: skip


@pytest.mark.parametrize("module", DEFAULTS, ids=lambda module: module.__name__)
def test_defaults(module):
    found = {}
    for name in module.__all__:
        if inspect.isclass(cls := getattr(module, name)) and hasattr(cls, "from_config"):
            parameters = inspect.signature(cls).parameters.items()
            found[name] = {key: each.default for key, each in parameters if each.default is not each.empty}
    assert {name: of_class for name, of_class in found.items() if of_class} == DEFAULTS[module]


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_what_every_optimizer_takes(name):
    optimizer = cynn.registry.optimizers.get(name)
    assert (optimizer.clipvalue, optimizer.clipnorm, optimizer.global_clipnorm) == (0, 0, 0)
    assert optimizer.gradient_accumulation_steps == 1
    assert (optimizer.use_ema, optimizer.ema_momentum) == (False, 0.99)
