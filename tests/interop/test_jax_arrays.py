"""`fanin.jax.make_array`: on the default device, on eight devices, and over two processes that talk to each other."""

import json
import os
import socket
import subprocess
import sys
import zlib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fanin
import fanin.jax
from fanin import FaninError, Normal, Registry, Stream

HERE = Path(__file__).parent
SHAPE = (64, 48)


def environment(devices):
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"
    return os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}


def test_on_eight_devices():
    """jax_on_eight_devices.py: arrays, initializers and models over meshes. The number of devices is a process' own."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", HERE / "jax_on_eight_devices.py"],
        env=environment(8), cwd=HERE.parent.parent, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and " passed" in done.stdout, done.stdout[-6000:] + done.stderr[-2000:]


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    """What each of two processes with four devices found."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    folder = tmp_path_factory.mktemp("two")
    paths = [folder / f"{number}.json" for number in range(2)]
    running = [subprocess.Popen([sys.executable, HERE / "jax_two_processes.py", str(number), port, path],
                                env=environment(4), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
               for number, path in enumerate(paths)]
    try:
        texts = [process.communicate(timeout=180)[0] for process in running]
    finally:
        for process in running:
            process.kill()
    assert [process.returncode for process in running] == [0, 0], "\n".join(texts)[-6000:]
    return [json.loads(path.read_text()) for path in paths]


def fingerprint(array):
    words = array.view(np.uint32)
    return int((words * (np.arange(words.size, dtype=np.uint32).reshape(words.shape) * 2 + 1)).sum(dtype=np.uint32))


# spec -> the sizes of the parts that each process draws
DRAWN = {"rows": [16 * 48] * 2, "blocks": [16 * 24] * 4, "columns": [64 * 24] * 2, "over both": [64 * 6] * 4,
         "whole": [64 * 48]}


@pytest.mark.parametrize("case", DRAWN)
def test_over_two_processes(case, two_processes):
    """Each process draws only its own devices' parts, replicas once; a jitted sum over all sees the whole draw."""
    whole = Registry.get("he_normal")(SHAPE, seed=7, name="w")
    for found in two_processes:
        found = found["arrays"][case]
        assert found["drawn"] == DRAWN[case]
        assert found["fingerprint"] == fingerprint(whole)
        assert len(found["own"]) == 4
        for index, digest in found["own"]:
            assert digest == zlib.crc32(whole[eval(index)].tobytes())


def test_the_initializer_over_two_processes(two_processes):
    """With `out_sharding` each device draws its part; without it one process draws the whole and sends it."""
    drawn = [found["jitted parts"].pop("drawn") for found in two_processes]
    assert drawn == [[16 * 24] * 4] * 2
    assert sorted(found["jitted whole"].pop("drawn") for found in two_processes) == [[], [64 * 48]]
    expected = {"fingerprint": fingerprint(Registry.get("jax:he_normal")(SHAPE, seed=5 << 32))}
    assert all(found["jitted parts"] == found["jitted whole"] == expected for found in two_processes)


def test_a_model_over_two_processes(two_processes):
    """Half of it is drawn in each, and the parameters are those of a model in one process."""
    jax_he = Registry.get("jax:he_normal")
    for found in two_processes:
        assert found["model"]["drawn"] == (64 * 48 + 48 * 8 + 48 + 8) // 2
        assert found["model"]["fingerprints"] == {
            "first.bias": 0, "first.kernel": fingerprint(jax_he((64, 48), seed=7, name="first.kernel")),
            "second.bias": 0, "second.kernel": fingerprint(jax_he((48, 8), seed=7, name="second.kernel"))}


def test_an_array_of_one_process_alone(two_processes):
    """The other one, which has no part of it, draws nothing and has the same array by name."""
    assert sorted(found["elsewhere"][2] for found in two_processes) == [0, 4]
    assert all(found["elsewhere"][:2] == [list(SHAPE), "float32"] for found in two_processes)


def test_no_seed_over_two_processes(two_processes):
    """The default stream differs between processes: it is refused, except for an array of this process alone."""
    for found in two_processes:
        assert found["devices"] == 8
        assert found["no seed"].startswith("`seed` must be") and found["no seed, model"] == found["no seed"]
        assert found["no seed, here"] == "(64, 48)"


# -- on the default device --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "complex64", jnp.bfloat16, np.dtype("float16"),
                                   jnp.dtype("float32"), None, float, complex])
def test_dtypes(dtype):
    """By name, numpy's and JAX's; Python's float and complex are the default ones."""
    array = fanin.jax.make_array(Normal(), SHAPE, dtype=dtype, seed=3, name="w")
    expected = Normal()(SHAPE, {None: "float32", float: "float32", complex: "complex64"}.get(dtype, dtype), seed=3,
                        name="w")
    assert array.dtype == expected.dtype and np.asarray(array).tobytes() == expected.tobytes()
    assert not array.committed and array.devices() == {jax.devices()[0]}


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_wide_types_need_x64(dtype):
    """They are refused, not narrowed, while JAX has none; with them on they are drawn."""
    with pytest.raises(FaninError, match=f"`dtype` .*{dtype}.*jax_enable_x64"):
        fanin.jax.make_array(Normal(), SHAPE, dtype=dtype, seed=3)
    with jax.enable_x64(True):
        array = fanin.jax.make_array(Normal(), SHAPE, dtype=dtype, seed=3, name="w")
        assert array.dtype == dtype
        assert np.asarray(array).tobytes() == Normal()(SHAPE, dtype, seed=3, name="w").tobytes()


INITS = {
    "name": ("he_normal", "*io"), "torch's": ("torch:kaiming_normal", "oi*"), "jax's": ("jax:he_normal", "*io"),
    "table": ({"name": "he_normal"}, "*io"), "table with a layout": ({"name": "he_normal", "layout": "oi*"}, "oi*"),
    "config": ({"scheme": "variance_scaling", "version": 1, "scale": 2.0}, "*io"),
    "scheme": (fanin.VarianceScaling(2.0), "oi*"),
}


@pytest.mark.parametrize("case", INITS)
def test_names_mean_jaxs_axes_and_schemes_what_they_say(case):
    init, layout = INITS[case]
    expected = Registry.get(init).replace(layout=layout)(SHAPE, seed=0, name="w")
    assert (np.asarray(fanin.jax.make_array(init, SHAPE, seed=0, name="w")) == expected).all()


def test_a_scheme_that_is_not_registered():
    """A class of one's own needs no name."""
    class Half(fanin.Initializer):
        def plan(self, spec):
            return Normal(0.0, 0.5).plan(spec)

    expected = Normal(0.0, 0.5)(SHAPE, seed=0, name="w")
    assert (np.asarray(fanin.jax.make_array(Half(), SHAPE, seed=0, name="w")) == expected).all()
    assert fanin.jax.initializer(Half()).scheme == Half()


def test_a_device_is_a_place():
    array = fanin.jax.make_array("normal", SHAPE, jax.devices()[0], seed=0)
    assert array.committed and array.sharding == jax.sharding.SingleDeviceSharding(jax.devices()[0])


@pytest.mark.parametrize("arguments, error", [
    ({"shape": (-1,)}, "`shape`"), ({"shape": (2,)}, "`shape`"), ({"dtype": "int32"}, "int32"),
    ({"dtype": "nope"}, "`dtype`"), ({"seed": -1}, "`seed`"), ({"seed": 1.5}, "`seed`"), ({"name": 3}, "`name`"),
    ({"init": 3}, "`init`"), ({"init": "he_norml"}, "he_normal"), ({"sharding": "cpu"}, "`sharding`"),
    ({"init": Normal(0.0, 1e6), "dtype": "float16"}, "float16"),
])
def test_refused(arguments, error):
    """In one line, before a stream moves."""
    stream = Stream(0)
    call = {"init": "he_normal", "shape": SHAPE, "sharding": None, "seed": stream} | arguments
    with pytest.raises(FaninError, match=error) as caught:
        fanin.jax.make_array(call.pop("init"), call.pop("shape"), call.pop("sharding"), **call)
    assert "\n" not in str(caught.value) and stream.position == 0
