"""Records what torch.nn.init draws, for tests that run without torch: `python tests/vectors/make_torch_replay.py`.

Run it where torch has AVX2 (`torch.backends.cpu.get_cpu_capability()`). CALLS are made one after another after each
seed; of each result the digest is recorded, and at the end the digest of torch's state.
"""

import hashlib
import json
from pathlib import Path

SEEDS = (0, 1, 2**32 + 7, -3)
_ROOT5 = 5**0.5
# (function, shape, axes that the tensor's memory is ordered by, dtype, arguments)
CALLS = [
    *(("uniform_", [n], None, dtype, {"a": -0.3, "b": 1.7})
      for n in (1, 3, 16, 625) for dtype in ("float32", "float64", "float16", "bfloat16")),
    *(("normal_", [n], None, dtype, {"mean": 0.1, "std": 0.7})
      for n in (1, 2, 15, 16, 17, 31, 33, 2000) for dtype in ("float32", "float16", "bfloat16")),
    ("xavier_uniform_", [30, 20], None, "float32", {"gain": 1.3}),
    ("xavier_normal_", [4, 3, 5], [2, 0, 1], "float32", {}),
    ("kaiming_uniform_", [6, 5, 3, 3], [0, 2, 3, 1], "float32", {"a": _ROOT5}),
    ("kaiming_normal_", [30, 7], None, "bfloat16", {"mode": "fan_out", "nonlinearity": "relu"}),
    *(("trunc_normal_", [20, 10], axes, dtype, {"mean": 0.1, "std": 0.5, "a": a, "b": 0.9})
      for axes in (None, [1, 0]) for dtype in ("float32", "float16", "bfloat16") for a in (-0.4, 0.7)),
    ("sparse_", [10, 6], None, "float32", {"sparsity": 0.3, "std": 0.2}),
    ("sparse_", [10, 6], [1, 0], "float16", {"sparsity": 0.25}),
]


def digest(data):
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def main():
    import torch

    records = []
    for seed in SEEDS:
        torch.manual_seed(seed)
        draws = []
        for name, shape, axes, dtype, arguments in CALLS:
            order = axes or list(range(len(shape)))
            tensor = torch.empty([shape[axis] for axis in order], dtype=getattr(torch, dtype))
            tensor = tensor.permute([order.index(axis) for axis in range(len(shape))])
            getattr(torch.nn.init, name)(tensor, **arguments)
            draws.append(digest(tensor.contiguous().view(torch.uint8).numpy().tobytes()))
        records.append({"seed": seed, "draws": draws, "state": digest(torch.get_rng_state().numpy().tobytes())})
    text = json.dumps({"torch": torch.__version__, "cpu": torch.backends.cpu.get_cpu_capability(), "records": records},
                      indent=1)
    Path(__file__).with_name("torch_replay.json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
