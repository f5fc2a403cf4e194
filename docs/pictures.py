"""Draws the pictures of the documentation that fanin itself makes: `python docs/pictures.py` writes docs/signal.svg.

It needs torch and matplotlib: `pip install '.[torch,plot]'`.
"""

import argparse
from pathlib import Path

import torch

import fanin
from fanin._report import figure
from fanin.torch import signal

FOLDER = Path(__file__).parent
DEPTH, WIDTH, BATCH = 40, 256, 64
COMPARED = {
    "torch's default": "torch",
    "xavier_normal": {"*.bias": "zeros", "*": "xavier_normal"},
    "N(0, 0.02)": {"*.bias": "zeros", "*": {"name": "normal", "std": 0.02}},
    "he_normal": {"*.bias": "zeros", "*": "he_normal"},
}


def hero():
    """A 40-layer ReLU network of width 256 at four initializations, as an SVG that is the same on each run."""
    layers = [layer for _ in range(DEPTH) for layer in (torch.nn.Linear(WIDTH, WIDTH), torch.nn.ReLU())]
    batch = torch.from_numpy(fanin.Normal()((BATCH, WIDTH), seed=0, name="batch"))
    compared = signal(torch.nn.Sequential(*layers), batch, compare=COMPARED, seed=0)
    return figure.svg(compared.plot(), page=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the pictures go (docs)")
    options = parser.parse_args()
    (options.folder / "signal.svg").write_text(hero(), encoding="utf-8")


if __name__ == "__main__":
    main()
