"""Imports the state of an optimizer of PyTorch into a network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cynn import optimizers
from cynn.errors import InvalidParameterError, shown
from cynn.interop.plan import Array
from cynn.network import Network
from cynn.training.adopted_state import set_optimizer_memory

__all__ = ["adopt_state"]


def adopt_state(network: Network, optimizer: Any, arrays: Mapping[Any, tuple[Array, bool]]) -> None:
    """Continue the training of an optimizer of PyTorch.

    Parameters
    ----------
    network : Network
    optimizer : torch.optim.SGD, Adam or AdamW
    arrays : mapping of Parameter to (array, bool)
        The array of the network for each parameter, and whether it is the transpose.
    """
    made, names, factor = _counterpart(optimizer)
    memory = []
    steps = 0
    for parameter, (array, is_transposed) in arrays.items():
        state = optimizer.state.get(parameter, {})
        if all(state.get(name) is not None for name in names):
            found = [factor * state[name].detach().cpu().numpy() for name in names]
            memory.append((array, [each.T if is_transposed else each for each in found]))
        steps = max(steps, int(state.get("step", 0)))
    set_optimizer_memory(network, made, memory, steps)


def _counterpart(optimizer: Any) -> tuple[optimizers.Optimizer, tuple[str, ...], Any]:
    """The optimizer of CyNN, the names of its slots in PyTorch, and their factors."""
    kind = type(optimizer).__name__
    groups = [{key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups]
    first = groups[0]
    plain = all(group == first for group in groups) and not first.get("maximize") and not first.get("amsgrad")
    if kind == "SGD" and plain and not first["dampening"]:
        rate, momentum = float(first["lr"]), first["momentum"]
        made = optimizers.SGD(rate, momentum, first["nesterov"], first["weight_decay"])
        # in CyNN a velocity is added to the weight
        return made, ("momentum_buffer",) if momentum else (), np.float64(-rate)
    if kind in ("Adam", "AdamW") and plain and (kind == "AdamW" or not first["weight_decay"]):
        (beta_1, beta_2), settings = first["betas"], {"learning_rate": float(first["lr"]), "epsilon": first["eps"]}
        adam = optimizers.Adam(beta_1=beta_1, beta_2=beta_2, **settings)
        if kind == "AdamW":
            adam = optimizers.AdamW(beta_1=beta_1, beta_2=beta_2, weight_decay=first["weight_decay"], **settings)
        return adam, ("exp_avg", "exp_avg_sq"), 1
    raise InvalidParameterError(
        "An optimizer of PyTorch that is adopted must be an SGD without dampening, an Adam without weight decay or an "
        f"AdamW, with the same settings for all parameters. Got {shown(optimizer)} instead."
    )
