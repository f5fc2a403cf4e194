"""Names for type checkers and editors, never imported when fanin runs; a test holds them to the files here."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from .._initializers import Initializer
from .._initializers.names import Name
from ._rules import Rules

RuleSet: TypeAlias = Literal[  # and recipes
    "bert", "completep", "deepnorm", "deepnorm-encoder-decoder", "deepseek-v3", "fixup", "gemma", "gpt-oss", "gpt2",
    "llama", "lora", "mamba", "megatron", "modernbert", "mup", "nanochat", "olmo-fan-in", "olmo-llama",
    "olmo-llama-depth", "olmo-normal", "onnx", "qwen", "resnet", "t5", "torch", "torchtitan-llama3", "transformer",
    "vit", "whisper",
]
# What `Rules.of` takes, and all that take rules: one word, a file, entries, a config.
RulesLike: TypeAlias = Rules | Initializer | RuleSet | Name | str | os.PathLike[str] | Mapping[str, Any] | Sequence[Any]
