"""Dask's schedulers that use processes, for test_dask.py: `python dask_processes.py spawn|forkserver|cluster`.

A program of its own: what it defines is nowhere to be imported from, as in a notebook, and a hang ends with it.
"""

import sys

import dask
import numpy as np
from distributed import Client, LocalCluster

import fanin.dask
from fanin import Initializer, Registry
from fanin.math import log

SHAPE = (50, 24)
TALL = (2**19, 2**10)  # 2 GiB in chunks of 32 MiB


@fanin.sampler
def exponential(u, scale):
    return -scale * log(u)


class Exponential(Initializer):
    """A user's own scheme and distribution, unregistered."""

    def __init__(self, scale=1.0):
        self.scale = scale

    def plan(self, spec):
        return spec.draw(exponential, self.scale)


def several():
    """Arrays of several schemes and dtypes, and what they should be."""
    for init, dtype in (("he_normal", "float32"), ("normal", "bfloat16"), (Exponential(2.0), "float64")):
        yield fanin.dask.array(init, SHAPE, (20, 9), dtype=dtype, seed=3, name="w"), \
            Registry.get(init)(SHAPE, dtype, seed=3, name="w")


def assert_same(found, expected):
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    assert found.tobytes() == expected.tobytes()


def by_processes(context):
    arrays, expected = zip(*several())

    with dask.config.set({"multiprocessing.context": context}):
        computed = dask.compute(*arrays, scheduler="processes", num_workers=2)

    for one, other in zip(computed, expected):
        assert_same(one, other)


def by_a_cluster():
    tall = fanin.dask.array("normal", TALL, (2**13, -1), seed=3, name="w")
    normal = Registry.get("normal")
    normal(2**20, seed=0)  # compiled here, so that no worker takes the memory that a compiler takes
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, memory_limit="800MiB", dashboard_address=None)

    with cluster, Client(cluster) as client:
        for array, expected in several():
            assert_same(array.compute(), expected)
        largest, column = dask.compute(tall.max(), tall[::2**9, 7])
        assert len(client.scheduler_info()["workers"]) == 2

    assert 5 < largest <= 6.764  # all that there are; 2**29 normal numbers stay below 5 with probability exp(-154)
    assert_same(column, normal.shard(TALL, (slice(None, None, 2**9), 7), seed=3, name="w"))
    assert np.isfinite(column).all()


if __name__ == "__main__":
    by_a_cluster() if sys.argv[1] == "cluster" else by_processes(sys.argv[1])
