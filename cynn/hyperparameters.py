"""What declares the numbers and switches of an activation, a loss or an optimizer: for plugins."""

from cynn.components.hyperparameters import Component, Hyperparameter, hyperparameter, option

__all__ = ["Component", "Hyperparameter", "hyperparameter", "option"]
