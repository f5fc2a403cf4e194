"""Schemes in other people's configs: Hydra, pydantic and jsonargparse, and the examples that use them."""

import copy
import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydantic
import pytest
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from jsonargparse import auto_cli
from omegaconf import OmegaConf

import fanin
from fanin import Initializer, Normal, Registry
from scripts import TIMEOUT, environment

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
# Every scheme, with parameters that YAML can hold.
PARAMETERS = {
    "Bilinear": {"layout": "*oi"},
    "Blocks": {"inits": ["zeros", {"name": "normal", "std": 0.5}, {"scheme": "eye", "gain": 2.0}], "axis": -1,
               "sizes": [1, 2, -1]},
    "Chrono": {"t_max": 100.0},
    "Constant": {"value": [[1, 2], [3, 4]]},
    "ConvolutionOrthogonal": {"gain": 2.0, "layout": "*io"},
    "DeltaOrthogonal": {"gain": 2.0, "layout": "*io"},
    "Dirac": {"groups": 2, "layout": "*io"},
    "Eye": {"gain": 3.0},
    "HippoLegsA": {},
    "HippoLegsB": {"axis": 0},
    "ICNR": {"upscale": 3, "init": {"scheme": "normal", "std": 0.5}, "layout": "*io"},
    "LSTMBias": {"forget_bias": 2.0},
    "LogOfUniform": {"low": 2.0, "high": 8.0},
    "LogUniform": {"low": 0.01, "high": 0.5},
    "MambaALog": {"axis": 0},
    "MambaDtBias": {"low": 0.01, "high": 0.5, "floor": 0.02},
    "Normal": {"mean": 1.0, "std": 0.5},
    "Orthogonal": {"gain": 2.0, "axis": -1},
    "S4D": {"variant": "inv", "part": "real", "axis": 0},
    "Sinusoidal": {"max_timescale": 500.0, "halves": True, "endpoint": True},
    "ScaledOrthogonal": {"gain": 2.0, "at_least": 1.0, "layout": "*io"},
    "Siren": {"omega": 10.0, "layout": "*io"},
    "SirenFirst": {"layout": "*io"},
    "Sparse": {"sparsity": 0.5, "std": 0.1, "axis": 1},
    "TruncatedNormal": {"mean": 1.0, "std": 2.0, "lower": -1.0, "upper": float("inf"), "bounds": "absolute"},
    "Uniform": {"low": -1.0, "high": 2.0},
    "VarianceScaling": {"scale": 2.0, "mode": "fan_avg", "distribution": "uniform", "layout": "io*", "groups": 4,
                        "transposed": True, "fan_in": 3.0, "fan_out": 5.0},
}
SCHEMES = {name: getattr(fanin, name)(**parameters) for name, parameters in PARAMETERS.items()}
HE, HE_JAX = Registry.get("he_normal"), Registry.get("jax:he_normal")


def example(name, *arguments, cwd):
    done = subprocess.run([sys.executable, "-W", "error", EXAMPLES / name, *map(str, arguments)], cwd=cwd,
                          capture_output=True, text=True, env=environment(), timeout=TIMEOUT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def assert_drawn(weights, schemes, seed):
    """`weights` are what the schemes draw here for their names."""
    assert sorted(weights) == sorted(schemes)
    for name, scheme in schemes.items():
        assert weights[name].tobytes() == scheme(weights[name].shape, seed=seed, name=name).tobytes(), name


def test_every_scheme_is_in_these_tests():
    """A scheme that fanin gains is added to the table above, with a value for each of its parameters."""
    public = {name for name, value in vars(fanin).items() if isinstance(value, type) and issubclass(value, Initializer)}

    assert set(PARAMETERS) == public - {"Initializer"}
    assert all(set(PARAMETERS[name]) == set(scheme.get_config()) - {"scheme", "version"}
               for name, scheme in SCHEMES.items())


# -- Hydra ------------------------------------------------------------------------------------------------------------


def omegaconf_inside(value):
    """Whether a scheme holds something of OmegaConf's, however deep."""
    if isinstance(value, (list, tuple)):
        return any(map(omegaconf_inside, value))
    if isinstance(value, Initializer):
        return any(map(omegaconf_inside, vars(value).values()))
    return type(value).__module__.startswith("omegaconf")


@pytest.mark.parametrize("convert", ["none", "partial", "object", "all"])
@pytest.mark.parametrize("name", PARAMETERS)
def test_hydra_instantiates_every_scheme_nested_in_lists_and_dicts(name, convert):
    """Whatever Hydra's way of converting, the schemes are equal to those made in Python, and hold plain values."""
    node = {"_target_": f"fanin.{name}", **PARAMETERS[name]}
    config = OmegaConf.create({"model": {"layers": [{"init": node}, node]}, "_convert_": convert})

    layers = instantiate(config).model["layers"] if convert == "none" else instantiate(config)["model"]["layers"]

    assert layers[0]["init"] == layers[1] == SCHEMES[name]
    assert not omegaconf_inside(layers[1])
    assert pickle.loads(pickle.dumps(layers[1])) == SCHEMES[name]


@pytest.mark.parametrize("node", [
    {"_args_": ["jax:he_normal"]}, {"name": "he_normal", "profile": "jax"}, {"name": {"name": "jax:he_normal"}},
    {"name": HE.get_config(), "layout": "*io"}, {"_args_": [HE_JAX.get_config()]},
], ids=str)
def test_hydra_reaches_the_registry(node):
    """`fanin.Registry.get` is a target: names, name tables and logged configs, with parameters changed."""
    assert instantiate(OmegaConf.create({"_target_": "fanin.Registry.get", **node})) == HE_JAX


@pytest.mark.parametrize("name", PARAMETERS)
def test_omegaconf_carries_configs(name):
    """A config that went through OmegaConf's YAML, untouched or as an OmegaConf object, makes an equal scheme."""
    config = OmegaConf.create(OmegaConf.to_yaml(OmegaConf.create(SCHEMES[name].get_config())))

    assert Registry.get(config) == Initializer.from_config(config) == SCHEMES[name]
    assert not omegaconf_inside(Registry.get(config))
    assert fanin.Rules.of(OmegaConf.create({"*": config})) == fanin.Rules.of({"*": SCHEMES[name].get_config()})


def test_hydra_partial_leaves_parameters_for_later():
    """`_partial_` gives a function that takes the remaining parameters."""
    make = instantiate({"_target_": "fanin.Normal", "std": 0.5, "_partial_": True})

    assert make(mean=1.0) == Normal(1.0, 0.5)


def test_hydra_shows_fanins_message_and_the_place():
    """What is wrong with a parameter, and the key of its node, are in Hydra's error."""
    config = OmegaConf.create({"layers": {"first": {"_target_": "fanin.Normal", "std": -1}}})

    with pytest.raises(InstantiationException, match=r"(?s)`std` must be finite and >= 0 \(got -1.0\).*layers.first"):
        instantiate(config)


def test_hydra_example_takes_overrides(tmp_path):
    """`init=normal init.std=0.1 seed=7` on the command line: the weights are the ones of that scheme and seed."""
    printed = example("hydra_train.py", "init=normal", "init.std=0.1", "seed=7", "hydra.run.dir=run", cwd=tmp_path)

    gates = fanin.Blocks(["zeros", "ones", "zeros", "zeros"])
    assert_drawn(np.load(tmp_path / "run" / "weights.npz"), {
        "encoder.weight": Normal(std=0.1), "encoder.bias": fanin.Constant(), "gates.bias": gates}, seed=7)
    assert "encoder.weight: Normal(mean=0.0, std=0.1)" in printed
    assert OmegaConf.load(tmp_path / "run" / ".hydra" / "config.yaml").init.std == 0.1


def test_hydra_example_sweeps(tmp_path):
    """A multirun draws each combination of schemes and seeds."""
    example("hydra_train.py", "--multirun", "init=he,normal", "seed=0,1", "hydra.sweep.dir=sweep", cwd=tmp_path)

    found = [(np.load(folder / "weights.npz")["encoder.weight"], OmegaConf.load(folder / ".hydra" / "config.yaml"))
             for folder in sorted((tmp_path / "sweep").glob("[0-9]"))]
    assert [(config.init["_target_"], config.seed) for _, config in found] == [
        ("fanin.Registry.get", 0), ("fanin.Registry.get", 1), ("fanin.Normal", 0), ("fanin.Normal", 1)]
    for weights, config in found:
        scheme = HE if "name" in config.init else Normal(std=0.02)
        assert weights.tobytes() == scheme((64, 32), seed=config.seed, name="encoder.weight").tobytes()


# -- pydantic ---------------------------------------------------------------------------------------------------------


class Model(pydantic.BaseModel):
    init: Initializer = HE
    normal: Normal | None = None
    several: list[Initializer] = []
    named: dict[str, Initializer] = {}


@pytest.mark.parametrize(("value", "scheme"), [
    (Normal(), Normal()), ("he_normal", HE), ("jax:he_normal", HE_JAX),
    ({"name": "he_normal", "profile": "jax"}, HE_JAX), ({"name": "normal", "std": 0.5}, Normal(std=0.5)),
    ({"scheme": "normal", "std": 0.5}, Normal(std=0.5)),
    *((scheme.get_config(), scheme) for scheme in SCHEMES.values()),
    (OmegaConf.create(HE_JAX.get_config()), HE_JAX),
], ids=lambda value: str(value)[:60])
def test_pydantic_fields_take_schemes_names_tables_and_configs(value, scheme):
    """Wherever the type stands in a model, each of these becomes the scheme, and the model survives JSON."""
    model = Model(init=value, several=[value, "ones"], named={"a": value})

    assert model.init == model.several[0] == model.named["a"] == scheme
    assert Model.model_validate_json(model.model_dump_json()) == model
    assert Model.model_validate(model.model_dump()) == model
    assert copy.deepcopy(model) == pickle.loads(pickle.dumps(model)) == model.model_copy(deep=True) == model


def test_pydantic_fields_of_one_scheme():
    """A field of a subclass takes that scheme only; its parameters alone are enough."""
    adapter = pydantic.TypeAdapter(Normal)

    assert adapter.validate_python({"std": 0.5}) == adapter.validate_json('{"std": 0.5}') == Normal(std=0.5)
    assert adapter.validate_python("jax:normal") == Normal(std=0.01)
    with pytest.raises(pydantic.ValidationError, match=r"must be a Normal \(got Constant\(value=1.0\)\)"):
        adapter.validate_python("ones")


@pytest.mark.parametrize("mode", ["python", "json"])
def test_pydantic_dumps_configs(mode):
    """A dump holds `get_config()`, in Python as in JSON; a default that pydantic never validated stays as it is."""
    class Unchecked(Model):
        unchecked: Initializer = "he_normal"

    model = Unchecked(normal=Normal(), named={"a": fanin.TruncatedNormal(upper=np.inf)})

    assert model.model_dump(mode=mode) == {
        "init": HE.get_config(), "normal": Normal().get_config(), "several": [],
        "named": {"a": {**fanin.TruncatedNormal().get_config(), "upper": "inf"}}, "unchecked": "he_normal"}


@pytest.mark.parametrize(("field", "value", "message"), [
    ("init", "he_norml", "`name` must be a registered name (got 'he_norml'): did you mean 'he_normal'"),
    ("init", {"name": "normal", "std": -1}, "`std` must be finite and >= 0 (got -1.0)"),
    ("init", {"name": "normal", "sd": 1}, "'normal' takes the parameters mean, std (got 'sd')"),
    ("init", {"scheme": "normal", "version": 2}, "`version` of a config must be 1 or older (got 2)"),
    ("init", 3, "`name` must be a string, a config or an Initializer (got 3, an int)"),
    ("init", Normal, "`name` must be a string, a config or an Initializer (got <class"),
    ("init", None, "`name` must be a string, a config or an Initializer (got None, a NoneType)"),
    ("normal", {"sd": 1}, "`config` must hold only parameters of normal, which are mean, std (got 'sd')"),
], ids=str)
def test_pydantic_errors_are_fanins(field, value, message):
    """Whatever fanin raises becomes a ValidationError at the field's place, in fanin's words."""
    with pytest.raises(pydantic.ValidationError) as caught:
        Model.model_validate({field: value})

    error = caught.value.errors()[0]
    assert error["loc"][0] == field and error["msg"].startswith(message)
    json.dumps(caught.value.errors(include_input=False))  # as web frameworks answer


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_pydantic_describes_fields_in_json_schema(name, mode):
    """The schema of a scheme's field names its config's keys, with their defaults, and no others."""
    scheme = SCHEMES[name]

    described = pydantic.TypeAdapter(type(scheme)).json_schema(mode=mode)
    config = described["anyOf"][-1] if mode == "validation" else described

    assert list(config["properties"]) == list(scheme.get_config())
    assert config["properties"]["scheme"] == {"const": scheme.get_config()["scheme"]}
    if mode == "validation":
        parameters = {key: value for key, value in PARAMETERS[name].items() if key in config["required"]}
        defaults = type(scheme)(**parameters).get_config()
        optional = {key: keywords for key, keywords in config["properties"].items()
                    if key not in ("scheme", "version", *config["required"])}
        assert all(set(keywords) == {"default"} for keywords in optional.values())
        stated = {key: keywords["default"] for key, keywords in optional.items()}
        assert type(scheme).from_config(parameters | stated).get_config() == defaults


def test_pydantic_describes_models_in_json_schema():
    """A model with fields of any scheme has a schema, both ways; names are strings, a dump is a config."""
    taken = Model.model_json_schema()["properties"]
    given = Model.model_json_schema(mode="serialization")["properties"]

    assert [each["type"] for each in taken["init"]["anyOf"]] == ["string", "object", "object"]
    assert given["init"]["type"] == "object" and given["init"]["required"] == ["scheme", "version"]
    assert taken["init"]["default"] == HE.get_config()


def test_pydantic_example(tmp_path):
    """The example completes a config, and what it prints is a config that it reads to the same."""
    printed = example("pydantic_config.py", cwd=tmp_path)
    (tmp_path / "config.json").write_text(printed, "utf-8")

    parameters = json.loads(printed)["parameters"]
    assert parameters["encoder.weight"]["init"] == HE.get_config()
    assert parameters["embedding.weight"]["init"] == Normal(std=0.02).get_config()
    assert example("pydantic_config.py", "config.json", cwd=tmp_path) == printed


# -- jsonargparse -----------------------------------------------------------------------------------------------------


def chosen(init: Initializer, width: int = 1):
    """A program with a scheme for an argument."""
    return init


def parse(*arguments):
    return auto_cli(chosen, args=list(arguments), as_positional=False)


def text(value):
    """A parameter as one types it."""
    return value if isinstance(value, str) else ".inf" if value == np.inf else json.dumps(value)


@pytest.mark.parametrize("path", ["{}", "fanin.{}"])
@pytest.mark.parametrize("name", PARAMETERS)
def test_jsonargparse_takes_every_scheme_and_parameter(name, path):
    """`--init Normal --init.std 0.5`: by short name or class path, every parameter from its text."""
    arguments = [f"--init.{key}={text(value)}" for key, value in PARAMETERS[name].items()]

    assert parse("--init", path.format(name), *arguments) == SCHEMES[name]


@pytest.mark.parametrize("name", PARAMETERS)
def test_jsonargparse_saves_and_reads_configs(name, tmp_path, capsys):
    """`class_path` and `init_args` in a file make the scheme, and so does the file that --print_config writes of it."""
    written, saved = tmp_path / "written.yaml", tmp_path / "saved.yaml"
    node = {"class_path": f"fanin.{name}", "init_args": PARAMETERS[name]}
    written.write_text(OmegaConf.to_yaml(OmegaConf.create({"init": node})), "utf-8")

    with pytest.raises(SystemExit) as caught:
        parse("--config", str(written), "--print_config")
    saved.write_text(capsys.readouterr().out, "utf-8")

    assert caught.value.code in (None, 0)
    assert parse("--config", str(written)) == parse("--config", str(saved)) == SCHEMES[name]


@pytest.mark.parametrize(("arguments", "scheme"), [
    (["Constant", "--init.value=3"], fanin.Constant(3)),
    (["Constant", "--init.value=true"], fanin.Constant(True)),
    (["Constant", "--init.value=0.5"], fanin.Constant(0.5)),
    (["Constant", "--init.value=2+1j"], fanin.Constant(2 + 1j)),
    (["Eye", "--init.gain=2j"], fanin.Eye(2j)),
    (["fanin.Registry.get", "--init.name=he_normal"], HE),
    (["fanin.Registry.get", "--init.name=he_normal", "--init.profile=jax"], HE_JAX),
    (["fanin.Registry.get", "--init.name=normal", "--init.dict_kwargs.std=0.5"], Normal(std=0.5)),
], ids=str)
def test_jsonargparse_keeps_types_and_reaches_the_registry(arguments, scheme):
    """A number stays what was typed, and the registry's names are within reach of a plain `Initializer` argument."""
    assert parse("--init", *arguments) == scheme


@pytest.mark.parametrize(("arguments", "named"), [
    (["--init=Norml"], "Norml"), (["--init=Normal", "--init.sd=1"], "sd"), (["--init=Sparse"], "sparsity"),
    (["--init=Normal", "--init.std=wide"], "std"), ([], "init"),
], ids=str)
def test_jsonargparse_refuses_what_no_scheme_takes(arguments, named, capsys):
    """An unknown class or parameter, and a missing one, are usage errors that name it."""
    with pytest.raises(SystemExit) as caught:
        parse(*arguments)

    assert caught.value.code == 2
    assert named in capsys.readouterr().err


def test_jsonargparse_example(tmp_path):
    """A config that the example prints, read back with one argument changed, draws what it says."""
    config = example("jsonargparse_train.py", "--init=Normal", "--init.std=0.02", "--bias=jax:ones", "--print_config",
                     cwd=tmp_path)
    (tmp_path / "config.yaml").write_text(config, "utf-8")

    printed = example("jsonargparse_train.py", "--config=config.yaml", "--seed=7", "--output=weights.npz", cwd=tmp_path)

    assert OmegaConf.create(config).init == {"class_path": "fanin.Normal", "init_args": {"mean": 0.0, "std": 0.02}}
    assert printed.splitlines() == ["weight: Normal(mean=0.0, std=0.02)", "bias: Constant(value=1.0)"]
    assert_drawn(np.load(tmp_path / "weights.npz"), {"weight": Normal(std=0.02), "bias": fanin.Constant(1.0)}, seed=7)
