"""Names: what each stands for, in any spelling, under each framework; overrides, registration, entry points."""

import json
import math
import os
import subprocess
import sys
import textwrap
import typing

import numpy as np
import pytest

from fanin import (
    Bilinear,
    Constant,
    DeltaOrthogonal,
    Dirac,
    Eye,
    FaninError,
    Initializer,
    LSTMBias,
    Normal,
    Orthogonal,
    Registry,
    Sparse,
    TruncatedNormal,
    Uniform,
    VarianceScaling,
)


def he(distribution, layout="oi*"):
    return VarianceScaling(2.0, "fan_in", distribution, layout)


def glorot(distribution, layout="oi*"):
    return VarianceScaling(1.0, "fan_avg", distribution, layout)


def lecun(distribution, layout="oi*"):
    return VarianceScaling(1.0, "fan_in", distribution, layout)


THIRD = VarianceScaling(1 / 3, "fan_in", "uniform")

# PEERS.md, section 4: every string that a scheme serves, as it is spelled there, and what it stands for bare.
MEANINGS = [
    (Constant(0.0), "zero zeros zeros_init zeros_initializer Zero"),
    (Constant(1.0), "one ones ones_init One"),
    (Constant(0.0), "constant const fill ConstantInitializer full"),
    (Constant(math.nan), "nan"),
    (Uniform(0.0, 1.0), "uniform random_uniform RandomUniform UniformInitializer random_ rand"),
    (Normal(0.0, 1.0), "normal gauss gaussian random_normal RandomNormal NormalInitializer randn"),
    (TruncatedNormal(), "truncated_normal trunc_normal TruncatedNormal truncatedNormal trunc_normal_tf trunc_normal_"),
    (glorot("uniform"), "glorot_uniform xavier_uniform GlorotUniform XavierUniform xavier"),
    (glorot("truncated_normal"), "glorot_normal GlorotNormal"),
    (glorot("normal"), "xavier_normal xavier_gauss XavierNormal xavierNormal_"),
    (he("uniform"), "he_uniform kaiming_uniform HeUniform KaimingUniform kaimingUniform_"),
    (he("truncated_normal"), "he_normal HeNormal"),
    (he("normal"), "kaiming_normal KaimingNormal relu_invariant_gauss msra MSRA MSRAInitializer msraprelu"),
    (lecun("uniform"), "lecun_uniform LecunUniform LeCunUniform"),
    (lecun("truncated_normal"), "lecun_normal LecunNormal LeCunNormal"),
    (THIRD, "invariant_uniform torch_default kaiming_uniform_sqrt5"),
    (VarianceScaling(1.0, "fan_in", "truncated_normal"), "variance_scaling VarianceScaling varianceScaling"),
    (VarianceScaling(1.0, "fan_in", "uniform", "*io"), "uniform_unit_scaling uniform_scaling"),
    (Orthogonal(1.0), "orthogonal Orthogonal OrthogonalInitializer orthogonal_initializer"),
    (DeltaOrthogonal(), "delta_orthogonal convolutional_delta_orthogonal"),
    (Dirac(1), "dirac Dirac dirac_"),
    (LSTMBias(), "lstm_bias lstmbias LSTMBias unit_forget_bias"),
    (Bilinear(), "bilinear Bilinear UpsamplingDeconvFilter"),
    (Eye(1.0), "identity Identity IdentityInitializer eye identity_init identity_initializer"),
]
BARE = [(name, scheme) for scheme, names in MEANINGS for name in names.split()]
SPARSE = ["sparse", "sparse_init", "Sparse", "sparse_"]
ARRAY = ["assign", "numpyarray", "array"]
UNSERVED = ["stft", "STFT", "STFTInitializer", "positive_unitball", "unitball", "mixed", "load", "fusedrnn", "trunc",
            "trunc_", "scaled_uniform", "ZerO"]

# PEERS.md, section 1: each system's names with that system's defaults and layout.
_XAVIER = {"xavier_uniform": glorot("uniform"), "xavier_normal": glorot("normal")}
_KAIMING = {"kaiming_uniform": he("uniform"), "kaiming_normal": he("normal")}
_TORCH03 = {"uniform": Uniform(), "normal": Normal(), "constant": Constant(0.5), "eye": Eye(), "dirac": Dirac(),
            **_XAVIER, **_KAIMING, "orthogonal": Orthogonal(), "sparse": Sparse(0.5)}
_JAX = {
    "zeros": Constant(0.0), "ones": Constant(1.0), "constant": Constant(0.5), "uniform": Uniform(0.0, 0.01),
    "normal": Normal(0.0, 0.01), "truncated_normal": TruncatedNormal(0.0, 0.01, -2.0, 2.0, "std"),
    "variance_scaling": VarianceScaling(0.5, "fan_out", "normal", "*io"),
    **{f"{family}_uniform": make("uniform", "*io") for family, make in
       {"glorot": glorot, "xavier": glorot, "lecun": lecun, "he": he, "kaiming": he}.items()},
    **{f"{family}_normal": make("truncated_normal", "*io") for family, make in
       {"glorot": glorot, "xavier": glorot, "lecun": lecun, "he": he, "kaiming": he}.items()},
    "orthogonal": Orthogonal(1.0, -1), "delta_orthogonal": DeltaOrthogonal(1.0, "*io"),
}
PROFILES = {
    "torch": {**_TORCH03, "zeros": Constant(0.0), "ones": Constant(1.0),
              "trunc_normal": TruncatedNormal(0.0, 1.0, -2.0, 2.0, "absolute"), "torch_default": THIRD},
    "torch03": _TORCH03,
    "jittor": {"constant": Constant(0.0), "fill": Constant(0.0), "zero": Constant(0.0), "one": Constant(1.0),
               "eye": Eye(), "uniform": Uniform(), "random": Uniform(), "gauss": Normal(), "normal": Normal(),
               "invariant_uniform": THIRD, "relu_invariant_gauss": he("normal"), "xavier_uniform": glorot("uniform"),
               "xavier_gauss": glorot("normal"), **_KAIMING,
               "trunc_normal": TruncatedNormal(0.0, 1.0, -2.0, 2.0, "absolute")},
    "flint": {"zeros": Constant(0.0), "ones": Constant(1.0), "constant": Constant(0.5), "uniform": Uniform(),
              "normal": Normal(), **_XAVIER, **_KAIMING, "lecun_uniform": lecun("uniform"),
              "lecun_normal": lecun("normal")},
    "storch": {**_TORCH03, "normal": Normal(0.0, 0.0), "zeros": Constant(0.0), "ones": Constant(1.0)},
    "jax": _JAX,
    "flax": _JAX,
    "keras": {
        "zeros": Constant(0.0), "zero": Constant(0.0), "ones": Constant(1.0), "one": Constant(1.0),
        "constant": Constant(0.0), "identity": Eye(), "eye": Eye(), "random_uniform": Uniform(-0.05, 0.05),
        "uniform": Uniform(-0.05, 0.05), "random_normal": Normal(0.0, 0.05), "normal": Normal(0.0, 0.05),
        "truncated_normal": TruncatedNormal(0.0, 0.05), "variance_scaling":
            VarianceScaling(1.0, "fan_in", "truncated_normal", "*io"),
        **{f"{family}_uniform": make("uniform", "*io") for family, make in
           {"glorot": glorot, "lecun": lecun, "he": he}.items()},
        **{f"{family}_normal": make("truncated_normal", "*io") for family, make in
           {"glorot": glorot, "lecun": lecun, "he": he}.items()},
        "orthogonal": Orthogonal(1.0, -1),
    },
}
GIVEN = {"constant": {"value": 0.5}, "sparse": {"sparsity": 0.5},
         "variance_scaling": {"scale": 0.5, "mode": "fan_out", "distribution": "normal"}}
REQUIRED = {*((profile, "constant") for profile in ("torch", "torch03", "flint", "storch", "jax", "flax")),
            *((profile, "sparse") for profile in ("torch", "torch03", "storch")),
            ("jax", "variance_scaling"), ("flax", "variance_scaling")}
FRAMEWORKS = [(profile, name, scheme) for profile, names in PROFILES.items() for name, scheme in names.items()]


@pytest.mark.parametrize(("name", "scheme"), BARE)
def test_bare_names(name, scheme):
    """A bare name means what the family of its spelling means."""
    assert Registry.get(name) == scheme
    assert name in Registry


@pytest.mark.parametrize("name", SPARSE)
def test_sparse_requires_its_sparsity(name):
    """`sparse` has no default for its one essential parameter, and says how to give it."""
    assert Registry.get(name, sparsity=0.1) == Sparse(0.1, 0.01, 0)
    with pytest.raises(TypeError, match="`sparsity`.*sparsity=") as error:
        Registry.get(name)
    assert isinstance(error.value, FaninError)


@pytest.mark.parametrize("name", ARRAY)
def test_arrays_require_a_value(name):
    """A name for a given array wants the array."""
    assert Registry.get(name, value=[1, 2]) == Constant([1, 2])
    with pytest.raises(TypeError, match="`value`"):
        Registry.get(name)


@pytest.mark.parametrize("name", UNSERVED)
def test_unserved_names_say_so(name):
    """A name that other frameworks know and no scheme serves is a KeyError that gives the reason."""
    with pytest.raises(KeyError) as error:
        Registry.get(name)

    assert isinstance(error.value, FaninError) and name not in Registry
    assert repr(name) in str(error.value) and "that a scheme serves" in str(error.value)
    assert not str(error.value).startswith(('"', "'"))


@pytest.mark.parametrize("spelling", ["he_normal", "HE_NORMAL", "he-normal", "he normal", "HeNormal", "henormal",
                                      "he_normal_", "He-Normal_Init", "he_normal_initializer", "HeNormalInitializer"])
def test_spelling_does_not_matter(spelling):
    """Case, hyphens, underscores, spaces, a trailing underscore and the two suffixes are ignored."""
    assert Registry.get(spelling) == Registry.get("he_normal")
    assert spelling in Registry and f"JAX:{spelling}" in Registry
    assert Registry.get(f"Jax:{spelling}") == Registry.get(spelling, profile="JAX")


@pytest.mark.parametrize(("profile", "name", "scheme"), FRAMEWORKS)
def test_profiles(profile, name, scheme):
    """profile= and profile:name give the framework's meaning of the name: scheme, defaults and layout."""
    given = GIVEN[name] if (profile, name) in REQUIRED else {}

    assert Registry.get(name, profile=profile, **given) == scheme
    assert Registry.get(f"{profile}:{name}", **given) == scheme
    assert Registry.get(f"{profile}:{name}_", profile=profile, **given) == scheme
    assert f"{profile}:{name}" in Registry and name in Registry.names(profile)


@pytest.mark.parametrize(("profile", "name"), sorted(REQUIRED))
def test_profiles_require_what_the_framework_requires(profile, name):
    """A parameter without a default there has none here."""
    for left_out in GIVEN[name]:
        given = {key: value for key, value in GIVEN[name].items() if key != left_out}
        with pytest.raises(TypeError, match=f"`{left_out}`"):
            Registry.get(name, profile=profile, **given)


def test_profiles_hold_no_other_names():
    """A profile is the framework's list: nothing missing, nothing added."""
    assert set(Registry.profiles()) == set(PROFILES)
    for profile, names in PROFILES.items():
        assert Registry.names(profile) == sorted(names)
    for profile, name in [("torch03", "trunc_normal"), ("torch", "lecun_normal"), ("flint", "eye"), ("jax", "dirac"),
                          ("keras", "kaiming_normal"), ("storch", "trunc_normal"), ("jittor", "orthogonal")]:
        with pytest.raises(KeyError, match=profile):
            Registry.get(name, profile=profile)
        assert f"{profile}:{name}" not in Registry


OVERRIDES = [
    ("normal", {"std": 0.02}, Normal(0.0, 0.02)),
    ("normal", {"stddev": 0.02, "mean": 1}, Normal(1.0, 0.02)),
    ("normal", {"sigma": 0.02, "loc": -1}, Normal(-1.0, 0.02)),
    ("uniform", {"low": -1, "high": 2}, Uniform(-1.0, 2.0)),
    ("uniform", {"minval": -1, "maxval": 2}, Uniform(-1.0, 2.0)),
    ("uniform", {"a": -1, "b": 2}, Uniform(-1.0, 2.0)),
    ("uniform", {"min": -1, "max": 2}, Uniform(-1.0, 2.0)),
    ("trunc_normal", {"stddev": 2, "a": -3, "b": 4}, TruncatedNormal(0.0, 2.0, -3.0, 4.0)),
    ("trunc_normal", {"lo": -3, "hi": 4, "loc": 1}, TruncatedNormal(1.0, 1.0, -3.0, 4.0)),
    ("truncated_normal", {"lower": -math.inf}, TruncatedNormal(lower=-math.inf)),
    ("torch:trunc_normal", {"a": -3, "b": 4}, TruncatedNormal(0.0, 1.0, -3.0, 4.0, "absolute")),
    ("torch:uniform", {"a": -1, "b": 2}, Uniform(-1.0, 2.0)),
    ("constant", {"val": 3}, Constant(3)),
    ("constant", {"fill_value": 3}, Constant(3)),
    ("constant", {"fillValue": 3}, Constant(3)),
    ("constant", {"constant": 3}, Constant(3)),
    ("torch:constant", {"val": 3}, Constant(3)),
    ("zeros", {"value": 3}, Constant(3)),
    ("he_normal", {"mode": "fan_out"}, VarianceScaling(2.0, "fan_out", "truncated_normal")),
    ("he_normal", {"layout": "*io"}, he("truncated_normal", "*io")),
    ("he_normal", {"gain": 3}, VarianceScaling(18.0, "fan_in", "truncated_normal")),
    ("kaiming_uniform", {"a": math.sqrt(3)}, VarianceScaling(2 / (1 + math.sqrt(3) ** 2), "fan_in", "uniform")),
    ("torch:kaiming_normal", {"a": 2, "mode": "fan_out"}, VarianceScaling(0.4, "fan_out", "normal")),
    ("kaiming_normal", {"negative_slope": 2}, VarianceScaling(0.4, "fan_in", "normal")),
    ("msra", {"slope": 2}, VarianceScaling(0.4, "fan_in", "normal")),
    ("xavier_uniform", {"gain": 2}, VarianceScaling(4.0, "fan_avg", "uniform")),
    ("xavier_uniform", {"scale": 2}, VarianceScaling(2.0, "fan_avg", "uniform")),
    ("uniform_unit_scaling", {"factor": 2}, VarianceScaling(4.0, "fan_in", "uniform", "*io")),
    ("variance_scaling", {"scale": 3, "groups": 2}, VarianceScaling(3.0, groups=2)),
    ("variance_scaling", {"fan_in": 5}, VarianceScaling(fan_in=5)),
    ("jax:uniform", {"scale": 0.5}, Uniform(0.0, 0.5)),
    ("jax:normal", {"stddev": 0.5}, Normal(0.0, 0.5)),
    ("jax:orthogonal", {"scale": 2, "column_axis": 0}, Orthogonal(2.0, 0)),
    ("jax:delta_orthogonal", {"scale": 2}, DeltaOrthogonal(2.0, "*io")),
    ("keras:variance_scaling", {"distribution": "normal"}, lecun("truncated_normal", "*io")),
    ("keras:variance_scaling", {"distribution": "untruncated_normal"}, lecun("normal", "*io")),
    ("keras:variance_scaling", {"distribution": "uniform"}, lecun("uniform", "*io")),
    ("keras:random_uniform", {"minval": -1, "maxval": 1}, Uniform(-1.0, 1.0)),
    ("orthogonal", {"gain": 2, "axis": 1}, Orthogonal(2.0, 1)),
    ("eye", {"gain": 2}, Eye(2)),
    ("dirac", {"groups": 2}, Dirac(2)),
    ("sparse", {"sparsity": 0.1, "sigma": 1}, Sparse(0.1, 1.0)),
]


@pytest.mark.parametrize(("name", "parameters", "scheme"), OVERRIDES)
def test_parameters_override_the_presets(name, parameters, scheme):
    """A parameter, in any framework's spelling, takes the preset's place; gains scale the std, scales the variance."""
    assert Registry.get(name, **parameters) == scheme


@pytest.mark.parametrize(("name", "parameters", "error", "words"), [
    ("normal", {"nonsense": 1}, TypeError, ["'nonsense'", "mean, std"]),
    ("normal", {"std": 1, "stddev": 2}, TypeError, ["`std`", "twice", "'std'", "'stddev'"]),
    ("xavier_uniform", {"gain": 2, "scale": 2}, TypeError, ["`scale`", "twice"]),
    ("normal", {"gain": 2}, TypeError, ["'gain'"]),
    ("glorot_normal", {"a": 2}, TypeError, ["'a'"]),
    ("normal", {"std": -1}, ValueError, ["`std`", "-1"]),
    ("normal", {"stddev": "1"}, TypeError, ["`std`", "'1'"]),
    ("kaiming_normal", {"a": "1"}, TypeError, ["'1'"]),
    ("xavier_normal", {"gain": math.inf}, ValueError, ["`gain`", "inf"]),
])
def test_refused_parameters(name, parameters, error, words):
    """A parameter that a preset doesn't have, has twice, or can't use is named."""
    with pytest.raises(FaninError) as raised:
        Registry.get(name, **parameters)

    assert isinstance(raised.value, error) and "\n" not in str(raised.value)
    for word in words:
        assert word in str(raised.value)


@pytest.mark.parametrize(("wrong", "close"), [
    ("he_norml", "he_normal"), ("xavir_uniform", "xavier_uniform"), ("orthgonal", "orthogonal"),
    ("gausian", "gaussian"),
    ("jax:lecun_norml", "lecun_normal"), ("trunk_normal", "trunc_normal"),
])
def test_close_matches_are_named(wrong, close):
    """A misspelled name is a KeyError that names what it may have meant."""
    with pytest.raises(KeyError, match=f"did you mean .*'{close}'") as error:
        Registry.get(wrong)
    assert isinstance(error.value, FaninError) and repr(wrong.split(":")[-1]) in str(error.value)


@pytest.mark.parametrize(("arguments", "keywords", "error"), [
    (("qwertyuiop",), {}, KeyError), (("",), {}, KeyError), (("normal",), {"profile": "theano"}, KeyError),
    (("caffe:normal",), {}, KeyError), (("normal",), {"profile": 3}, TypeError),
    (("normal",), {"profile": []}, TypeError),
    (("torch:normal",), {"profile": "jax"}, ValueError), (("torch:normal",), {"profile": 3}, TypeError),
    ((3,), {}, TypeError), ((None,), {}, TypeError), ((Normal,), {}, TypeError), ((b"normal",), {}, TypeError),
    ((["normal"],), {}, TypeError), ((Normal(),), {"profile": "jax"}, TypeError),
    (({"scheme": "normal"},), {"profile": "jax"}, TypeError), ((Normal(),), {"nonsense": 1}, TypeError),
    (({"scheme": "nonsense"},), {}, KeyError), (({},), {}, KeyError),
])
def test_refused_lookups(arguments, keywords, error):
    """What is neither a known name, a config nor a scheme is refused in one line."""
    with pytest.raises(FaninError) as raised:
        Registry.get(*arguments, **keywords)
    assert isinstance(raised.value, error) and "\n" not in str(raised.value)


def test_the_same_profile_twice_is_no_conflict():
    """profile:name with profile= agrees where both mean one framework, flax being jax."""
    assert Registry.get("torch:normal", profile="Torch") == Normal()
    assert Registry.get("flax:normal", profile="jax") == Normal(0.0, 0.01)


def test_schemes_and_configs_pass_through():
    """get() of a scheme is that scheme; of a config, what it describes; parameters change either."""
    scheme = Normal(0.0, 0.02)

    assert Registry.get(scheme) is scheme
    assert Registry.get(scheme, mean=1.0) == Normal(1.0, 0.02)
    assert Registry.get({"scheme": "normal", "version": 1, "std": 0.02}) == scheme
    assert Registry.get({"scheme": "normal", "std": 0.02}, mean=1.0) == Normal(1.0, 0.02)


def test_tables_of_a_name_and_parameters():
    """A dict with a name, as in rule files, is a call with that name; values are decoded as in a config."""
    assert Registry.get({"name": "normal", "std": 0.02}) == Normal(0.0, 0.02)
    assert Registry.get({"name": "normal", "std": 0.02}, std=1, mean=2) == Normal(2.0, 1.0)
    assert Registry.get({"name": "jax:normal"}) == Registry.get({"name": "normal", "profile": "jax"}) == Normal(0, 0.01)
    assert Registry.get({"name": "normal"}, profile="keras") == Normal(0.0, 0.05)
    assert Registry.get({"name": "kaiming_normal", "profile": "torch", "a": 2}) == Registry.get(
        "torch:kaiming_normal", a=2)
    assert Registry.get({"name": "truncated_normal", "upper": "inf"}).upper == math.inf
    value = {"dtype": "uint8", "shape": [2], "data": [1, 2]}
    assert Registry.get({"name": "array", "value": value}) == Constant(np.array([1, 2], np.uint8))
    table = {"name": "normal", "profile": "jax"}
    Registry.get(table)
    assert table == {"name": "normal", "profile": "jax"}


@pytest.mark.parametrize(("table", "builtin", "word"), [
    ({"name": "nope"}, KeyError, "'nope'"), ({"name": "normal", "profile": "nope"}, KeyError, "`profile`"),
    ({"name": "normal", "wide": 1}, TypeError, "'wide'"), ({"name": "normal", "std": -1}, ValueError, "`std`"),
    ({"name": "normal", 3: 1}, TypeError, "'3'"), ({"name": "sparse"}, TypeError, "sparsity"),
    ({"name": 3}, TypeError, "`name`"), ({"std": 1}, KeyError, "`scheme`"),
    ({"name": "normal", "scheme": "normal"}, ValueError, "'name'"),
    ({"name": "normal", "profile": 3}, TypeError, "`profile`"),
])
def test_tables_that_are_refused(table, builtin, word):
    """One line that names what is wrong, of the exception that the call with a name raises."""
    with pytest.raises(FaninError) as error:
        Registry.get(table)
    assert isinstance(error.value, builtin) and word in str(error.value) and "\n" not in str(error.value)


def test_a_profile_is_given_once():
    """A table's profile and the argument can't both be meant."""
    with pytest.raises(TypeError, match="`profile`.*once"):
        Registry.get({"name": "normal", "profile": "jax"}, profile="torch")


def test_names():
    """names() lists each bare name once, sorted, without aliases; all of them, and their aliases, are `in`."""
    names = Registry.names()

    assert names == sorted(set(names)) == list(Registry)
    assert {"he_normal", "xavier_normal", "sparse", "eye"} <= set(names)
    assert not {"identity", "gauss", "trunc_normal"} & set(names)
    assert Registry.aliases("eye") == ["identity"]
    assert set(Registry.aliases("trunc_normal")) == {"trunc_normal", "trunc_normal_tf"}
    for name in names:
        assert name in Registry and all(alias in Registry for alias in Registry.aliases(name))
    for other in ["nope", "", 3, None, Normal, "nope:normal", "torch:", ":normal"]:
        assert other not in Registry
    with pytest.raises(KeyError):
        Registry.aliases("nope")
    with pytest.raises(KeyError, match="`profile`"):
        Registry.names("nope")


# -- registration -------------------------------------------------------------------------------------------------


def test_registering_a_class(registry):
    """A registered class is found under its name and aliases, in any spelling; its configs carry the name."""
    @registry.register("contract_half_he", "contract_hh")
    class HalfHe(Initializer):
        def __init__(self, gain=0.5):
            self.gain = gain

        def plan(self, spec):
            return Normal(0.0, self.gain * (2 / spec.fans().fan_in) ** 0.5).plan(spec)

    for spelling in ("contract_half_he", "Contract-Half-He", "CONTRACT HH"):
        assert registry.get(spelling) == HalfHe()
    assert registry.get("contract_hh", gain=2.0) == HalfHe(2.0)
    assert HalfHe(2.0).get_config() == {"scheme": "contract_half_he", "version": 1, "gain": 2.0}
    assert Initializer.from_config(json.loads(json.dumps(HalfHe(2.0).get_config()))) == HalfHe(2.0)
    assert "contract_half_he" in registry and "contract_hh" in registry
    assert "contract_half_he" in registry.names() and "contract_hh" not in registry.names()
    assert registry.aliases("contract_half_he") == registry.aliases("contract_hh") == ["contract_hh"]
    with pytest.raises(TypeError, match="'nonsense'"):
        registry.get("contract_half_he", nonsense=1)
    with pytest.raises(KeyError, match="contract_half_he"):
        registry.get("contract_half_hee")


def test_registering_an_instance(registry):
    """A registered instance is a preset; its configs are those of its class."""
    small = registry.register("contract_gpt2", "contract_gpt_two")(Normal(0.0, 0.02))

    assert registry.get("contract_gpt2") is small is registry.get("Contract GPT-Two")
    assert registry.get("contract_gpt2", std=0.01) == Normal(0.0, 0.01)
    assert registry.get("contract_gpt2").get_config()["scheme"] == "normal"
    assert "contract_gpt2" in registry.names()


def test_a_required_parameter_of_a_custom_scheme(registry):
    """A class's parameter without a default must be given to get()."""
    @registry.register("contract_needy")
    class Needy(Initializer):
        def __init__(self, value, *, twice=False):
            self.value, self.twice = value, twice

        def plan(self, spec):
            return Constant(self.value * (2 if self.twice else 1)).plan(spec)

    assert registry.get("contract_needy", value=2, twice=True)(1) == 4
    with pytest.raises(TypeError, match="`value`"):
        registry.get("contract_needy")
    with pytest.raises(ValueError, match="'value'"):
        Initializer.from_config({"scheme": "contract_needy", "version": 1})


@pytest.mark.parametrize("taken", ["he_normal", "HeNormal", "gauss", "Identity", "variance_scaling"])
def test_taken_names(registry, taken):
    """A name or alias that is taken is refused, in any spelling, unless override=True."""
    with pytest.raises(ValueError, match=f"{taken}.*override=True") as error:
        registry.register("a_new_name", taken)
    assert isinstance(error.value, FaninError) and "a_new_name" not in registry

    registry.register(taken, override=True)(Normal(0.0, 7.0))
    assert registry.get(taken) == Normal(0.0, 7.0)
    assert len({name.lower().replace("_", "") for name in registry.names()}) == len(registry.names())


def test_overriding_ones_own_name_in_another_spelling(registry):
    """names() has one entry for a name, the latest spelling."""
    registry.register("my_init_")(Normal(0.0, 1.0))
    registry.register("My-Init", override=True)(Normal(0.0, 2.0))

    assert registry.get("my_init_") == Normal(0.0, 2.0)
    assert [name for name in registry.names() if name.lower().startswith("my")] == ["My-Init"]


@pytest.mark.parametrize(("names", "error"), [
    ((3,), TypeError), ((None,), TypeError), (("ok", 3), TypeError), (("",), ValueError), (("_",), ValueError),
    (("a:b",), ValueError), ((Normal,), TypeError),
])
def test_refused_names(registry, names, error):
    """A registered name is a string with something in it, and no colon, which is the profiles'."""
    with pytest.raises(FaninError, match="`name`") as raised:
        registry.register(*names)
    assert isinstance(raised.value, error)


@pytest.mark.parametrize("thing", [3, None, Normal.plan, dict, "normal"])
def test_only_initializers_are_registered(registry, thing):
    """Anything but an Initializer class or instance is refused, and the name stays free."""
    with pytest.raises(TypeError) as error:
        registry.register("fresh_name")(thing)
    assert isinstance(error.value, FaninError) and "fresh_name" not in registry


def test_the_registry_prints():
    """repr says what it is and how much it holds."""
    assert repr(Registry) == f"<Registry of {len(Registry.names())} names>"


# -- entry points: a real package, installed ----------------------------------------------------------------------

PLUGIN = '''
import fanin
from fanin import Initializer, Registry
from fanin.math import fma

@fanin.sampler
def triangle(u, low, width):
    return fma(u if u < 0.5 else 1.0 - u, width, low)

class Tent(Initializer):
    def __init__(self, low=0.0, width=2.0):
        self.low, self.width = low, width
    def plan(self, spec):
        return spec.draw(triangle, self.low, self.width)

@Registry.register("decorated", "deco")
class Decorated(Tent):
    pass
'''


def install(folder, entry_points, module=PLUGIN, package="fanin_tents"):
    """Put a distribution where pip would: the module, and a .dist-info with its metadata and entry points."""
    (folder / f"{package}.py").write_text(module)
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[fanin.schemes]\n" + entry_points)
    (info / "RECORD").write_text("")


def python(folder, code):
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run([sys.executable, "-W", "error", "-c", textwrap.dedent(code)], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": path})


def test_installed_packages_bring_schemes(tmp_path):
    """A class in the entry-point group `fanin.schemes` is found by name, config and `in`, without an import."""
    install(tmp_path, "tent = fanin_tents:Tent\ndecorated = fanin_tents:Decorated\n")

    run = python(tmp_path, """
        import sys
        from fanin import Initializer, Registry
        Registry.get("he_normal")
        assert "fanin_tents" not in sys.modules  # known names load no package
        scheme = Registry.get("Tent", width=3.0)
        assert scheme == Registry.get({"scheme": "tent", "version": 1, "width": 3.0}), scheme
        assert scheme.get_config() == {"scheme": "tent", "version": 1, "low": 0.0, "width": 3.0}
        assert {"tent", "decorated"} <= set(Registry.names()) and "tent" in Registry and "deco" in Registry
        print(repr(Registry.get("deco")), float(scheme(4, device="reference", seed=0).max()) < 1.5)
    """)

    assert (run.stdout, run.stderr) == ("Decorated(low=0.0, width=2.0) True\n", "")


def test_a_package_may_declare_and_register_at_once(tmp_path):
    """Importing a package that registers its class does not trip over the package's own entry point."""
    install(tmp_path, "tent = fanin_tents:Tent\ndecorated = fanin_tents:Decorated\n")

    run = python(tmp_path, """
        import fanin_tents
        from fanin import Registry
        print(Registry.get("decorated"), Registry.get("tent"), "tent" in Registry.names())
    """)

    assert (run.stdout, run.stderr) == ("Decorated(low=0.0, width=2.0) Tent(low=0.0, width=2.0) True\n", "")


@pytest.mark.parametrize(("entry_point", "words"), [
    ("broken = fanin_absent:Thing\n", ["'broken'", "fanin_absent", "ModuleNotFoundError", "uninstall"]),
    ("broken = fanin_tents:triangle\n", ["'broken'", "Initializer"]),
])
def test_a_broken_package_keeps_nothing_else_from_working(tmp_path, entry_point, words):
    """An entry point that doesn't load is named by a warning and the error each time its name is asked for, only."""
    install(tmp_path, entry_point + "tent = fanin_tents:Tent\n")

    run = python(tmp_path, """
        import warnings
        from fanin import FaninKeyError, FaninWarning, Initializer, Registry
        print(Registry.get("normal"), Registry.get("tent"), "broken" in Registry.names())
        for wrong in ("no_such_name", {"scheme": "no_such_scheme"}):
            try:
                Registry.get(wrong)
            except FaninKeyError as error:
                print("broken" in str(error))
        for _ in range(2):
            for ask in (lambda: Registry.get("broken"), lambda: Initializer.from_config({"scheme": "Broken_"})):
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always")
                    try:
                        ask()
                    except FaninKeyError as error:
                        print(error)
                print(*[(warning.category.__name__, str(warning.message)) for warning in caught])
    """)

    assert run.stderr == ""
    lines = run.stdout.splitlines()
    assert lines[:3] == ["Normal(mean=0.0, std=1.0) Tent(low=0.0, width=2.0) False", "False", "False"]
    assert len(lines) == 11 and all(word in line for word in words for line in lines[3:])
    assert all("FaninWarning" in line for line in lines[4::2])


def test_a_package_that_takes_a_name_is_named(tmp_path):
    """An entry point under the name of a scheme that exists is a warning, and the name stays whose it was."""
    install(tmp_path, "normal = fanin_tents:Tent\n")

    run = python(tmp_path, """
        import warnings
        from fanin import Registry
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            Registry.names()
        print(*caught[0].message.args, Registry.get("normal"))
    """)

    assert run.stderr == "" and "'normal'" in run.stdout and "exists" in run.stdout
    assert run.stdout.endswith("Normal(mean=0.0, std=1.0)\n")


def test_the_literals_for_type_checkers_are_the_names():
    """What editors offer for `Registry.get` is what the registry has."""
    from fanin._initializers import names
    from fanin._initializers.presets import ALIASES
    from fanin._initializers.profiles import OTHER_NAMES

    aliases = {alias for each in ALIASES.values() for alias in each}
    assert set(typing.get_args(names.Name)) == {*Registry.names(), *aliases}
    assert set(typing.get_args(names.Profile)) == {*Registry.profiles(), *OTHER_NAMES}


def test_array_values_of_presets_are_kept():
    """An array given by name is copied: changing it later changes no scheme."""
    values = np.array([1.0, 2.0])
    scheme = Registry.get("array", value=values)
    values[:] = 7

    assert scheme((2,)).tolist() == [1.0, 2.0]
