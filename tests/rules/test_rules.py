"""Rules: which one applies, what its `init` means, and every way in which one can be wrong."""

import json
import math
import pickle

import numpy as np
import pytest

from fanin import (
    Blocks,
    Constant,
    FaninError,
    FaninTypeError,
    Initializer,
    Normal,
    Orthogonal,
    Registry,
    Sinusoidal,
    Sparse,
    TruncatedNormal,
    VarianceScaling,
)
from fanin._dtypes import as_dtype
from fanin.rules import Layer, Parameter, Rules
from fanin.rules._files import recipe_names, rule_sets

FLOAT32 = np.dtype("float32")


@pytest.fixture
def rules(tmp_path):
    """Reads rules from a TOML text."""
    def read(text):
        path = tmp_path / "rules.toml"
        path.write_text(text)
        return Rules.read(path)

    return read


def parameters(**shapes):
    return [Parameter(name.replace("__", "."), shape, FLOAT32) for name, shape in shapes.items()]


def schemes(table):
    return {row.parameter.name: row.scheme for row in table}


def one(match, init):
    return f"[[rule]]\nmatch = '{match}'\ninit = {init}\n"


def test_the_first_match_wins(rules):
    """Order decides: a later rule never overrides an earlier one."""
    text = one("a.*", "'ones'") + one("*", "'zeros'") + one("b*", "'ones'")

    table = rules(text).assign(parameters(a__w=(2,), b__w=(2,), ba__w=(2,)))

    assert schemes(table) == {"a.w": Constant(1.0), "b.w": Constant(0.0), "ba.w": Constant(0.0)}
    assert [row.rule for row in table] == ["a.*", "*", "*"]


@pytest.mark.parametrize(("match", "hits"), [
    ("*.weight", {"a.weight", "a.b.weight"}),
    ("weight", {"weight"}),
    ("?.weight", {"a.weight"}),
    ("[ab].Weight", {"a.Weight"}),
    ("a.*", {"a.weight", "a.b.weight", "a.Weight"}),
    (r"re:.*\.weight", {"a.weight", "a.b.weight"}),
    ("re:weight", {"weight"}),
    (r"re:(?i).*\.weight", {"a.weight", "a.b.weight", "a.Weight"}),
    ("re:a", set()),
])
def test_patterns_cover_the_whole_name(rules, match, hits):
    """Globs and regular expressions match all of a name or nothing of it, and case counts."""
    names = ["weight", "a.weight", "a.b.weight", "a.Weight"]
    infos = [Parameter(name, (2,), FLOAT32) for name in names]

    table = rules(one(match, "'ones'") + one("*", "'zeros'")).assign(infos)

    assert {row.parameter.name for row in table if row.scheme == Constant(1.0)} == hits


def test_all_unmatched_parameters_are_listed(rules):
    """A parameter that no rule matches is an error that lists it; a long list ends in a count."""
    few, many = parameters(a=(2,), b=(2,), c=(2,)), [Parameter(f"p{i}", (2,), FLOAT32) for i in range(25)]

    with pytest.raises(FaninError, match=r"every parameter must match a rule: add one for a, c$"):
        rules(one("b", "'ones'")).assign(few)
    with pytest.raises(FaninError, match=r"p0, p1, .*, p19 and 5 more; rule 1 .* no name matches$"):
        rules(one("b", "'ones'")).assign(many)


@pytest.mark.parametrize(("init", "scheme"), [
    ("'he_normal'", Registry.get("he_normal")),
    ("'jax:kaiming_normal'", Registry.get("kaiming_normal", profile="jax")),
    ("{ name = 'normal', std = 0.02 }", Normal(std=0.02)),
    ("{ name = 'kaiming_normal', profile = 'jax' }", Registry.get("kaiming_normal", profile="jax")),
    ("{ scheme = 'normal', version = 1, std = 0.02 }", Normal(std=0.02)),
    ("{ scheme = 'normal', std = 0.02 }", Normal(std=0.02)),
    ("{ name = 'truncated_normal', lower = -inf }", TruncatedNormal(lower=-math.inf)),
    ("{ name = 'truncated_normal', lower = '-inf' }", TruncatedNormal(lower=-math.inf)),
    ("{ scheme = 'truncated_normal', lower = '-inf' }", TruncatedNormal(lower=-math.inf)),
    ("{ scheme = 'truncated_normal', lower = -inf }", TruncatedNormal(lower=-math.inf)),
    ("{ name = 'constant', value = [0.0, nan, -inf] }", Constant([0.0, math.nan, -math.inf])),
    ("{ scheme = 'constant', value = nan }", Constant(math.nan)),
    ("{ scheme = 'constant', value = [1.0, 2.0, 3.0] }", Constant([1.0, 2.0, 3.0])),
])
def test_every_form_of_init(rules, init, scheme):
    """A name, `profile:name`, a name with parameters, and a config all say what the library says by them."""
    (row,) = rules(one("*", init)).assign([Parameter("w", (3, 3), FLOAT32)])

    assert row.scheme == scheme


def test_json_says_the_same_as_toml(rules, tmp_path):
    """The same entries in JSON are the same rules, and what goes into a file's metadata can be read back."""
    text = one("a", "'he_normal'") + one("re:b+", "{ name = 'truncated_normal', lower = -inf }") + \
        "rank = [1, 2]\nrank_of = 'a'\n" + one("c", "{ name = 'constant', value = [nan, inf, 1.0] }")
    toml = rules(text)
    path = tmp_path / "rules.json"
    (tmp_path / "list.json").write_text(json.dumps(toml.get_config()["rule"]))
    assert Rules.read(tmp_path / "list.json")._entries() == toml._entries()
    (tmp_path / "list.json").write_text('"he_normal"')
    with pytest.raises(FaninError, match="must be a JSON table .* or its list alone"):
        Rules.read(tmp_path / "list.json")
    path.write_text(json.dumps(toml.get_config()))

    again = Rules.read(path)

    assert toml.get_config()["rule"][1]["init"] == {"name": "truncated_normal", "lower": "-inf"}
    assert again == toml == Rules.from_config(toml.get_config()) == pickle.loads(pickle.dumps(toml))
    assert hash(again) == hash(toml)


@pytest.mark.parametrize(("init", "torch", "jax"), [
    ("'he_normal'", "oi*", "*io"),
    ("{ scheme = 'variance_scaling' }", "oi*", "*io"),
    ("{ scheme = 'variance_scaling', layout = 'o*i' }", "o*i", "o*i"),
    ("{ name = 'he_normal', layout = 'o*i' }", "o*i", "o*i"),
    ("'jax:he_normal'", "*io", "*io"),
    ("'torch:kaiming_normal'", "oi*", "oi*"),
    ("{ name = 'kaiming_normal', profile = 'torch' }", "oi*", "oi*"),
    ("'dirac'", "oi*", "*io"),
    ("'delta_orthogonal'", "oi*", "*io"),
])
def test_layout_is_that_of_the_command_line_unless_the_rule_has_its_own(rules, init, torch, jax):
    """Bare names and configs without a layout mean the layout asked for; a profile and an explicit layout stay."""
    def layout(usual):
        (row,) = rules(one("*", init)).assign([Parameter("w", (3, 3, 3), FLOAT32)], usual)
        return row.scheme.layout

    assert layout("torch") == torch
    assert layout("jax") == jax


def test_the_axis_of_orthogonal_and_sparse_follows_the_layout(rules):
    """Outputs are the first axis in torch's layout, the last in JAX's."""
    text = one("o", "'orthogonal'") + one("s", "{ name = 'sparse', sparsity = 0.5 }") + \
        one("k", "{ scheme = 'orthogonal', axis = 1 }") + one("n", "'normal'")

    table = rules(text)
    params = parameters(o=(3, 3), s=(3, 3), k=(3, 3), n=(3, 3))

    assert list(schemes(table.assign(params)).values()) == [Orthogonal(), Sparse(0.5), Orthogonal(axis=1), Normal()]
    assert list(schemes(table.assign(params, "jax")).values()) == [
        Orthogonal(axis=-1), Sparse(0.5, axis=-1), Orthogonal(axis=1), Normal()]


BIAS = "{ scheme = 'variance_scaling', scale = 0.3333333333333333, distribution = 'uniform' }"


def test_fans_of_a_sibling(rules):
    """A bias drawn with its weight's fans, the sibling named by its last part or through the expression's groups."""
    infos = parameters(a__bias=(4,), a__weight=(4, 3, 5), cell__b_l0=(8,), cell__w_l0=(8, 2), bias=(6,), weight=(6, 7))
    text = one("*bias", BIAS) + "fans_of = 'weight'\n" + one(r"re:(.*)b_(l\d)", BIAS) + r"fans_of = '\1w_\2'" + "\n" + \
        one("*", "'ones'")

    rows = {row.parameter.name: row for row in rules(text).assign(infos)}

    for name, fan_in in (("a.bias", 15), ("cell.b_l0", 2), ("bias", 7)):
        assert rows[name].plan.std == pytest.approx(1 / math.sqrt(3 * fan_in), rel=1e-6)
        assert rows[name].plan.fan_in == fan_in


def test_fans_of_follow_the_layout(rules):
    """The sibling's axes are read in the rule's layout."""
    text = one("b", BIAS) + "fans_of = 'w'\n" + one("w", "'ones'")

    (row, _) = rules(text).assign(parameters(b=(4,), w=(3, 4)), "jax")

    assert row.plan.fan_in == 3


def test_rank_and_rank_of(rules):
    """`rank` counts the tensor's axes or, with `rank_of`, a sibling's; without the sibling the rule does not apply."""
    infos = parameters(n__bias=(2,), n__weight=(2,), l__bias=(2,), l__weight=(2, 2), alone__bias=(2,))
    text = one("*bias", "'ones'") + "rank = 1\nrank_of = 'weight'\n" + \
        one("*weight", "{ name = 'constant', value = 2.0 }") + "rank = [2, 3]\n" + one("*", "'zeros'")

    found = schemes(rules(text).assign(infos))

    assert {name: scheme.value for name, scheme in found.items()} == {
        "n.bias": 1.0, "n.weight": 0.0, "l.bias": 0.0, "l.weight": 2.0, "alone.bias": 0.0}


def test_arange(rules):
    """'arange' counts along the last axis, in every row, in the tensor's own dtype."""
    info = Parameter("position_ids", (2, 5), np.dtype("int64"))

    (row,) = rules(one("*", "'arange'")).assign([info])

    assert np.array_equal(row.scheme(info.shape, dtype="int64"), [[0, 1, 2, 3, 4]] * 2)
    assert row.label == "arange(5)"


@pytest.mark.parametrize(("shape", "dtype", "fits"), [
    ((128,), "int8", True), ((129,), "int8", False), ((256,), "uint8", True), ((257,), "uint8", False),
    ((2,), "bool", True),
    ((3,), "bool", False), ((257,), "bfloat16", True), ((258,), "bfloat16", False), ((2049,), "float16", True),
    ((2050,), "float16", False), ((), "int64", False), ((0,), "int8", True),
])
def test_arange_must_fit(rules, shape, dtype, fits):
    """Every count must be a value that the dtype holds exactly."""
    info = Parameter("p", shape, as_dtype(dtype))
    if fits:
        (row,) = rules(one("*", "'arange'")).assign([info])
        assert np.array_equal(row.scheme(shape, dtype=info.dtype).astype(np.float64), np.arange(shape[0]))
    else:
        with pytest.raises(FaninError, match="'p': 'arange'"):
            rules(one("*", "'arange'")).assign([info])


BAD_RULES = [
    ("", r"at least one \[\[rule\]\]"),
    ("rule = 3", r"at least one \[\[rule\]\]"),
    ("rule = []", r"at least one \[\[rule\]\]"),
    ("rule = [1]", r"at least one \[\[rule\]\]"),
    ("x = 1\n" + one("*", "'ones'"), r"\[\[rule\]\] entries, .* only \(got 'x'\)"),
    ("[[rule]\n", "valid TOML or JSON"),
    ("{", "valid TOML or JSON"),
    ("[]", r"at least one \[\[rule\]\] .*in JSON a list of such tables"),
    ('{"*": "ones"}', r"at least one \[\[rule\]\] .*in JSON a list of such tables"),
    ('[{"match": "*"', "valid TOML or JSON"),
    (' [ {"init": "ones"}]', "rule 1: must have `match`"),
    ('{"rule": [{"match": "*", "match": "a", "init": "ones"}]}', "unique"),
    ("[[rule]]\ninit = 'ones'", "rule 1: must have `match`"),
    ("[[rule]]\nmatch = '*'", r"rule 1 \(match '\*'\): must have `init`"),
    (one("a", "'ones'") + one("b", "'ones'") + "stdd = 1", r"rule 2 \(match 'b'\): may have the keys .* 'stdd'"),
    ("[[rule]]\nmatch = 3\ninit = 'ones'", "`match` must be a string"),
    (one("re:(", "'ones'"), "valid regular expression"),
    (one("*", "3"), "`init` must be a name"),
    (one("*", "{ std = 1.0 }"), "`init` must be a name"),
    (one("*", "['ones']"), "`init` must be a name"),
    (one("*", "'ones'") + "fans = 'both'", "`fans` must be"),
    (one("*", "'ones'") + "layer = 3", "`layer` must be a type's name"),
    (one("*", "'ones'") + "layer = []", "`layer` must be a type's name"),
    (one("*", "'ones'") + "padding_idx = 'a'", "`padding_idx`"),
    ("version = 2\n" + one("*", "'ones'"), "`version` of rules must be 1 or older"),
    ("strict = 1\n" + one("*", "'ones'"), "`strict`"),
    ("variables = 3\n" + one("*", "'ones'"), "`variables` must be a table"),
    ("variables = {a = 'b'}\n" + one("*", "'ones'"), "`variables` must be finite numbers"),
    ("variables = {'a b' = 1}\n" + one("*", "'ones'"), "`variables` must have names"),
    (one("*", "{ name = 'normal', std = '=1/' }"), "an expression must be arithmetic"),
    (one("*", "{ name = 'normal', std = '=depth' }"), r"an expression may use .*layers \(got 'depth'\)"),
    (one("*", "{ name = 'normal', std = '=__import__(0)' }"), "an expression must be arithmetic"),
    (one("*", "{ name = 'normal', std = '=(1).real' }"), "an expression must be arithmetic"),
    (one("*", "{ name = 'normal', std = '=[1][0]' }"), "an expression must be arithmetic"),
    (one("*", "{ name = 'normal', std = '=1/0' }"), "must have a real value"),
    (one("*", "{ name = 'normal', std = '=9**9**9' }"), "must have a real value"),
    (one("*", "{ name = 'normal', std = '=(0-1)**0.5' }"), "must have a real value"),
    (one("*", "{ name = 'blocks', inits = ['ones', 'nope'] }"), "nope"),
    (one("*", "'he_norml'"), "he_normal"),
    (one("*", "'nope:he_normal'"), "nope"),
    (one("*", "{ name = 'normal', stdd = 1.0 }"), "stdd"),
    (one("*", "{ name = 'normal', std = -1.0 }"), "`std` must be finite and >= 0"),
    (one("*", "{ name = 'normal', std = 'big' }"), "`std`"),
    (one("*", "{ scheme = 'norml' }"), "normal"),
    (one("*", "{ scheme = 'normal', version = 99 }"), "version"),
    (one("*", "{ scheme = 'normal', stdd = 1.0 }"), "stdd"),
    (one("*", "'sparse'"), "sparsity"),
    (one("*", "'unitball'"), "unitball"),
    (one("*", "'ones'") + "rank = -1", "`rank` must be"),
    (one("*", "'ones'") + "rank = []", "`rank` must be"),
    (one("*", "'ones'") + "rank = true", "`rank` must be"),
    (one("*", "'ones'") + "rank_of = 'weight'", "must come with `rank`"),
    (one("*", "'ones'") + "rank = 1\nrank_of = 3", "`rank_of` must be a string"),
    (one("*", "'ones'") + "fans_of = 'weight'", "`fans_of` needs an `init` with fans"),
    (one("*", "'arange'") + "fans_of = 'weight'", "`fans_of` needs an `init` with fans"),
]


@pytest.mark.parametrize(("text", "rule"), BAD_RULES)
def test_a_bad_rule_is_refused_in_one_line(rules, tmp_path, text, rule):
    """The message names the file, the rule's number and pattern, and what is wrong, whether or not it would apply."""
    with pytest.raises(FaninError, match=rule) as caught:
        rules(text)

    assert str(caught.value).startswith(str(tmp_path / "rules.toml"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("text", "message"), [
    (one("*", BIAS) + "fans_of = 'weight'", r"'a\.bias': `fans_of` must name a tensor .*'a\.weight'"),
    (one("*", BIAS), r"'a\.bias': `shape` must have at least 2 dimensions"),
    (one("*", "'orthogonal'"), r"'a\.bias'"),
    (one("re:a.*", "'ones'") + "rank = 1\nrank_of = '\\9'", r"'a\.bias': `rank_of` must refer to groups"),
])
def test_what_a_rule_cannot_do_for_a_tensor(rules, text, message):
    """An error that shows only on the model names the tensor."""
    with pytest.raises(FaninError, match=message):
        rules(text).assign(parameters(a__bias=(3,)))


def test_a_range_that_overflows_the_dtype_is_refused_beforehand(rules):
    """A draw that cannot be held is an error of the assignment, not of the writing."""
    with pytest.raises(FaninError, match=r"'w'.*float16"):
        rules(one("*", "{ name = 'constant', value = 1e6 }")).assign([Parameter("w", (3,), np.dtype("float16"))])
    with pytest.raises(FaninError, match="'w'"):
        rules(one("*", "'normal'")).assign([Parameter("w", (3,), np.dtype("int64"))])


def test_rules_come_from_a_file_or_a_set(tmp_path):
    """An unknown name lists the sets; a file that is not there is a file error."""
    assert {"onnx", "torch", "transformer", *recipe_names()} == set(rule_sets())
    with pytest.raises(FaninError, match=r"must be a rule set \(onnx, torch, transformer\), .* \(got 'trnsformer'\)"):
        Rules.read("trnsformer")
    with pytest.raises(FileNotFoundError):
        Rules.read(str(tmp_path / "missing.toml"))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FaninError, match="not UTF-8"):
        Rules.read(str(tmp_path / "binary.toml"))


# -- what a layer says ------------------------------------------------------------------------------------------------


UP = Layer(("ConvTranspose2d", "_ConvTransposeNd"), "io*", groups=2, transposed=True)
DENSE = Layer(("Dense", "Module"), "*io")


def chosen(entries, parameter, **options):
    (row,) = Rules(entries, **options).assign([parameter])
    return row


@pytest.mark.parametrize(("init", "fan_in"), [
    ("he_normal", 64 // 2 * 16),
    ("torch:kaiming_normal", 64 // 2 * 16),
    ("jax:he_normal", 64 // 2 * 16),
    (VarianceScaling(2.0), 64 // 2 * 16),
    (VarianceScaling(2.0).get_config(), 32 * 16),  # written out, as JSON may be: it says its layout itself
    ({"scheme": "variance_scaling", "scale": 2.0}, 64 // 2 * 16),
    ({"name": "he_normal", "layout": "oi*"}, 32 * 16),
    ({"name": "he_normal", "groups": 1}, 32 * 16),
    (VarianceScaling(2.0, layout="io*"), 64 * 16),
    (VarianceScaling(2.0, fan_in=7), 7),
])
def test_fans_are_the_layers_unless_init_says_otherwise(init, fan_in):
    """A layer's layout, groups and transposition replace a scheme's that `init` didn't give; given ones stay."""
    up = Parameter("up.weight", (64, 32, 4, 4), FLOAT32, UP)
    rules = Rules({"*": init})

    assert rules.assign([up])[0].plan.fan_in == fan_in
    assert Rules.from_config(rules.get_config()).assign([up])[0].plan.fan_in == fan_in
    assert chosen([{"match": "*", "init": init, "fans": "shape"}], up).plan.fan_in == \
        Registry.get(init).describe(up.shape).fan_in


def test_other_schemes_follow_the_layer_too():
    """Orthogonal and Sparse take their rows from the side of the outputs, kernels their centre from the layout."""
    dense = Parameter("d.kernel", (3, 3, 8, 4), FLOAT32, DENSE)

    assert chosen({"*": "orthogonal"}, dense).scheme == Orthogonal(axis=-1)
    assert chosen({"*": "delta_orthogonal"}, dense._replace(shape=(3, 3, 4, 8))).scheme.layout == "*io"
    assert chosen({"*": "dirac"}, dense).scheme.layout == "*io"
    assert chosen({"*": Orthogonal(axis=1)}, dense).scheme == Orthogonal(axis=1)


def test_a_rule_for_a_type_of_layer():
    """`layer` is a type's name, its base's, a glob of one, or a list; a parameter of no known layer doesn't match."""
    entries = [{"match": "*", "layer": ["_ConvTranspose*", "Linear"], "init": "ones"}, {"match": "*", "init": "zeros"}]
    shape = (4, 4, 2, 2)

    found = schemes(Rules(entries).assign([Parameter("a", shape, FLOAT32, UP), Parameter("b", shape, FLOAT32, DENSE),
                                           Parameter("c", shape, FLOAT32)]))

    assert found == {"a": Constant(1.0), "b": Constant(0.0), "c": Constant(0.0)}
    with pytest.raises(FaninError, match=r"add one for c \(rules with `layer` apply only where layers are known"):
        Rules(entries[:1]).assign([Parameter("c", shape, FLOAT32)])


def test_fans_of_a_sibling_are_its_layers():
    """A bias of a transposed convolution has its weight's true fan_in, or with fans = "shape" torch's."""
    params = [Parameter("up.weight", (64, 32, 4, 4), FLOAT32, UP), Parameter("up.bias", (64,), FLOAT32)]
    entry = {"match": "*.bias", "init": "torch_default", "fans_of": "weight"}
    rest = {"match": "*", "init": "zeros"}

    assert Rules([entry, rest]).assign(params)[1].plan.fan_in == 64 // 2 * 16
    assert Rules([{**entry, "fans": "shape"}, rest]).assign(params)[1].plan.fan_in == 32 * 16


@pytest.mark.parametrize("fans", ["layer", "shape"])
def test_fans_of_a_sibling_that_lies_elsewhere(fans):
    """Where there is no sibling the layer's word counts, if it has one: of a head that holds the bias of a tied one."""
    bias = Parameter("head.bias", (100,), FLOAT32, Layer(("Head",), fan_in=48, fan_out=100))
    rules = Rules([{"match": "*.bias", "init": "torch_default", "fans_of": "weight", "fans": fans}])

    assert rules.assign([bias])[0].plan.fan_in == 48
    weight = Parameter("head.weight", (100, 32), FLOAT32)
    assert Rules([*rules.get_config()["rule"], ("*", "zeros")]).assign([bias, weight])[0].plan.fan_in == 32
    with pytest.raises(FaninError, match="`fans_of` must name a tensor of the model"):
        rules.assign([bias._replace(layer=Layer(("Head",)))])


TABLE = Layer(("Embedding",), "oi*", padding_idx=1, fixed=Sinusoidal())


@pytest.mark.parametrize("rules", [{"*": "ones"}, "he_normal", {"*": {"name": "dirac"}}, "transformer",
                                   {"table": "start"}, {"*": "arange"}], ids=str)
def test_no_rule_changes_what_is_fixed(rules):
    """A table that is never trained gets its start, and a warning says so; a rule may leave it as it is."""
    table = Parameter("table", (6, 8), np.dtype("float32"), TABLE)

    assigned = Rules.of(rules).assign([table])

    assert assigned[0].scheme == Sinusoidal() and assigned[0].plan == Sinusoidal().describe((6, 8))
    assert assigned.warnings == ("frozen, and computed by the model: it gets these values, whatever the rules: table",)
    kept = Rules({"table": "keep"}).assign([table])
    assert kept[0].scheme is None and kept.warnings == ()
    assert Layer(("Linear",)).completed(TABLE).fixed == TABLE.fixed and not UP.completed(Layer(("Linear",))).fixed


def test_layers_go_through_json():
    """What a layer says survives a table; what is no layer is refused."""
    for layer in (UP, DENSE, Layer(), Layer(("Embedding",), "oi*", padding_idx=3), Layer(fan_in=5, fan_out=2.5), TABLE):
        assert Layer.from_json(json.loads(json.dumps(layer.to_json()))) == layer
    for table, message in (([], "must be a table"), ({"kind": 1}, "kind"), ({"types": "Conv"}, "`types`"),
                           ({"layout": "xy"}, "`layout`"), ({"groups": 0}, "`groups`"), ({"fan_in": 0}, "`fan_in`"),
                           ({"transposed": 1}, "`transposed`"), ({"padding_idx": 1.5}, "`padding_idx`"),
                           ({"fixed": {"scheme": "table"}}, "`scheme`")):
        with pytest.raises(FaninError, match=message):
            Layer.from_json(table)


# -- depth, blocks, padding -------------------------------------------------------------------------------------------


def stack(*names):
    return [Parameter(name, (8, 8), FLOAT32) for name in names]


def test_numbers_that_depend_on_the_depth():
    """`layers` is the number of layers of the tensor's own stack, `layer` its place there."""
    params = stack("encoder.layers.0.out", "encoder.layers.1.out", "encoder.layers.1.sub.7.out",
                   *(f"decoder.layers.{i}.out" for i in (0, 1, 2, 10)))

    def stds(std, match="*", **variables):
        return [row.plan.std for row in Rules({match: {"name": "normal", "std": std}}, variables).assign(params)]

    assert stds("=0.02/sqrt(2*layers)") == pytest.approx([0.02 / 2] * 3 + [0.02 / 8**0.5] * 4)
    assert stds("=1/(layer + 1)") == pytest.approx([1, 1 / 2, 1 / 2, 1, 1 / 2, 1 / 3, 1 / 11])
    assert stds("=width/sqrt(layers)", width=3, layers=9) == [1.0] * 7
    assert stds("=sqrt(2/(fan_in + fan_out))") == pytest.approx([(2 / 16) ** 0.5] * 7)
    assert stds("=min(layers, 3)*1e-2", r"re:\w+\.layers\.(?P<layer>\d+)\..*") == pytest.approx([0.02] * 3 + [0.03] * 4)


def test_a_depth_that_names_dont_tell_is_refused():
    """A name without a number has no depth, and the message says what to do."""
    with pytest.raises(FaninError, match=r"'norm': `init` counts layers .*\(\?P<layer>"):
        Rules({"*": {"name": "normal", "std": "=1/layers"}}).assign(stack("norm"))


def test_expressions_are_data():
    """Rules with expressions go through JSON as they were written."""
    rules = Rules({"*": {"name": "normal", "std": "=s/sqrt(2*layers)"}}, {"s": 0.02})

    assert Rules.from_config(json.loads(json.dumps(rules.get_config()))) == rules
    assert rules.get_config()["variables"] == {"s": 0.02}


def test_gates_with_a_scheme_each():
    """An LSTM's forget gate starts with a bias of one; the fans of a fused projection's block are the block's."""
    rules = Rules([{"match": "*.bias", "init": {"name": "blocks", "inits": ["zeros", "ones", "zeros", "zeros"]}},
                   {"match": "*.qkv", "init": {"name": "blocks", "inits": ["xavier_uniform"] * 3}},
                   {"match": "*.kernel", "init": {"name": "blocks", "inits": ["he_normal", {"name": "normal", "std":
                    "=1/fan_in"}], "axis": -1}}])
    params = [Parameter("lstm.bias", (20,), FLOAT32),
              Parameter("attn.qkv", (24, 8), FLOAT32, Layer(fan_in=1, fan_out=1)),
              Parameter("dense.kernel", (6, 4), FLOAT32, DENSE)]

    bias, qkv, kernel = Rules.from_config(rules.get_config()).assign(params)

    assert bias.scheme(20).tolist() == [0.0] * 5 + [1.0] * 5 + [0.0] * 10
    assert qkv.scheme == Blocks([Registry.get("xavier_uniform")] * 3)
    assert qkv.scheme.describe((24, 8)).std == pytest.approx((2 / 16) ** 0.5)
    assert kernel.scheme == Blocks([Registry.get("he_normal", layout="*io"), Normal(std=1 / 6)], axis=-1)


@pytest.mark.parametrize("row", [0, 3, -1])
def test_a_padding_row_is_zero_and_the_others_as_without_it(row):
    """`padding_idx`, the rule's or the layer's, zeroes one row; the fans are the whole's."""
    plain = Parameter("e.weight", (7, 5), FLOAT32)
    by_layer = plain._replace(layer=Layer(("Embedding",), "oi*", padding_idx=row))
    init = {"name": "variance_scaling", "mode": "fan_avg"}

    expected = Registry.get(init)((7, 5), seed=1, name="e.weight")
    expected[row] = 0
    for found in (chosen({"*": init}, by_layer),
                  chosen([{"match": "*", "init": init, "padding_idx": row}], plain),
                  chosen([{"match": "*", "init": init, "padding_idx": row}],
                         plain._replace(layer=Layer(padding_idx=5)))):
        assert np.array_equal(found.scheme((7, 5), seed=1, name="e.weight"), expected)
        assert found.label.endswith(f"row {row % 7} zero")


@pytest.mark.parametrize("shape", [(3, 2), ()])
def test_a_padding_row_must_exist(shape):
    """A row outside the axis is an error that names the parameter."""
    with pytest.raises(FaninError, match="'e': `padding_idx`"):
        chosen([{"match": "*", "init": "zeros", "padding_idx": 3}], Parameter("e", shape, FLOAT32))


# -- tables and ways to write rules -----------------------------------------------------------------------------------


def test_what_stays_as_it_is():
    """A rule can say so, and rules that aren't strict leave what none matches; the table tells which."""
    params = stack("a", "b", "c")
    rules = Rules([("a", "keep"), ("b", "ones")], strict=False)

    table = rules.assign(params)

    assert [row.scheme for row in table] == [None, Constant(1.0), None]
    assert [row.note for row in table] == ["left as it is: a rule says so", "", "left as it is: no rule matches"]
    assert [row.parameter.name for row in table.drawn] == ["b"]
    assert Rules.from_config(rules.get_config()).strict is False


class Ramp(Initializer):
    """A scheme that nobody registered."""

    def __init__(self, layout="oi*"):
        self.layout = layout

    def plan(self, spec):
        return Constant(spec.fans(self.layout).fan_in).plan(spec)


def test_a_scheme_of_ones_own_needs_no_registration():
    """An instance serves as it is, alone and in blocks, and gets the layer's axes; only its config can't be loaded."""
    dense = Parameter("d", (6, 4), FLOAT32, DENSE)
    rules = Rules([("d", Ramp()), ("e", Blocks([Ramp(), "zeros"])), ("f", Ramp("oi*")), ("g", Ramp("io"))])

    rows = rules.assign([dense, dense._replace(name="e"), dense._replace(name="f"), Parameter("g", (6, 4), FLOAT32)])

    assert [row.scheme for row in rows] == [Ramp("*io"), Blocks([Ramp("*io"), "zeros"]), Ramp("*io"), Ramp("io")]
    assert pickle.loads(pickle.dumps(rules)) == rules
    with pytest.raises(FaninError, match="must be a registered scheme"):
        Rules.from_config(rules.get_config())


def test_override_puts_exceptions_first():
    """The entries that override win; all else is as before, variables and strictness too."""
    rules = Rules({"*": {"name": "normal", "std": "=s"}}, {"s": 0.5}, strict=False)

    changed = rules.override([("b", "ones"), ("c", Ramp())])

    assert [row.scheme for row in changed.assign(stack("a", "b", "c"))] == [Normal(std=0.5), Constant(1.0), Ramp()]
    assert (changed.variables, changed.strict, len(rules)) == ({"s": 0.5}, False, 1)


def test_every_way_to_write_rules():
    """Entries, pairs, a mapping, a config, and Rules themselves are the same rules."""
    rules = Rules([{"match": "*", "init": Normal(std=0.5)}])

    for source in (rules, [("*", Normal(std=0.5))], {"*": Normal(std=0.5)}, rules.get_config(),
                   ({"match": "*", "init": Normal(std=0.5)},)):
        assert Rules.of(source).assign(stack("a")) == rules.assign(stack("a"))
    assert Rules.of("torch") == Rules.read("torch")
    for source in (3, [], None, ["ones"], [("a", "b", "c")]):
        with pytest.raises(FaninTypeError, match="must be a"):
            Rules.of(source)


@pytest.mark.parametrize("dtype", ["bfloat16", "bf16", as_dtype("bfloat16").type])
@pytest.mark.parametrize("shape", [(8,), [8], 8])
def test_parameters_as_people_write_them(shape, dtype):
    """A dtype's name, a list or an int are read as in a scheme's call."""
    rules = Rules({"*": "normal"})

    assert rules.assign([Parameter("w", shape, dtype)]) == rules.assign([Parameter("w", (8,), as_dtype("bfloat16"))])


@pytest.mark.parametrize(("parameter", "words"), [
    (Parameter("w", (8, 8), "float33"), "'w': `dtype` must be one of .* [(]got 'float33'[)]"),
    (Parameter("w", (8, "x"), "float32"), "'w': `shape` must "),
    (Parameter(3, (8, 8), "float32"), r"`name` of a parameter must be a string [(]got 3, an int[)]"),
    (("w", (8, 8)), r"`parameters` must hold a fanin.rules.Parameter each [(]got \('w', \(8, 8\)\), a tuple[)]"),
])
def test_what_is_no_parameter_is_named(parameter, words):
    """What can't be read as a parameter is refused with its name, or as a whole."""
    with pytest.raises(FaninTypeError, match=words):
        Rules({"*": "normal"}).assign([parameter])
