"""One of two processes with four devices each: python jax_two_processes.py NUMBER PORT FILE. Writes what it found.

test_jax_arrays.py starts both.
"""

import json
import sys
import zlib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

import fanin
import fanin.jax
from fanin import FaninError, Initializer, Registry

SHAPE = (64, 48)
SPECS = {"rows": P("x"), "blocks": P("x", "y"), "columns": P(None, "y"), "over both": P(None, ("y", "x")), "whole": P()}


@jax.jit
def fingerprint(array):
    """A sum of the bit patterns, each times its place: exact, in any order of summation."""
    words = jax.lax.bitcast_convert_type(array, jnp.uint32)
    return jnp.sum(words * (jnp.arange(words.size, dtype=jnp.uint32).reshape(words.shape) * 2 + 1), dtype=jnp.uint32)


class Net(nnx.Module):
    def __init__(self):
        self.first = nnx.Linear(64, 48, rngs=nnx.Rngs(0))
        self.second = nnx.Linear(48, 8, rngs=nnx.Rngs(0))


def counted():
    """The elements that this process draws, from now on."""
    drawn, shard = [], Initializer.shard

    def count(self, shape, index, *args, **kwargs):
        drawn.append(int(np.broadcast_to(0, shape)[index].size))
        return shard(self, shape, index, *args, **kwargs)

    Initializer.shard = count
    return drawn


def refusal(call):
    try:
        return repr(call())
    except FaninError as error:
        return str(error)


def main():
    number, port, path = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(f"127.0.0.1:{port}", num_processes=2, process_id=number)
    mesh = Mesh(np.array(jax.devices()).reshape(4, 2), ("x", "y"))
    he, drawn, found = Registry.get("he_normal"), counted(), {"devices": jax.device_count(), "arrays": {}}

    for case, spec in SPECS.items():
        drawn.clear()
        array = fanin.jax.make_array(he, SHAPE, NamedSharding(mesh, spec), seed=7, name="w")
        own = sorted((str(shard.index), zlib.crc32(np.asarray(shard.data).tobytes()))
                     for shard in array.addressable_shards)
        found["arrays"][case] = {"drawn": list(drawn), "fingerprint": int(fingerprint(array)), "own": own}

    # a key is the same in both processes; inside jit each device draws its own part, or the first one the whole
    init, sharding = fanin.jax.initializer("he_normal"), NamedSharding(mesh, P("x", "y"))
    key = jax.random.key_data(jax.random.key(5))
    drawn.clear()
    parts = jax.jit(lambda key: init(key, SHAPE, jnp.float32, sharding))(np.asarray(key)).block_until_ready()
    found["jitted parts"] = {"drawn": list(drawn), "fingerprint": int(fingerprint(parts))}
    drawn.clear()
    whole = jax.jit(lambda key: init(key, SHAPE), out_shardings=sharding)(np.asarray(key)).block_until_ready()
    found["jitted whole"] = {"drawn": list(drawn), "fingerprint": int(fingerprint(whole))}

    model = nnx.eval_shape(Net)
    drawn.clear()
    fanin.jax.init_model(model, {"*.bias": "zeros", "*": "he_normal"}, seed=7, shardings=lambda parameter:
                         NamedSharding(mesh, P("x", "y") if len(parameter.shape) == 2 else P("x")))
    found["model"] = {"drawn": sum(drawn), "fingerprints": {
        ".".join(path): int(fingerprint(each.get_value())) for path, each in nnx.to_flat_state(nnx.state(model))}}

    # an array that lives in the first process alone is made in both, as each runs the same program
    first = Mesh(np.array(jax.devices()[:4]), ("x",))
    elsewhere = fanin.jax.make_array(he, SHAPE, NamedSharding(first, P("x")), seed=7, name="w")
    found["elsewhere"] = [list(elsewhere.shape), str(elsewhere.dtype), len(elsewhere.addressable_shards)]

    found["no seed"] = refusal(lambda: fanin.jax.make_array(he, SHAPE, sharding, name="w"))
    found["no seed, model"] = refusal(lambda: fanin.jax.init_model(
        nnx.eval_shape(Net), fanin.Uniform(), shardings=NamedSharding(mesh, P())))
    found["no seed, here"] = refusal(lambda: fanin.jax.make_array(he, SHAPE, name="w").shape)

    multihost_utils.sync_global_devices("done")
    Path(path).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
