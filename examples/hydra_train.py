"""Hydra: schemes in YAML, changed on the command line.

    python examples/hydra_train.py
    python examples/hydra_train.py init=normal init.std=0.1 seed=7
    python examples/hydra_train.py --multirun init=normal init.std=0.01,0.02 seed=0,1

Each run leaves its weights beside the config that Hydra saves, under outputs/ or multirun/.
"""

from pathlib import Path

import hydra
import numpy as np
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig


@hydra.main(version_base="1.3", config_path="hydra_conf", config_name="train")
def main(config: DictConfig) -> None:
    model = instantiate(config.model)  # every `_target_` in it has become what it names
    weights = {}
    for layer, parameters in model.items():
        for kind, parameter in parameters.items():
            name = f"{layer}.{kind}"
            weights[name] = parameter.init(parameter.shape, seed=config.seed, name=name)
            print(f"{name}: {parameter.init}")
    np.savez(Path(HydraConfig.get().runtime.output_dir, "weights.npz"), **weights)


if __name__ == "__main__":
    main()
