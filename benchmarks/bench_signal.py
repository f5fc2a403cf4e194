"""`fanin.torch.signal` beside a plain forward and backward pass: `python -m benchmarks.bench_signal`."""

import argparse

import torch
from torch import nn

from fanin.torch import signal

from .tables import table
from .timing import best_calls

TARGET = 3.0  # times the plain pass


def mlp():
    """40 ReLU layers of width 256, a batch of 256."""
    layers = [layer for _ in range(40) for layer in (nn.Linear(256, 256), nn.ReLU())]
    return nn.Sequential(*layers), torch.randn(256, 256)


def convolutions():
    """16 convolutions with BatchNorm of 64 channels, 8 images of 32 × 32."""
    layers = [layer for _ in range(15) for layer in (nn.Conv2d(64, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU())]
    return nn.Sequential(nn.Conv2d(3, 64, 3, padding=1), *layers), torch.randn(8, 3, 32, 32)


def transformer():
    """6 encoder layers of width 256, 8 sequences of 128 tokens."""
    layer = nn.TransformerEncoderLayer(256, 4, 1024, batch_first=True)
    return nn.TransformerEncoder(layer, 6, enable_nested_tensor=False), torch.randn(8, 128, 256)


def wide():
    """3 layers of width 4096, a batch of 8."""
    return nn.Sequential(*(nn.Linear(4096, 4096) for _ in range(3))), torch.randn(8, 4096)


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_signal", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="for each model (10)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for make in (mlp, convolutions, transformer, wide):
        model, batch = make()

        def plain(model=model, batch=batch):
            model(batch).sum().backward()

        works = {"plain": plain, "signal": lambda model=model, batch=batch: signal(model, batch)}
        seconds = best_calls(works, calls=1, budget=options.seconds)
        ratio = seconds["signal"] / seconds["plain"]
        rows.append([make.__doc__.rstrip("."), seconds["plain"] * 1e3, seconds["signal"] * 1e3, ratio,
                     "yes" if ratio <= TARGET else "**no**"])
    print(table(["milliseconds, one core", "forward and backward", "signal", "ratio", f"≤ {TARGET:g}"], rows))


if __name__ == "__main__":
    main()
