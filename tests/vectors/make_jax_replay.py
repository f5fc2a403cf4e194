"""Record what JAX draws, in tests/vectors/jax_replay.json: keys, words, and digests of float32 arrays.

Run it by hand with JAX 0.10.2 installed, on a CPU with fused multiply-add: `python tests/vectors/make_jax_replay.py`.
"""

import hashlib
import json
from pathlib import Path

import jax
import numpy as np

SHAPES = [[1, 1], [2, 3], [33, 1], [127, 65], [3, 3, 16, 32]]
FACTORIES = [
    ("uniform", [0.3], {}),
    ("normal", [0.02], {}),
    ("truncated_normal", [0.5], {}),
    ("truncated_normal", [1.0], {"lower": -1.0, "upper": 3.0}),
    ("truncated_normal", [0.1], {"lower": 0.5, "upper": 4.5}),
    ("glorot_uniform", [], {}), ("glorot_normal", [], {}),
    ("lecun_uniform", [], {}), ("lecun_normal", [], {}),
    ("he_uniform", [], {}), ("he_normal", [], {}),
    ("variance_scaling", [1.7, "fan_out", "normal"], {}),
    ("variance_scaling", [1.7, "fan_geo_avg", "uniform"], {"in_axis": 0, "out_axis": 1}),
    ("variance_scaling", [0.3, "fan_avg", "truncated_normal"], {"in_axis": [0], "out_axis": [-1], "batch_axis": []}),
]

ORTHOGONAL = [
    ("orthogonal", [5, 3], {}),
    ("orthogonal", [3, 5], {"scale": 2.0}),
    ("orthogonal", [2, 3, 4], {"column_axis": 1}),
    ("delta_orthogonal", [2, 3, 4], {}),
    ("delta_orthogonal", [3, 2, 3, 3], {"scale": -0.5, "column_axis": 0}),
]


def digest(array):
    return hashlib.blake2b(np.ascontiguousarray(array).tobytes(), digest_size=8).hexdigest()


def words(key):
    return np.asarray(jax.random.key_data(key)).tolist()


def record(seed, partitionable):
    jax.config.update("jax_threefry_partitionable", partitionable)
    key = jax.random.key(seed)
    draws = [[digest(getattr(jax.nn.initializers, name)(*args, **kwargs)(key, tuple(shape))) for shape in SHAPES]
             for name, args, kwargs in FACTORIES]
    matrices = [getattr(jax.nn.initializers, name)(**kwargs)(key, tuple(shape)) for name, shape, kwargs in ORTHOGONAL]
    orthogonal = [{"factory": name, "shape": shape, "kwargs": kwargs, "values": matrix.tolist()}
                  for (name, shape, kwargs), matrix in zip(ORTHOGONAL, matrices)]
    return {
        "seed": seed, "partitionable": partitionable, "key": words(key),
        "split": words(jax.random.split(key, 5)), "split_shape": words(jax.random.split(key, (2, 3))),
        "fold_in": [[data, words(jax.random.fold_in(key, data))] for data in (0, 1, 12345, 2**32 - 1)],
        "bits": [[count, digest(jax.random.bits(key, (count,)))] for count in (1, 2, 7, 64, 1001)],
        "draws": draws, "orthogonal": orthogonal,
    }


def main():
    records = [record(seed, partitionable) for seed in (0, 42, 2**32 + 5, -3) for partitionable in (True, False)]
    path = Path(__file__).with_name("jax_replay.json")
    lines = ",\n".join(json.dumps(entry) for entry in records)
    head = {"jax": jax.__version__, "shapes": SHAPES, "factories": FACTORIES}
    path.write_text(f'{json.dumps(head)[:-1]}, "records": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
