"""pydantic: schemes as fields of a model's config, read from JSON and written to it.

    python examples/pydantic_config.py               # the config below, complete, as JSON
    python examples/pydantic_config.py config.json   # likewise, of a file

A field takes a scheme, a name, {"name": …} with parameters, or a scheme's own config, and is written as that config.
"""

import sys
from pathlib import Path

import numpy as np
from pydantic import BaseModel

import fanin

CONFIG = """
{
  "seed": 7,
  "parameters": {
    "encoder.weight": {"shape": [64, 32]},
    "encoder.bias": {"shape": [64], "init": "zeros"},
    "embedding.weight": {"shape": [1000, 64], "init": {"name": "normal", "std": 0.02}}
  }
}
"""


class ParameterConfig(BaseModel):
    shape: tuple[int, ...]
    init: fanin.Initializer = fanin.Registry.get("he_normal")


class ModelConfig(BaseModel):
    seed: int = 0
    parameters: dict[str, ParameterConfig]

    def draw(self) -> dict[str, np.ndarray]:
        return {name: parameter.init(parameter.shape, seed=self.seed, name=name)
                for name, parameter in self.parameters.items()}


if __name__ == "__main__":
    text = Path(sys.argv[1]).read_text("utf-8") if sys.argv[1:] else CONFIG
    config = ModelConfig.model_validate_json(text)
    print(config.model_dump_json(indent=2))
    for name, weights in config.draw().items():
        print(f"{name}: std {weights.std():.4f}", file=sys.stderr)
