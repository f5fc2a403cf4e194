"""Rules: which one applies, what its `init` means, and every way in which one can be wrong."""

import json
import math

import numpy as np
import pytest

from fanin import Constant, FaninError, Normal, Orthogonal, Registry, Sparse, TruncatedNormal
from fanin.checkpoint.header import TensorInfo
from fanin.checkpoint.rulefile import load_rules, rule_sets, rules_text
from fanin.checkpoint.rules import assign


@pytest.fixture
def rules(tmp_path):
    """Reads rules from a TOML text."""
    def read(text, layout="torch"):
        path = tmp_path / "rules.toml"
        path.write_text(text)
        return load_rules(str(path), layout)

    return read


def tensors(**shapes):
    return [TensorInfo(name.replace("__", "."), shape, "F32") for name, shape in shapes.items()]


def schemes(draws):
    return {draw.info.name: draw.scheme for draw in draws}


def one(match, init):
    return f"[[rule]]\nmatch = '{match}'\ninit = {init}\n"


def test_the_first_match_wins(rules):
    """Order decides: a later rule never overrides an earlier one."""
    text = one("a.*", "'ones'") + one("*", "'zeros'") + one("b*", "'ones'")

    draws = assign(tensors(a__w=(2,), b__w=(2,), ba__w=(2,)), rules(text))

    assert schemes(draws) == {"a.w": Constant(1.0), "b.w": Constant(0.0), "ba.w": Constant(0.0)}
    assert [draw.rule for draw in draws] == ["a.*", "*", "*"]


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
    infos = [TensorInfo(name, (2,), "F32") for name in names]

    draws = assign(infos, rules(one(match, "'ones'") + one("*", "'zeros'")))

    assert {draw.info.name for draw in draws if draw.scheme == Constant(1.0)} == hits


def test_all_unmatched_parameters_are_listed(rules):
    """A parameter that no rule matches is an error that lists it; a long list ends in a count."""
    few, many = tensors(a=(2,), b=(2,), c=(2,)), [TensorInfo(f"p{i}", (2,), "F32") for i in range(25)]

    with pytest.raises(FaninError, match=r"every parameter must match a rule: add one for a, c$"):
        assign(few, rules(one("b", "'ones'")))
    with pytest.raises(FaninError, match=r"p0, p1, .*, p19 and 5 more$"):
        assign(many, rules(one("b", "'ones'")))


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
    (rule,) = rules(one("*", init))

    assert rule.scheme == scheme


def test_json_says_the_same_as_toml(rules, tmp_path):
    """The same entries in JSON are the same rules, and what goes into a file's metadata can be read back."""
    text = one("a", "'he_normal'") + one("re:b+", "{ name = 'truncated_normal', lower = -inf }") + \
        "rank = [1, 2]\nrank_of = 'a'\n" + one("c", "{ name = 'constant', value = [nan, inf, 1.0] }")
    toml = rules(text)
    path = tmp_path / "rules.json"
    path.write_text(rules_text(toml))

    again = load_rules(str(path))

    assert json.loads(rules_text(toml))["rule"][1]["init"] == {"name": "truncated_normal", "lower": "-inf"}
    assert [(rule.match, rule.scheme, rule.ranks) for rule in again] == [
        (rule.match, rule.scheme, rule.ranks) for rule in toml]
    assert rules_text(again) == rules_text(toml)


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
    assert rules(one("*", init))[0].scheme.get_config()["layout"] == torch
    assert rules(one("*", init), "jax")[0].scheme.get_config()["layout"] == jax


def test_the_axis_of_orthogonal_and_sparse_follows_the_layout(rules):
    """Outputs are the first axis in torch's layout, the last in JAX's."""
    text = one("o", "'orthogonal'") + one("s", "{ name = 'sparse', sparsity = 0.5 }") + \
        one("k", "{ scheme = 'orthogonal', axis = 1 }") + one("n", "'normal'")

    in_torch, in_jax = rules(text), rules(text, "jax")

    assert [rule.scheme for rule in in_torch] == [Orthogonal(), Sparse(0.5), Orthogonal(axis=1), Normal()]
    assert [rule.scheme for rule in in_jax] == [Orthogonal(axis=-1), Sparse(0.5, axis=-1), Orthogonal(axis=1), Normal()]


BIAS = "{ scheme = 'variance_scaling', scale = 0.3333333333333333, distribution = 'uniform' }"


def test_fans_of_a_sibling(rules):
    """A bias drawn with its weight's fans, the sibling named by its last part or through the expression's groups."""
    infos = tensors(a__bias=(4,), a__weight=(4, 3, 5), cell__b_l0=(8,), cell__w_l0=(8, 2), bias=(6,), weight=(6, 7))
    text = one("*bias", BIAS) + "fans_of = 'weight'\n" + one(r"re:(.*)b_(l\d)", BIAS) + r"fans_of = '\1w_\2'" + "\n" + \
        one("*", "'ones'")

    draws = {draw.info.name: draw for draw in assign(infos, rules(text))}

    for name, fan_in in (("a.bias", 15), ("cell.b_l0", 2), ("bias", 7)):
        assert draws[name].plan.std == pytest.approx(1 / math.sqrt(3 * fan_in), rel=1e-6)
        assert draws[name].plan.fan_in == fan_in


def test_fans_of_follow_the_layout(rules):
    """The sibling's axes are read in the rule's layout."""
    text = one("b", BIAS) + "fans_of = 'w'\n" + one("w", "'ones'")

    (draw, _) = assign(tensors(b=(4,), w=(3, 4)), rules(text, "jax"))

    assert draw.plan.fan_in == 3


def test_rank_and_rank_of(rules):
    """`rank` counts the tensor's axes or, with `rank_of`, a sibling's; without the sibling the rule does not apply."""
    infos = tensors(n__bias=(2,), n__weight=(2,), l__bias=(2,), l__weight=(2, 2), alone__bias=(2,))
    text = one("*bias", "'ones'") + "rank = 1\nrank_of = 'weight'\n" + \
        one("*weight", "{ name = 'constant', value = 2.0 }") + "rank = [2, 3]\n" + one("*", "'zeros'")

    found = schemes(assign(infos, rules(text)))

    assert {name: scheme.value for name, scheme in found.items()} == {
        "n.bias": 1.0, "n.weight": 0.0, "l.bias": 0.0, "l.weight": 2.0, "alone.bias": 0.0}


def test_arange(rules):
    """'arange' counts along the last axis, in every row, in the tensor's own dtype."""
    info = TensorInfo("position_ids", (2, 5), "I64")

    (draw,) = assign([info], rules(one("*", "'arange'")))

    assert np.array_equal(draw.scheme(info.shape, dtype="int64"), [[0, 1, 2, 3, 4]] * 2)
    assert draw.label == "arange(5)"


@pytest.mark.parametrize(("shape", "dtype", "fits"), [
    ((128,), "I8", True), ((129,), "I8", False), ((256,), "U8", True), ((257,), "U8", False), ((2,), "BOOL", True),
    ((3,), "BOOL", False), ((257,), "BF16", True), ((258,), "BF16", False), ((2049,), "F16", True),
    ((2050,), "F16", False), ((), "I64", False), ((0,), "I8", True),
])
def test_arange_must_fit(rules, shape, dtype, fits):
    """Every count must be a value that the dtype holds exactly."""
    info = TensorInfo("p", shape, dtype)
    if fits:
        (draw,) = assign([info], rules(one("*", "'arange'")))
        assert np.array_equal(draw.scheme(shape, dtype=info.numpy_dtype).astype(np.float64), np.arange(shape[0]))
    else:
        with pytest.raises(FaninError, match="'p': 'arange'"):
            assign([info], rules(one("*", "'arange'")))


BAD_RULES = [
    ("", r"at least one \[\[rule\]\]"),
    ("rule = 3", r"at least one \[\[rule\]\]"),
    ("rule = []", r"at least one \[\[rule\]\]"),
    ("rule = [1]", r"at least one \[\[rule\]\]"),
    ("x = 1\n" + one("*", "'ones'"), r"\[\[rule\]\] entries only \(got 'x'\)"),
    ("[[rule]\n", "valid TOML or JSON"),
    ("{", "valid TOML or JSON"),
    ('{"rule": [{"match": "*", "match": "a", "init": "ones"}]}', "unique"),
    ("[[rule]]\ninit = 'ones'", "rule 1: must have `match`"),
    ("[[rule]]\nmatch = '*'", r"rule 1 \(match '\*'\): must have `init`"),
    (one("a", "'ones'") + one("b", "'ones'") + "stdd = 1", r"rule 2 \(match 'b'\): may have the keys .* 'stdd'"),
    ("[[rule]]\nmatch = 3\ninit = 'ones'", "`match` must be a string"),
    (one("re:(", "'ones'"), "valid regular expression"),
    (one("*", "3"), "`init` must be a name"),
    (one("*", "{ std = 1.0 }"), "`init` must be a name"),
    (one("*", "['ones']"), "`init` must be a name"),
    (one("*", "'he_norml'"), "he_normal"),
    (one("*", "'nope:he_normal'"), "nope"),
    (one("*", "{ name = 'normal', stdd = 1.0 }"), "stdd"),
    (one("*", "{ name = 'normal', std = -1.0 }"), "`std` must be finite and >= 0"),
    (one("*", "{ name = 'normal', std = 'big' }"), "`std`"),
    (one("*", "{ scheme = 'norml' }"), "normal"),
    (one("*", "{ scheme = 'normal', version = 99 }"), "version"),
    (one("*", "{ scheme = 'normal', stdd = 1.0 }"), "stdd"),
    (one("*", "'sparse'"), "sparsity"),
    (one("*", "'bilinear'"), "bilinear"),
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
        assign(tensors(a__bias=(3,)), rules(text))


def test_a_range_that_overflows_the_dtype_is_refused_beforehand(rules):
    """A draw that cannot be held is an error of the assignment, not of the writing."""
    with pytest.raises(FaninError, match=r"'w'.*float16"):
        assign([TensorInfo("w", (3,), "F16")], rules(one("*", "{ name = 'constant', value = 1e6 }")))
    with pytest.raises(FaninError, match="'w'"):
        assign([TensorInfo("w", (3,), "I64")], rules(one("*", "'normal'")))


def test_rules_come_from_a_file_or_a_set(tmp_path):
    """An unknown name lists the sets; a file that is not there is a file error."""
    assert rule_sets() == ["torch", "transformer"]
    with pytest.raises(FaninError, match=r"`--rules` must be a file or one of torch, transformer \(got 'trnsformer'\)"):
        load_rules("trnsformer")
    with pytest.raises(FileNotFoundError):
        load_rules(str(tmp_path / "missing.toml"))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FaninError, match="not UTF-8"):
        load_rules(str(tmp_path / "binary.toml"))
