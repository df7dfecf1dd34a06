"""Writes what tf2onnx makes of dense Keras models, with rows and what Keras predicts for them.

    python make.py

It needs tensorflow-cpu 2.21, keras 3.15 and tf2onnx 1.17, which the tests do not.
"""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import tf2onnx

L = keras.layers
HERE = Path(__file__).parent
OPSETS = {"classifier": [13, 15, 18], "batch norm": [13, 18]}  # others: 17


def stack(*layers):
    return keras.Sequential([keras.Input((5,)), *layers])


def graph():
    x = keras.Input((5,))
    h = L.Dense(8, "relu")(x)
    g = L.Dense(8, "tanh")(h)
    total = L.Add()([h, g])
    joined = L.Concatenate()([total, x])
    return keras.Model(x, [L.Dense(3, "softmax")(joined), L.Dense(1)(total)])


def twice():
    """What is in front of an activation is read once more."""
    x = keras.Input((5,))
    h = L.Dense(8)(x)
    return keras.Model(x, L.Dense(2)(L.Add()([h, L.Activation("relu")(h)])))


def embedding(is_squeezed):
    x = keras.Input((4,))
    column = keras.ops.cast(x[:, 0], "int32") if is_squeezed else x[:, :1]
    rows = L.Embedding(7, 3)(column)
    rows = rows if is_squeezed else L.Flatten()(rows)
    return keras.Model(x, L.Dense(3)(L.Concatenate()([rows, x[:, 1:]])))


MODELS = {
    "classifier": stack(L.Dense(8, "relu"), L.Dense(7, "tanh"), L.Dense(6, "sigmoid"), L.Dense(4, "softmax")),
    "operators": stack(
        L.Dense(8, "elu"), L.Dense(7, "selu"), L.Dense(6, "softplus"), L.Dense(6, "softsign"), L.Dense(6, "leaky_relu"),
        L.Dense(6, "exponential"), L.Dense(4, "log_softmax"),
    ),
    "composed": stack(
        L.Dense(8, "swish"), L.Dense(7, "mish"), L.Dense(6, "hard_swish"), L.Dense(6, "hard_tanh"),
        L.Dense(6, "log_sigmoid"), L.Dense(6, "tanh_shrink"), L.Dense(6, "soft_shrink"), L.Dense(6, "hard_shrink"),
        L.Dense(6, "squareplus"), L.Dense(6, "sparse_plus"), L.Dense(6, "relu6"), L.Dense(3, "hard_sigmoid"),
    ),
    "batch norm": stack(
        L.BatchNormalization(), L.Dense(8, use_bias=False), L.BatchNormalization(), L.Activation("relu"),
        L.Dropout(0.3), L.Dense(3),
    ),
    "layer norm": stack(L.Dense(8), L.LayerNormalization(), L.Activation("relu"), L.Dense(3)),
    "rms norm": stack(L.Dense(8), L.RMSNormalization(), L.Dense(3)),
    "rectifiers": stack(L.Dense(8), L.PReLU(), L.LeakyReLU(0.1), L.ReLU(max_value=6.0), L.Dense(3)),
    "noise": stack(L.Dense(8), L.GaussianNoise(0.1), L.AlphaDropout(0.1), L.Dense(3, use_bias=False)),
    "scaled": stack(L.Rescaling(1 / 255, 0.5), L.Dense(8, "relu"), L.Dense(1)),
    "float64": keras.Sequential(
        [keras.Input((5,), dtype="float64"), L.Dense(6, "swish", dtype="float64"), L.Dense(2, dtype="float64")]
    ),
    "graph": graph(),
    "twice": twice(),
    "embedding": embedding(is_squeezed=False),
    "squeezed embedding": embedding(is_squeezed=True),
}  # fmt: skip


def main():
    rng = np.random.default_rng(0)
    for name, model in MODELS.items():
        for weight in model.weights:
            value = rng.uniform(0.2, 1, weight.shape) if "variance" in weight.path else rng.normal(0, 0.5, weight.shape)
            if "seed" not in weight.path:
                weight.assign(value)
        (given,) = model.inputs
        signature = [tf.TensorSpec((None, given.shape[1]), given.dtype, name="x")]
        x = rng.normal(size=(9, given.shape[1])).astype(given.dtype)
        if "embedding" in name:
            x[:, 0] = np.arange(9) % 7
        outputs = model(x)
        outputs = outputs if isinstance(outputs, list) else [outputs]
        file = name.replace(" ", "_")
        np.savez(HERE / f"{file}.npz", x=x, **{f"y{k}": np.asarray(y) for k, y in enumerate(outputs)})
        for opset in OPSETS.get(name, [17]):
            tf2onnx.convert.from_function(
                tf.function(lambda x, model=model: model(x), input_signature=signature),
                input_signature=signature, opset=opset, output_path=str(HERE / f"{file}_{opset}.onnx"),
            )  # fmt: skip


if __name__ == "__main__":
    main()
