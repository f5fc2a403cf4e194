"""A user's torch model, for type checkers to read: nothing runs it."""

import torch

import fanin
from fanin.compat import torch as init


class Net(torch.nn.Module):
    """Two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(8, 16)
        self.second = torch.nn.Linear(16, 4)
        init.kaiming_uniform_(self.first.weight, nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The output."""
        return torch.as_tensor(self.second(self.first(x)))


def model() -> str:
    """A whole model, and one tensor in place."""
    net = Net()
    table = fanin.torch.init_module(net, {"*.bias": "zeros", "*": "he_normal"}, seed=7)
    weight = fanin.Registry.get("normal", std=0.02)(net.first.weight.shape, seed=7, name="w", out=net.first.weight)
    return f"{table} {weight.requires_grad}"
