"""What low-rank adapters start from, told by peft's names: as the identity, so B is zero, and an embedding's A."""

from __future__ import annotations

import re

from .._initializers import Constant, Initializer, Normal, VarianceScaling

# The part after the adapted layer's name -> its law (LoRA, arXiv 2106.09685, and peft's `reset_lora_parameters`).
_LAWS: dict[str, Initializer] = {
    "lora_A": VarianceScaling(1 / 3, "fan_in", "uniform"),  # U(-1/sqrt(fan_in), 1/sqrt(fan_in))
    "lora_B": Constant(0.0),
    "lora_embedding_A": Constant(0.0),
    "lora_embedding_B": Normal(),
}
_NAME = re.compile(rf"(?:.*\.)?({'|'.join(_LAWS)})(?:\..*)?")


def start_of_adapter(name: str) -> Initializer | None:
    """The scheme that an adapter's parameter starts from, or None for other parameters.

    >>> start_of_adapter("layers.0.q_proj.lora_B.default.weight")
    Constant(value=0.0)
    """
    match = _NAME.fullmatch(name) if "lora_" in name else None  # which is told much faster, and of all parameters
    return _LAWS[match[1]] if match else None
