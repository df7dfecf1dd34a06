"""The layers of the catalogue in all their forms, each of six columns: what tests compare with the papers' formulas."""

import cynn

BINS = [[-1.0, 0.0, 0.5, 2.0], [-2.0, 2.0], [0.0, 0.1], [-1.0, 1.0, 1.5], [0.0, 3.0], [-3.0, -1.0, 0.0, 1.0, 2.0]]


def layer(name, *args, **options):
    return cynn.registry.layers.find(name)(*args, **options)


LAYERS = {
    "scale": lambda: layer("scale", 0.5),
    "plr": lambda: layer("numerical_embedding", "plr", 3, 5, 0.3),
    "pbld": lambda: layer("numerical_embedding", deviation=0.3),
    "ple": lambda: layer("numerical_embedding", "ple", bins=BINS),
    "plr of columns": lambda: layer("numerical_embedding", "plr", 70, 66, 0.1, columns=[4, 1]),
    "pbld of columns": lambda: layer("numerical_embedding", "pbld", 2, 3, columns=[5, 0, 2]),
    "ple of columns": lambda: layer("numerical_embedding", "ple", bins=BINS[:2], columns=[3, 0]),
    "parametric": lambda: layer("parametric_activation", "mish", 0.7),
    "parametric with hyperparameters": lambda: layer("parametric_activation", {"name": "elu", "alpha": 0.5}),
    "first": lambda: layer("batch_ensemble", 4, 3, "tanh", first=True),
    "members": lambda: layer("batch_ensemble", 5, 2),
    "mean": lambda: layer("member_mean", 3),
    "mixture": lambda: layer("mixture_of_experts", 4, 3, "tanh"),
    "mixture of single units": lambda: layer("mixture_of_experts", 1, 2),
}
