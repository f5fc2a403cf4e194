"""Small models of every architecture that transformers has: two layers, few words, narrow where it must be."""

import re

import torch
import transformers
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

SMALL, LARGEST = 8_000_000, 64_000_000  # parameters
NAMES = sorted(CONFIG_MAPPING)
AUTOS = [getattr(transformers, name) for name in dir(transformers) if re.fullmatch(r"AutoModel(For\w+)?", name)]
AUTOS.sort(key=lambda auto: (auto is not transformers.AutoModelForCausalLM, auto is not transformers.AutoModel))

_LAYERS = re.compile(r"num_.*(layers|blocks)|n_layers?|.*_layers|depth|num_layers")
_EXPERTS = re.compile(r"num_(local_|routed_)?experts|n_routed_experts|moe_num_experts")
_WIDTHS = re.compile(r".*(hidden|intermediate|ffn|embed|d_model|d_ff|dim|n_embd|inner|channels|width|size).*")
_HEADS = re.compile(r"(num_.*|n_)heads?|.*_heads")
_STDS = {"initializer_range", "init_std", "init_method_std"}


def build(name, device):
    """The widest model of an architecture that is small, or else the smallest; None where no Auto class makes one."""
    sizes, failure = {}, None
    for factor in (1, 4, 8, 16, 32, 64):
        try:
            model = _build(_shrunk(CONFIG_MAPPING[name](), factor), "meta")
        except Exception as error:  # a width that doesn't fit the others
            failure = failure or error
            continue
        if model is None:
            return None
        sizes[factor] = sum(each.numel() for each in model.parameters())
        if sizes[factor] <= SMALL:
            break
    if not sizes:
        raise failure
    factor = min(sizes, key=lambda factor: max(sizes[factor], SMALL))
    if sizes[factor] > LARGEST:
        raise ValueError(f"{sizes[factor]:,} parameters are too many")
    return _build(_shrunk(CONFIG_MAPPING[name](), factor), device)


def _build(config, device):
    for auto in AUTOS:
        if type(config) in auto._model_mapping:
            with torch.device(device):
                return auto.from_config(config)
    return None


def _shrunk(config, factor):
    for key, value in list(vars(config).items()):
        if isinstance(value, transformers.PretrainedConfig):
            _shrunk(value, factor)
        elif key in _STDS and isinstance(value, float):
            setattr(config, key, 0.02)
        elif isinstance(value, list) and key.endswith("_types") or key == "layers_block_type":
            if isinstance(value, list):
                setattr(config, key, value[:2])
        elif type(value) is int and value > 2:
            setattr(config, key, _smaller(key, value, factor))
    return config


def _smaller(key, value, factor):
    if key.endswith("token_id"):
        return value if value < 512 else 3
    if _LAYERS.fullmatch(key):
        return 2
    if _EXPERTS.fullmatch(key):
        return min(value, 8)
    if key == "vocab_size":
        return min(value, 512)
    if _HEADS.fullmatch(key):
        return max(1, value // factor)
    if _WIDTHS.fullmatch(key) and value >= 256 and value % factor == 0:
        return value // factor
    return value
