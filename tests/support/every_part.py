"""One of every part of the library, and one for each option of it, each as the text that makes it.

The name of a part in files of tests/support/data is its text here. So lines are added, and none is changed.
"""

from __future__ import annotations

import ast
import functools
import inspect
import operator
from typing import Any

import cynn
from cynn import callbacks, constraints, initializers, layers, metrics, registry, regularizers, schedules, solvers
from cynn.components.configurable import Configurable

REGISTRIES = {each.kind: each for each in (registry.activations, registry.losses, registry.optimizers)}
MODULES = {
    "layer": layers, "initializer": initializers, "regularizer": regularizers, "constraint": constraints,
    "schedule": schedules, "metric": metrics, "callback": callbacks,
    "solver": solvers,
}  # fmt: skip
#: What these modules offer beside parts.
BASES = {"Callback", "Constraint", "Initializer", "Layer", "Metric", "Regularizer", "Schedule", "Solver"}

PARTS: dict[str, list[str]] = {
    "activation": [
        "identity()",
        "sigmoid()",
        "tanh()",
        "relu()",
        "leaky_relu(negative_slope=0.1)",
        "softmax()",
        "exponential()",
        "elu()",
        "elu(alpha=0.5)",
        "selu()",
        "celu()",
        "celu(alpha=2)",
        "swish()",
        "swish(beta=1.5)",
        "gelu()",
        "gelu(approximate=True)",
        "mish()",
        "gaussian()",
        "sine()",
        "sine(w0=3)",
        "snake(alpha=0.5)",
        "relu6()",
        "hardtanh()",
        "hardtanh(minimum=-0.5,maximum=0.75)",
        "hard_sigmoid()",
        "hard_swish()",
        "squared_relu()",
        "sparse_plus()",
        "softshrink(threshold=0.25)",
        "hardshrink(threshold=0.25)",
        "threshold(threshold=0.1,value=-0.2)",
        "softmin()",
        "log_softmax()",
        "sparsemax()",
        "softplus()",
        "softplus(beta=3)",
        "log_sigmoid()",
        "squareplus()",
        "squareplus(b=2)",
        "softsign()",
        "smooth_clip()",
        "smooth_clip(c=0.5)",
        "tanhshrink()",
    ],
    "loss": [
        "mean_squared_error()",
        "mean_absolute_error()",
        "binary_cross_entropy()",
        "cross_entropy()",
        "cross_entropy(label_smoothing=0.1)",
        "huber()",
        "huber(delta=0.25)",
        "smooth_l1()",
        "smooth_l1(beta=0.25)",
        "log_cosh()",
        "quantile()",
        "quantile(quantile=0.9)",
        "mean_absolute_percentage_error()",
        "mean_absolute_percentage_error(epsilon=0.5)",
        "mean_squared_logarithmic_error()",
        "cosine_similarity()",
        "cosine_similarity(epsilon=0.5)",
        "poisson()",
        "gamma()",
        "tweedie()",
        "tweedie(power=1.2)",
        "gaussian_nll()",
        "gaussian_nll(full=True)",
        "kl_divergence()",
        "hinge()",
        "squared_hinge()",
        "soft_margin()",
        "categorical_hinge()",
        "multi_margin()",
        "multi_margin(margin=0.5,squared=True)",
        "multilabel_margin()",
        "binary_focal()",
        "binary_focal(alpha=0.5,gamma=1.5)",
        "categorical_focal()",
        "categorical_focal(alpha=0.5,gamma=1.5)",
        "dice()",
        "dice(smooth=0.5)",
    ],
    "optimizer": [
        "sgd()",
        "sgd(learning_rate=0.05)",
        "sgd(momentum=0.9)",
        "sgd(momentum=0.9,nesterov=True)",
        "sgd(weight_decay=0.01)",
        "sgd(momentum=0.9,nesterov=True,weight_decay=0.01)",
        "adam()",
        "adam(learning_rate=0.01,beta_1=0.8,beta_2=0.9,epsilon=1e-6)",
        "adamw()",
        "adamw(learning_rate=0.01,beta_1=0.8,beta_2=0.9,epsilon=1e-6,weight_decay=0.1)",
        "rmsprop()",
        "rmsprop(learning_rate=0.01,rho=0.8,epsilon=1e-6)",
        "rmsprop(momentum=0.5)",
        "rmsprop(centered=True)",
        "rmsprop(momentum=0.5,centered=True)",
        "adagrad()",
        "adagrad(learning_rate=0.1,initial_accumulator=0.1,epsilon=1e-6)",
        "adadelta()",
        "adadelta(learning_rate=0.5,rho=0.9,epsilon=1e-5)",
        "rprop()",
        "rprop(learning_rate=0.005,decrease=0.4,increase=1.3,smallest_step=1e-4,largest_step=0.01)",
        "ftrl()",
        "ftrl(learning_rate=0.1,beta=0.5,l1=0.01,l2=0.02,initial_accumulator=0.1)",
        "adamax()",
        "adamax(learning_rate=0.01,beta_1=0.8,beta_2=0.9,epsilon=1e-6)",
        "nadam()",
        "nadam(learning_rate=0.01,beta_1=0.8,beta_2=0.9,epsilon=1e-6,momentum_decay=0.01)",
        "radam()",
        "radam(learning_rate=0.01,beta_1=0.8,beta_2=0.9,epsilon=1e-6)",
        "amsgrad()",
        "amsgrad(learning_rate=0.01,beta_1=0.8,beta_2=0.9,epsilon=1e-6)",
        "adabelief()",
        "adabelief(learning_rate=0.01,beta_1=0.8,beta_2=0.9,epsilon=1e-6)",
        "adan()",
        "adan(learning_rate=0.01,beta_1=0.9,beta_2=0.8,beta_3=0.9,epsilon=1e-6,weight_decay=0.1)",
        "lion()",
        "lion(learning_rate=0.001,beta_1=0.8,beta_2=0.9,weight_decay=0.1)",
        "schedule_free_adamw()",
        "schedule_free_adamw(learning_rate=0.01,beta_1=0.8,beta_2=0.9,epsilon=1e-6,weight_decay=0.1,warmup_steps=3)",
        "lamb()",
        "lamb(learning_rate=0.01,beta_1=0.8,beta_2=0.9,epsilon=1e-5,weight_decay=0.1)",
        "adafactor()",
        "adafactor(learning_rate=0.1,decay_power=0.7,epsilon_1=1e-20,epsilon_2=0.01,clip=0.5)",
        "muon()",
        "muon(learning_rate=0.01,momentum=0.9,nesterov=False,iterations=3,weight_decay=0.1,bias_rate=0.1)",
        "sgd(clipvalue=0.001)",
        "sgd(clipnorm=0.01)",
        "sgd(global_clipnorm=0.01)",
        "adam(clipvalue=0.001)",
        "adam(clipnorm=0.01,clipvalue=0.001)",
        "muon(global_clipnorm=0.01)",
        "adamw(weight_decay={'name':'flat_cosine','initial_learning_rate':0.1})",
        "adamw(weight_decay=0.1,decay_biases=False)",
        "lamb(weight_decay=0.1,decay_biases=False)",
        "sgd(gradient_accumulation_steps=2)",
        "adam(gradient_accumulation_steps=3)",
        "lamb(gradient_accumulation_steps=2)",
        "sgd(use_ema=True)",
        "adam(use_ema=True,ema_momentum=0.5)",
        "sgd(momentum=0.9,use_ema=True,ema_momentum=0.8,global_clipnorm=0.01)",
    ],
    "schedule": [
        "Constant(learning_rate=0.02)",
        "CosineDecay(initial_learning_rate=0.05)",
        "CosineDecay(initial_learning_rate=0.05,decay_steps=3,alpha=0.1)",
        "CosineDecayRestarts(initial_learning_rate=0.05,first_decay_steps=2)",
        "CosineDecayRestarts(initial_learning_rate=0.05,first_decay_steps=2,t_mul=1.5,m_mul=0.8,alpha=0.1)",
        "ExponentialDecay(initial_learning_rate=0.05)",
        "ExponentialDecay(initial_learning_rate=0.05,decay_steps=3,decay_rate=0.5)",
        "ExponentialDecay(initial_learning_rate=0.05,decay_steps=2,decay_rate=0.5,staircase=True)",
        "OneCycle(max_learning_rate=0.1)",
        "OneCycle(max_learning_rate=0.1,total_steps=9,pct_start=0.4,div_factor=10,final_div_factor=100)",
        "PolynomialDecay(initial_learning_rate=0.05)",
        "PolynomialDecay(initial_learning_rate=0.05,decay_steps=3,end_learning_rate=0.01,power=2)",
        "PolynomialDecay(initial_learning_rate=0.05,decay_steps=2,cycle=True)",
        "ReduceOnPlateau(learning_rate=0.05,monitor='loss',factor=0.5,patience=0,min_delta=10,cooldown=1,"
        "min_learning_rate=0.001,mode='min')",
        "FlatCosine(initial_learning_rate=0.05)",
        "FlatCosine(initial_learning_rate=0.05,decay_steps=5,flat_fraction=0.2)",
        "CosineLog(max_learning_rate=0.05)",
        "CosineLog(max_learning_rate=0.05,decay_steps=7,cycles=2)",
        "StepDecay(initial_learning_rate=0.05,decay_steps=2)",
        "StepDecay(initial_learning_rate=0.05,decay_steps=2,decay_rate=0.5)",
        "WarmUp(learning_rate=0.05,warmup_steps=3)",
        "WarmUp(learning_rate=CosineDecay(0.05),warmup_steps=2,initial_learning_rate=0.001)",
        "WarmUp(ReduceOnPlateau(0.05,monitor='loss',patience=0,min_delta=10),warmup_steps=2)",
    ],
    "layer": [
        "Dense(units=96)",
        "Dense(units=96,activation='relu',use_bias=False)",
        "Dense(units=96,activation='tanh',initializer='he_normal',regularizer='l2',constraint='max_norm')",
        "Dense(units=96,activation='tanh',trainable=False)",
        "Dense(units=96,activation='tanh',learning_rate_factor=0.5,bias_learning_rate_factor=2)",
        "GLU(units=48)",
        "GLU(units=48,activation='swish',use_bias=False)",
        "GLU(units=48,initializer='orthogonal',regularizer={'name':'l1','l1':0.001},constraint='non_negative')",
        "GLU(units=48,trainable=False)",
        "GLU(units=48,learning_rate_factor=0.5,bias_learning_rate_factor=2)",
        "Maxout(units=48)",
        "Maxout(units=48,pieces=3,use_bias=False)",
        "Maxout(units=48,initializer='lecun_normal',regularizer='l1_l2',constraint='unit_norm')",
        "Maxout(units=48,trainable=False)",
        "Maxout(units=48,learning_rate_factor=0.5,bias_learning_rate_factor=2)",
        "Activation(activation='gelu')",
        "Activation(activation={'name':'leaky_relu','negative_slope':0.2})",
        "PReLU()",
        "PReLU(initial=0.1)",
        "PReLU(trainable=False)",
        "PReLU(learning_rate_factor=0.5)",
        "BatchNorm()",
        "BatchNorm(momentum=0.8,epsilon=0.01,use_scale=False)",
        "BatchNorm(use_bias=False)",
        "BatchNorm(use_scale=False,use_bias=False)",
        "BatchNorm(trainable=False)",
        "BatchNorm(learning_rate_factor=0.5)",
        "LayerNorm()",
        "LayerNorm(epsilon=0.01,use_scale=False)",
        "LayerNorm(use_bias=False)",
        "LayerNorm(use_scale=False,use_bias=False)",
        "LayerNorm(trainable=False)",
        "LayerNorm(learning_rate_factor=0.5)",
        "RMSNorm()",
        "RMSNorm(epsilon=0.01,use_scale=False)",
        "RMSNorm(trainable=False)",
        "RMSNorm(learning_rate_factor=0.5)",
        "Dropout(rate=0.3)",
        "Dropout(rate={'name':'flat_cosine','initial_learning_rate':0.3,'decay_steps':3})",
        "AlphaDropout(rate=0.2)",
        "GaussianNoise(stddev=0.1)",
        "Add(branches=[[Dense(96)],[]])",
        "Concatenate(branches=[[],[Dense(20,'tanh'),LayerNorm()],[Dropout(0.2)]])",
        "Residual(layers=[Dense(96,'tanh'),Dropout(0.2)])",
        "Embedding(input_dim=9,output_dim=3)",
        "Embedding(input_dim=9,output_dim=2,columns=[2,0],initializer='he_normal',regularizer='l2',"
        "constraint='unit_norm')",
        "Embedding(input_dim=9,output_dim=3,columns=1,trainable=False)",
        "Embedding(input_dim=9,output_dim=3,learning_rate_factor=0.5)",
        "scale()",
        "scale(initial=0.5,learning_rate_factor=6)",
        "scale(trainable=False)",
        "numerical_embedding(method='pbld',units_per_column=2,frequencies=5,deviation=0.3,learning_rate_factor=0.1)",
        "numerical_embedding(method='plr',units_per_column=2,frequencies=3,columns=[3,1])",
        "numerical_embedding(method='ple',bins=[[0,1,2],[-1,1]],columns=[0,2])",
        "numerical_embedding(trainable=False)",
        "parametric_activation(activation='selu',initial=0.5,learning_rate_factor=0.1)",
        "parametric_activation(activation='mish',trainable=False)",
        "batch_ensemble(member_units=24,members=4,activation='tanh',first=True)",
        "batch_ensemble(member_units=10,members=2,learning_rate_factor=0.5)",
        "batch_ensemble(member_units=10,members=2,trainable=False)",
        "member_mean(members=2)",
        "mixture_of_experts(units=12,experts=3,activation='tanh')",
        "mixture_of_experts(units=12,trainable=False,learning_rate_factor=0.5)",
        "Input(units=40)",
        "Input(units=40,scale=0.5,offset=-0.25)",
    ],
    "initializer": [
        *(f"VarianceScaling(name='{scheme}_{distribution}')"
          for scheme in ("glorot", "he", "lecun") for distribution in ("uniform", "normal")),
        "Orthogonal()",
        "Orthogonal(gain=0.5)",
        "TruncatedNormal()",
        "TruncatedNormal(mean=0.1,stddev=0.2)",
        "Siren()",
        "Siren(w0=3,is_first=True)",
        "Constant(value=0.01)",
        "Zeros()",
        "Ones()",
    ],
    "regularizer": ["L1(l1=0.002)", "L2(l2=0.02)", "L1L2(l1=0.001,l2=0.02)"],
    "constraint": ["MaxNorm(max_value=0.5)", "UnitNorm()", "NonNegative()"],
    "metric": [
        "Accuracy()",
        "BinaryAccuracy()",
        "BinaryAccuracy(threshold=0.3)",
        "TopKAccuracy(k=2)",
        "MeanSquaredError()",
        "MeanAbsoluteError()",
        "RootMeanSquaredError()",
        "R2Score()",
    ],
    "callback": [
        "CSVLogger(filename='log.csv',separator=';',append=True)",
        "Checkpoint(path='{step}.safetensors',every_steps=2,keep=2,on_error='warn')",
        "Checkpoint(path='checkpoint.safetensors',every_seconds=1000)",
        "EarlyStopping(monitor='loss',min_delta=10,patience=2,mode='min',restore_best_weights=True)",
        "Live(port=0,open=False,shape=(5,8))",
        "StochasticWeightAveraging(start_epoch=1)",
        "StochasticWeightAveraging(start_epoch=1,every_epochs=2)",
        "TensorBoard(log_dir='logs')",
        "Timer(limit_seconds=1000)",
        "StopAfter(epochs=2)",
    ],
    "solver": [
        "LBFGS()",
        "LBFGS(history_size=3,tolerance=1e-5,loss_tolerance=1e-8,max_evaluations=5)",
        "LevenbergMarquardt()",
        "LevenbergMarquardt(initial_damping=0.1,decrease=10,acceleration=True)",
        "LevenbergMarquardt(bayesian_regularization=True,tolerance=1e-6,memory_limit=1000000)",
    ],
}  # fmt: skip

#: A learning rate that is a function, and that pickle can take along.
RATE_FUNCTION = functools.partial(operator.mul, 0.002)


def _offered(kind: str) -> dict[str, Any]:
    """What the library offers of a kind: by its names, what makes one."""
    if kind in REGISTRIES:
        return {name: REGISTRIES[kind].find(name) for name in REGISTRIES[kind].names()}
    module = MODULES[kind]
    found = {name: getattr(module, name) for name in module.__all__ if name not in BASES}
    found = {name: cls for name, cls in found.items() if isinstance(cls, type) and issubclass(cls, Configurable)}
    of_kind = registry.of_kind(kind)
    by_name = {name: of_kind.find(name) for name in of_kind.names() if name not in of_kind.builtins}
    return found | {name: cls for name, cls in by_name.items() if cls.__module__.startswith("cynn_plugins.")}


def make(kind: str, text: str) -> Any:
    """A new part."""
    return eval(text, {"__builtins__": {}}, _offered(kind))


def missing() -> list[str]:
    """What the library offers and no line above makes: parts, and parameters that no line gives."""
    found = []
    for kind, texts in PARTS.items():
        offered, given = _offered(kind), {}
        for text in texts:
            call = ast.parse(text, mode="eval").body
            bound = inspect.signature(offered[call.func.id]).bind_partial(
                *call.args, **{keyword.arg: keyword.value for keyword in call.keywords}
            )
            given.setdefault(offered[call.func.id], set()).update(bound.arguments)
        of_all = set().union(*given.values())
        for name, cls in offered.items():
            if cls not in given:
                found.append(f"{kind} {name}")
                continue
            for parameter in inspect.signature(cls).parameters.values():
                # what comes by name alone, all optimizers have from their base
                is_shared = kind == "optimizer" and parameter.kind is parameter.KEYWORD_ONLY
                if parameter.name not in (of_all if is_shared or parameter.name == "learning_rate" else given[cls]):
                    found.append(f"{kind} {name}: {parameter.name}")
    return found


def network(*hidden: Any, inputs: Any = 40, output: Any = "softmax", outputs: int = 4, **options: Any) -> cynn.Network:
    """A chain: an input, the layers, an output."""
    first = cynn.Input(inputs) if isinstance(inputs, int) else inputs
    return cynn.Network([first, *hidden, cynn.Dense(outputs, output)], **{"seed": 7, **options})


def with_layer(text: str, wide: int = 96, **options: Any) -> cynn.Network:
    """A network with that layer where it can stand."""
    layer = make("layer", text)
    if isinstance(layer, cynn.Input):
        return network(cynn.Dense(wide, "tanh"), inputs=layer, **options)
    if isinstance(layer, cynn.Embedding):
        return network(layer, cynn.Dense(wide, "tanh"), **options)
    return network(cynn.Dense(wide, "tanh"), layer, **options)
