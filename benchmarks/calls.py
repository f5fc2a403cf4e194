"""Section `calls`: small draws, where the way to the kernel costs more than the kernel."""

import numpy as np

import fanin

from .libraries import scheme_work, torch
from .tables import ratio, table
from .timing import best_calls

SHAPES = ((64, 64), (64, 128), (32, 16, 3, 3), (128, 32), (16, 16))  # of the model's tensors, over and over
TENSORS = 500
LAYERS = 500  # of a module: Linear(16, 16), which has two tensors
MODULE = f"a module of {2 * LAYERS:,} small tensors"
SLOPE = 5**0.5  # torch.nn.Linear's own: kaiming_uniform_(weight, a=sqrt(5))


def measure(settings):
    """[{"label", library: seconds}] for each row."""
    scheme = fanin.Registry.get("torch_default")
    out = np.empty((64, 64), np.float32)
    one = {"fanin": scheme_work(scheme, out)}
    names = [f"layers.{i}.weight" for i in range(TENSORS)]
    arrays = [np.empty(SHAPES[i % len(SHAPES)], np.float32) for i in range(TENSORS)]
    model = {"fanin": lambda: [scheme(array.shape, out=array, seed=1, name=name) for name, array in zip(names, arrays)]}
    if torch is not None:
        draw = torch.nn.init.kaiming_uniform_
        tensor, tensors = torch.empty(64, 64), [torch.empty(array.shape) for array in arrays]
        one["fanin, into a tensor"] = scheme_work(scheme, tensor)
        one["torch"] = lambda: draw(tensor, a=SLOPE)
        model["fanin, into a tensor"] = \
            lambda: [scheme(tensor.shape, out=tensor, seed=1, name=name) for name, tensor in zip(names, tensors)]
        model["torch"] = lambda: [draw(tensor, a=SLOPE) for tensor in tensors]
    budget = 0.05 if settings.quick else 1.0
    return [{"label": "one call on (64, 64)"} | best_calls(one, budget=budget),
            {"label": f"a model of {TENSORS} small tensors, named"} | best_calls(model, calls=1, budget=budget),
            *(_whole_modules(budget) if torch is not None else [])]


def _whole_modules(budget):
    """`init_module` against torch's own reset of each layer: by two rules, and by all those of torch's own layers."""
    from fanin.torch import init_module

    module = torch.nn.Sequential(*[torch.nn.Linear(16, 16) for _ in range(LAYERS)])

    def reset():
        for layer in module:
            layer.reset_parameters()

    works = {"torch": reset, "two rules": lambda: init_module(module, {"*.bias": "zeros", "*": "he_normal"}, seed=1),
             "as torch": lambda: init_module(module, "torch", seed=1)}
    seconds = best_calls(works, calls=1, budget=budget)
    return [{"label": label, "fanin, into a tensor": seconds[name], "torch": seconds["torch"]}
            for label, name in ((MODULE, "two rules"), (f"{MODULE}, by the rules `torch`", "as torch"))]


def tables(results):
    header = ["microseconds", "fanin, into a numpy array", "fanin, into a torch tensor", "torch", "fanin / torch"]
    rows = []
    for row in results:
        times = [row.get(name) for name in ("fanin", "fanin, into a tensor", "torch")]
        rows.append([row["label"], *(time and time * 1e6 for time in times), ratio(times[1], times[2])])
    return table(header, rows)
