"""Epochs of training, on one thread."""

import cynn


class Training:
    """Digits: narrow layers, where overhead counts, and wide ones, where arithmetic does."""

    params = (("784-16-16-10", "784-128-64-10"), ("SGD", "Adam"))
    param_names = ("sizes", "optimizer")
    rows = 12_800
    timeout = 120

    def setup(self, sizes: str, optimizer: str) -> None:
        (x, y), _ = cynn.datasets.load_mnist()
        self.x, self.y = x[: self.rows].copy(), y[: self.rows].copy()
        self.net = cynn.Network.mlp(
            [int(units) for units in sizes.split("-")],
            activation="relu",
            output="softmax",
            input_scale=1 / 255,
            seed=0,
        )
        self.optimizer = getattr(cynn.optimizers, optimizer)(learning_rate=0.001)
        self.batch = 10 if sizes == "784-16-16-10" else 128

    def time_epoch(self, sizes: str, optimizer: str) -> None:
        self.net.fit(
            self.x,
            self.y,
            loss="cross_entropy",
            optimizer=self.optimizer,
            epochs=1,
            batch_size=self.batch,
            progress=False,
            n_threads=1,
        )

    def peakmem_epoch(self, sizes: str, optimizer: str) -> None:
        self.time_epoch(sizes, optimizer)


class SmallData:
    """4-32-16-4 on 150 rows, all in each step: 200 steps."""

    def setup(self) -> None:
        import numpy as np

        generator = np.random.default_rng(0)
        self.x = generator.normal(size=(150, 4)).astype(np.float32)
        self.y = np.sin(self.x)
        self.net = cynn.Network.mlp([4, 32, 16, 4], activation="relu", seed=0)
        self.optimizer = cynn.optimizers.SGD(learning_rate=0.01)

    def time_200_steps(self) -> None:
        self.net.fit(
            self.x,
            self.y,
            loss="mean_squared_error",
            optimizer=self.optimizer,
            epochs=200,
            batch_size=150,
            shuffle=False,
            progress=False,
            n_threads=1,
        )
