"""Predictions, and what it costs to begin."""

import numpy as np

import cynn


class Prediction:
    params = (1, 10_000)
    param_names = ("rows",)

    def setup(self, rows: int) -> None:
        self.x = np.random.default_rng(0).random((rows, 784), dtype=np.float32)
        self.net = cynn.Network.mlp([784, 16, 16, 10], activation="sigmoid", output="softmax", seed=0)
        cynn.set_num_threads(1)

    def time_predict(self, rows: int) -> None:
        self.net.predict(self.x)


def timeraw_import() -> str:
    return "import cynn"
