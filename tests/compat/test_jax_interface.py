"""Names, signatures, returns and errors of `fanin.compat.jax` and `.flax`, against a table of JAX 0.10's."""

import inspect
import pickle
import subprocess
import sys

import numpy as np
import pytest

from fanin import FaninError
from fanin.compat import flax as ff
from fanin.compat import jax as fj

FACTORY_AXES = {"in_axis": -2, "out_axis": -1, "batch_axis": (), "dtype": None}
NO = inspect.Parameter.empty
INIT = {"key": NO, "shape": NO, "dtype": None, "out_sharding": None}
# every name of jax.nn.initializers with its parameters and defaults
SIGNATURES = {
    "zeros": INIT,
    "ones": INIT,
    "constant": {"value": NO, "dtype": None},
    "uniform": {"scale": 0.01, "dtype": None},
    "normal": {"stddev": 0.01, "dtype": None},
    "truncated_normal": {"stddev": 0.01, "dtype": None, "lower": -2.0, "upper": 2.0},
    "variance_scaling": {"scale": NO, "mode": NO, "distribution": NO, **FACTORY_AXES},
    "orthogonal": {"scale": 1.0, "column_axis": -1, "dtype": None},
    "delta_orthogonal": {"scale": 1.0, "column_axis": -1, "dtype": None},
    **{f"{family}_{kind}": FACTORY_AXES for family in ("glorot", "xavier", "lecun", "he", "kaiming")
       for kind in ("uniform", "normal")},
}
FACTORIES = {
    "constant": fj.constant(2), "uniform": fj.uniform(), "normal": fj.normal(), "truncated": fj.truncated_normal(),
    "scaling": fj.variance_scaling(1.0, "fan_avg", "normal"), "orthogonal": fj.orthogonal(), "he": fj.he_normal(),
}
KEY = fj.key(0)


def defaults(function):
    return {name: parameter.default for name, parameter in inspect.signature(function).parameters.items()}


@pytest.mark.parametrize("module", [fj, ff])
@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures_are_those_of_jax(module, name):
    """Every name has JAX's parameters, in order, with its defaults."""
    assert list(defaults(getattr(module, name)).items()) == list(SIGNATURES[name].items())


def test_factories_return_initializers_with_the_signature_of_jax():
    """init(key, shape, dtype, out_sharding), where the factory's dtype is the default."""
    assert defaults(fj.he_normal()) == INIT
    assert defaults(fj.he_normal(dtype="bfloat16")) == {**INIT, "dtype": "bfloat16"}
    assert isinstance(fj.he_normal(), fj.Initializer)
    assert isinstance(fj.zeros, fj.Initializer)


def test_aliases_are_the_same_functions():
    """As in JAX; and flax adds two functions that return zeros and ones."""
    assert fj.xavier_uniform is fj.glorot_uniform
    assert fj.xavier_normal is fj.glorot_normal
    assert fj.kaiming_uniform is fj.he_uniform
    assert fj.kaiming_normal is fj.he_normal
    assert ff.zeros_init() is ff.zeros is fj.zeros
    assert ff.ones_init() is ff.ones is fj.ones


@pytest.mark.parametrize("dtype", [None, "float32", "float16", "bfloat16", np.float32, float])
@pytest.mark.parametrize("name", [name for name in FACTORIES if name != "orthogonal"])
def test_a_call_returns_a_new_array(name, dtype):
    """Of the shape and dtype that were asked for; float is JAX's default type."""
    w = FACTORIES[name](KEY, (3, 4), dtype)

    assert type(w) is np.ndarray
    assert w.shape == (3, 4)
    assert w.dtype.name == {None: "float32", np.float32: "float32", float: "float32"}.get(dtype, dtype)
    assert w.flags.writeable
    assert not np.shares_memory(w, FACTORIES[name](KEY, (3, 4), dtype))


def test_the_dtype_of_a_call_wins_and_none_is_the_default_type():
    """An explicit None is float32, whatever the factory's dtype, as in JAX."""
    init = fj.normal(dtype="float16")

    assert init(KEY, 2).dtype == np.float16
    assert init(KEY, 2, "complex64").dtype == np.complex64
    assert init(KEY, 2, None).dtype == np.float32


@pytest.mark.parametrize(("dtype", "narrow"), [
    ("float64", "float32"), (np.complex128, "complex64"), (np.dtype(float), "float32")])
def test_types_of_64_bits_become_types_of_32(dtype, narrow):
    """With a warning, as in JAX with x64 off; the numbers are those of the narrow type."""
    with pytest.warns(UserWarning, match=f"becomes {narrow}"):
        w = fj.normal()(KEY, 5, dtype)

    assert w.dtype == narrow
    assert (w == fj.normal()(KEY, 5, narrow)).all()


def test_constants():
    """Zeros, ones and constants ignore the key, take any dtype, and broadcast arrays."""
    assert fj.zeros(None, (2, 3)).tolist() == [[0.0] * 3] * 2
    assert fj.ones("anything", 2, "bool").tolist() == [True, True]
    assert fj.constant(2.7)(None, 2, "int32").tolist() == [2, 2]
    assert fj.constant(np.arange(3))(None, (2, 3)).tolist() == [[0.0, 1.0, 2.0]] * 2
    assert fj.constant(1 + 2j, "complex64")(None, 1).tolist() == [1 + 2j]


@pytest.mark.parametrize("shape", [0, (0, 3), (3, 0, 2), (2, 3, 0)])
@pytest.mark.parametrize("dtype", ["float32", "float16", "complex64"])
def test_shapes_without_elements_are_empty_arrays(shape, dtype):
    """Also where JAX raises ZeroDivisionError."""
    rank = len(shape) if isinstance(shape, tuple) else 1
    inits = [fj.zeros, fj.normal(), fj.constant(1), *([fj.he_uniform(), fj.glorot_normal()] if rank > 1 else [])]
    inits += [fj.uniform(), fj.truncated_normal()] if dtype != "complex64" else []
    inits += [fj.orthogonal(), fj.orthogonal(column_axis=0)] if rank > 1 else []

    for init in inits:
        w = init(KEY, shape, dtype)

        assert w.size == 0
        assert w.shape == (shape if rank > 1 else (0,))
        assert w.dtype == dtype
    assert fj.delta_orthogonal()(KEY, (0, 2, 3)).shape == (0, 2, 3)
    assert fj.bits(KEY, 0).shape == (0,)


def test_rank_zero_and_int_shapes():
    """() is one number; an int is a shape of rank 1."""
    assert fj.normal()(KEY, ()).shape == ()
    assert fj.bits(KEY).shape == ()
    assert (fj.normal()(KEY, 3) == fj.normal()(KEY, (3,))).all()


ERRORS = {
    "mode": (lambda: fj.variance_scaling(1.0, "fan", "normal")(KEY, (2, 2)), ValueError, "`mode`"),
    "distribution": (lambda: fj.variance_scaling(1.0, "fan_in", "cauchy")(KEY, (2, 2)), ValueError, "`distribution`"),
    "negative scale": (lambda: fj.variance_scaling(-1.0, "fan_in", "normal"), ValueError, "`scale`"),
    "infinite stddev": (lambda: fj.normal(float("inf")), ValueError, "`stddev`"),
    "stddev overflows": (lambda: fj.normal(1e38)(KEY, 3), ValueError, "range of float32"),
    "scale overflows": (lambda: fj.variance_scaling(1e39, "fan_in", "normal")(KEY, (1, 1)), ValueError, "float32"),
    "uniform overflows": (lambda: fj.uniform(-1e39)(KEY, 3), ValueError, "range of float32"),
    "orthogonal overflows": (lambda: fj.orthogonal(1e39)(KEY, (3, 3)), ValueError, "range of float32"),
    "stddev no number": (lambda: fj.normal("1"), TypeError, "`stddev`"),
    "bounds in order": (lambda: fj.truncated_normal(lower=2.0, upper=-2.0), ValueError, "`lower`"),
    "rank": (lambda: fj.he_normal()(KEY, (3,)), ValueError, "at least 2 dimensions"),
    "rank 0": (lambda: fj.lecun_uniform()(KEY, ()), ValueError, "at least 2 dimensions"),
    "axis": (lambda: fj.he_normal(in_axis=5)(KEY, (3, 3)), IndexError, "`in_axis`"),
    "axis sequence": (lambda: fj.he_normal(in_axis=(-2,))(KEY, (3,)), IndexError, "`in_axis`"),
    "orthogonal rank": (lambda: fj.orthogonal()(KEY, (3,)), ValueError, "at least 2 dimensions"),
    "orthogonal axis": (lambda: fj.orthogonal(column_axis=4)(KEY, (3, 3)), IndexError, "`column_axis`"),
    "orthogonal half": (lambda: fj.orthogonal()(KEY, (3, 3), "bfloat16"), NotImplementedError, "`dtype`"),
    "orthogonal sharding": (lambda: fj.orthogonal()(KEY, (3, 3), None, 1), NotImplementedError, "`out_sharding`"),
    "delta rank": (lambda: fj.delta_orthogonal()(KEY, (3, 3)), ValueError, "3, 4 or 5"),
    "delta in > out": (lambda: fj.delta_orthogonal()(KEY, (3, 3, 2)), ValueError, "in <= out"),
    "uniform int": (lambda: fj.uniform()(KEY, 3, "int32"), ValueError, "`dtype`"),
    "uniform complex": (lambda: fj.uniform()(KEY, 3, "complex64"), ValueError, "`dtype`"),
    "truncated complex": (lambda: fj.truncated_normal()(KEY, 3, "complex64"), ValueError, "`dtype`"),
    "normal bool": (lambda: fj.normal()(KEY, 3, "bool"), ValueError, "`dtype`"),
    "he int": (lambda: fj.he_normal()(KEY, (3, 3), int), ValueError, "`dtype`"),
    "orthogonal int": (lambda: fj.orthogonal()(KEY, (3, 3), "int8"), ValueError, "`dtype`"),
    "no dtype": (lambda: fj.normal()(KEY, 3, "str"), TypeError, "`dtype`"),
    "negative shape": (lambda: fj.normal()(KEY, (-1, 2)), TypeError, "`shape`"),
    "float shape": (lambda: fj.normal()(KEY, (2.0, 2)), TypeError, "`shape`"),
    "no key": (lambda: fj.normal()(None, 3), TypeError, "`key`"),
    "an int as key": (lambda: fj.normal()(0, 3), TypeError, "`key`"),
    "key of int32": (lambda: fj.normal()(np.zeros(2, np.int32), 3), TypeError, "`key`"),
    "key of three words": (lambda: fj.normal()(np.zeros(3, np.uint32), 3), TypeError, "`key`"),
    "negative words": (lambda: fj.normal()((-1, 0), 3), TypeError, "`key`"),
    "several keys": (lambda: fj.normal()(fj.split(KEY), 3), ValueError, "`key`"),
    "constant shape": (lambda: fj.constant(np.zeros(4))(KEY, (2, 3)), ValueError, "`value`"),
    "complex constant": (lambda: fj.constant(1j)(KEY, 2), TypeError, "`dtype`"),
    "seed too large": (lambda: fj.key(2**63), OverflowError, "`seed`"),
    "seed too small": (lambda: fj.key(-2**63 - 1), OverflowError, "`seed`"),
    "seed no int": (lambda: fj.key(1.5), TypeError, "`seed`"),
    "seeds": (lambda: fj.key(np.array([1, 2])), TypeError, "`seed`"),
    "fold_in negative": (lambda: fj.fold_in(KEY, -1), OverflowError, "`data`"),
    "fold_in large": (lambda: fj.fold_in(KEY, 2**32), OverflowError, "`data`"),
    "fold_in array": (lambda: fj.fold_in(KEY, np.array([1, 2])), TypeError, "`data`"),
    "split negative": (lambda: fj.split(KEY, -1), ValueError, "`num`"),
    "split float": (lambda: fj.split(KEY, 2.0), TypeError, "`num`"),
    "layout": (lambda: fj.key(0, partitionable=1), TypeError, "`partitionable`"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors_are_those_of_jax_and_name_the_argument(case):
    """The builtin that JAX raises (or would: it returns NaN for a negative scale), as one line of fanin's."""
    call, builtin, words = ERRORS[case]
    with pytest.raises(builtin, match=words) as caught:
        call()

    assert isinstance(caught.value, FaninError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("seed", "words"), [
    (0, [0, 0]), (7, [0, 7]), (2**32 + 5, [0, 5]), (-1, [0, 2**32 - 1]), (-2**63, [0, 0]), (2**63 - 1, [0, 2**32 - 1]),
    (True, [0, 1]), (np.int64(-1), [0, 2**32 - 1]), (np.uint64(2**63), [0, 0]), (np.uint8(7), [0, 7]),
    (np.array(3), [0, 3]),
])
def test_the_low_32_bits_of_a_seed_count(seed, words):
    """As in JAX with x64 off, for negative and numpy integers too."""
    assert fj.key(seed).tolist() == words
    assert fj.key(seed, partitionable=False).tolist() == words


@pytest.mark.parametrize("raw", [np.array([3, 5], np.uint32), (3, 5), [3, 5]])
def test_a_raw_pair_of_words_is_a_key(raw):
    """In the partitionable layout."""
    key = fj.Key((3, 5))

    assert (fj.normal()(raw, 7) == fj.normal()(key, 7)).all()
    assert (fj.split(raw) == fj.split(key)).all()
    assert (fj.fold_in(raw, 1) == fj.fold_in(key, 1)).all()


def test_keys_keep_their_layout():
    """Through split, fold_in, indexing, iteration and pickling; arithmetic gives plain arrays."""
    key = fj.key(1, partitionable=False)
    first, second = fj.split(key)

    assert [k.partitionable for k in (first, second, fj.fold_in(key, 3), fj.split(key, (2, 2))[1, 0])] == [False] * 4
    assert not pickle.loads(pickle.dumps(key)).partitionable
    assert type(key == key) is np.ndarray
    assert isinstance(key[1], np.uint32)
    assert repr(key) == "Key([0, 1], partitionable=False)"
    with pytest.raises(ValueError, match="read-only"):
        key[0] = 1


@pytest.mark.parametrize("init", [
    fj.he_normal(), fj.constant(np.arange(3)), fj.truncated_normal(0.5, "bfloat16", -1.0, 3.0), fj.orthogonal(2.0, 0),
    fj.variance_scaling(2.0, "fan_out", "uniform", [0, 1], 2),
])
def test_initializers_are_values(init):
    """They can be pickled, compared, hashed, and their repr says what they are; JAX's closures can't."""
    copy = pickle.loads(pickle.dumps(init))

    assert copy == init
    assert hash(copy) == hash(init)
    assert init != fj.normal()
    assert repr(init).startswith(init._factory.__name__)


def test_the_repr_is_the_call():
    """Only what differs from the defaults is shown."""
    assert repr(fj.he_normal()) == "variance_scaling(2.0, 'fan_in', 'truncated_normal')"
    assert repr(fj.normal()) == "normal()"
    assert repr(fj.truncated_normal(0.5, upper=1.0)) == "truncated_normal(stddev=0.5, upper=1.0)"


def test_importing_it_loads_neither_jax_nor_numba():
    """JAX loads when one of its objects comes in, the compiler with the first draw."""
    code = ("import sys, fanin.compat.jax as fj, fanin.compat.flax; k, l = fj.split(fj.key(0)); fj.zeros(k, 3);"
            "print({name.split('.')[0] for name in sys.modules} & {'jax', 'jaxlib', 'flax', 'numba', 'torch'});"
            "fj.he_normal()(k, (3, 3)); print({'jax', 'flax', 'torch'} & set(sys.modules))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["set()", "set()"]
