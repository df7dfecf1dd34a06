"""PyTorch, eager."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from benchmarks.data import Data, initial_parameters
from benchmarks.workloads import Workload

_ACTIVATIONS = {"sigmoid": torch.nn.Sigmoid, "tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}


class TorchPeer:
    version = torch.__version__

    def __init__(self, workload: Workload, data: Data, n_threads: int) -> None:
        torch.set_num_threads(n_threads)
        torch.set_num_interop_threads(1)
        self.batch, self.scale = workload.batch, data.scale
        self.dtype = getattr(torch, workload.dtype)
        self.shuffle = workload.shuffle
        self.x, self.y = torch.from_numpy(data.x), torch.from_numpy(data.y)
        self.model = torch.nn.Sequential(*_layers(workload))
        # fused: the quickest of the three implementations on a CPU
        if workload.optimizer == "sgd":
            self.optimizer: torch.optim.Optimizer = torch.optim.SGD(
                self.model.parameters(), lr=workload.learning_rate, fused=True
            )
        else:
            self.optimizer = torch.optim.Adam(self.model.parameters(), lr=workload.learning_rate, fused=True)
        self.loss = F.cross_entropy if data.has_classes else F.mse_loss
        with_softmax = [torch.nn.Softmax(dim=1)] if workload.output == "softmax" else []
        self.predictor = torch.nn.Sequential(*self.model, *with_softmax).eval()

    def train(self, orders: list[Any]) -> None:
        model, optimizer, loss_of = self.model, self.optimizer, self.loss
        for order in orders:
            for rows in torch.from_numpy(order).split(self.batch):
                if self.shuffle:
                    x, y = self.x.index_select(0, rows), self.y.index_select(0, rows)
                else:
                    x, y = self.x, self.y
                if x.dtype != self.dtype:
                    x = x.to(self.dtype).mul_(self.scale)
                optimizer.zero_grad(set_to_none=True)
                loss_of(model(x), y).backward()
                optimizer.step()

    def predict(self, rows: Any) -> Any:
        with torch.inference_mode():
            return self.predictor(torch.from_numpy(rows)).numpy()

    def parameters(self) -> list[Any]:
        linear = [module for module in self.model if isinstance(module, torch.nn.Linear)]
        return [(m.weight.detach().numpy().T, m.bias.detach().numpy()) for m in linear]


def _layers(workload: Workload) -> list[torch.nn.Module]:
    layers: list[torch.nn.Module] = []
    for W, b in initial_parameters(workload):
        if layers:
            layers.append(_ACTIVATIONS[workload.activation]())
        linear = torch.nn.Linear(*W.shape, dtype=getattr(torch, workload.dtype))
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(W.T))
            linear.bias.copy_(torch.from_numpy(b))
        layers.append(linear)
    return layers


create = TorchPeer
