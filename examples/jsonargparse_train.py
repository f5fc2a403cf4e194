"""jsonargparse: schemes on the command line and in its config files, from nothing but type annotations.

    python examples/jsonargparse_train.py --init Normal --init.std 0.02
    python examples/jsonargparse_train.py --init jax:he_normal --bias Constant --bias.value 0.1
    python examples/jsonargparse_train.py --init Normal --init.std 0.02 --print_config > config.yaml
    python examples/jsonargparse_train.py --config config.yaml --seed 7

In a file a scheme is a `class_path`, such as fanin.Normal, and its `init_args`. `--init.help Normal` lists those. With
`| str` in the annotation a name of fanin's registry will do; of the parameters of a named scheme none can be changed,
except with the class path fanin.Registry.get.
"""

from pathlib import Path

import numpy as np
from jsonargparse import auto_cli

import fanin


def train(init: fanin.Initializer | str = "he_normal", bias: fanin.Initializer | str = "zeros", width: int = 64,
          seed: int = 0, output: Path | None = None) -> None:
    """Initialize a layer.

    Args:
        init: the scheme of the weight.
        bias: the scheme of the bias.
        width: of the layer.
        seed: an int in [0, 2**64).
        output: an .npz file for the weights.
    """
    schemes = {"weight": fanin.Registry.get(init), "bias": fanin.Registry.get(bias)}
    shapes = {"weight": (width, 2 * width), "bias": (width,)}
    weights = {name: scheme(shapes[name], seed=seed, name=name) for name, scheme in schemes.items()}
    for name, scheme in schemes.items():
        print(f"{name}: {scheme}")
    if output is not None:
        np.savez(output, **weights)


if __name__ == "__main__":
    auto_cli(train)
