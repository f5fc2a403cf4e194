"""What may not be as it was meant is told: in the table, as Python warnings, and as errors where one asks for it."""

import json
import pickle
import warnings

import numpy as np
import pytest

from fanin import Constant, FaninError, FaninWarning, Rules
from fanin.rules import Layer, Parameter, Table
from fanin.rules._slots import Slot, assign_slots
from fanin.rules._warnings import emit

FLOAT32 = np.dtype("float32")


def slots(**remarks):
    return [Slot(Parameter(name, (4, 4), FLOAT32), None, warning=text) for name, text in remarks.items()]


def test_a_warning_about_many_parameters_is_one():
    """The same remark on several slots is one line of the table, with their names; what isn't drawn has none."""
    table = assign_slots(Rules([("keep", "keep"), ("*", "normal")]),
                         slots(a="it is odd", b="", c="it is odd", d="it is strange", keep="it is odd"))

    assert table.warnings == ("it is odd: a, c", "it is strange: d")
    assert str(table).splitlines()[-2:] == ["warning: it is odd: a, c", "warning: it is strange: d"]


def test_warnings_are_added_once():
    """A table with more warnings is another table with the same rows."""
    table = Table([]).with_warnings("one", "two").with_warnings("one", "three")

    assert table.warnings == ("one", "two", "three")


def test_warnings_can_be_errors():
    """A filter on FaninWarning raises the first, and the others are its notes; without one all are issued."""
    with pytest.warns(FaninWarning) as issued:
        emit(["one", "two"])
    assert [str(each.message) for each in issued] == ["one", "two"]

    with warnings.catch_warnings():
        warnings.simplefilter("error", FaninWarning)
        with pytest.raises(FaninWarning, match="one") as caught:
            emit(["one", "two"])
    assert caught.value.__notes__ == ["two"]


# -- rules that decide nothing ----------------------------------------------------------------------------------------


CONV, NORM, LINEAR = (Layer((kind,), layout) for kind, layout in (("Conv2d", "oi*"), ("BatchNorm2d", None),
                                                                  ("Linear", "oi*")))
NETWORK = [Parameter("body.0.weight", (8, 3, 3, 3), FLOAT32, CONV), Parameter("body.0.bias", (8,), FLOAT32, CONV),
           Parameter("body.1.weight", (8,), FLOAT32, NORM), Parameter("head.c_proj.weight", (4, 8), FLOAT32, LINEAR)]
REST = ("*", "ones")


@pytest.mark.parametrize(("entries", "warning"), [
    ([("*.wieght", "ones"), REST], 'rule 1 "*.wieght" decides nothing: no name matches: did you mean *.weight?'),
    ([("*wieght", "ones"), REST], 'rule 1 "*wieght" decides nothing: no name matches: did you mean *weight?'),
    ([("*.c_prj.weight", "ones"), REST],
     'rule 1 "*.c_prj.weight" decides nothing: no name matches: did you mean *.c_proj.weight?'),
    ([("*.experts.w2", "ones"), REST], 'rule 1 "*.experts.w2" decides nothing: no name matches'),
    ([(r"re:body\.7\..*", "ones"), REST], r'rule 1 "re:body\.7\..*" decides nothing: no name matches'),
    ([REST, ("*.bias", "zeros")], 'rule 2 "*.bias" decides nothing: rule 1 "*" matches all it would'),
    ([("*bias", "zeros"), ("*weight", "ones"), ("*", "ones")],
     'rule 3 "*" decides nothing: rule 1 "*bias", rule 2 "*weight" match all it would'),
    ([{"match": "*", "layer": "Conv2D", "init": "ones"}, REST],
     'rule 1 "*" decides nothing: no layer is a Conv2D: did you mean Conv2d?'),
    ([{"match": "head.*", "layer": "Conv2d", "init": "ones"}, REST],
     'rule 1 "head.*" decides nothing: no parameter that it matches is one of a Conv2d'),
    ([("Conv2d", "ones"), REST], 'rule 1 "Conv2d" decides nothing: no name matches; for the layers of this type write '
                                 '"match": "*", "layer": "Conv2d"'),
    ([{"match": "*", "rank": 3, "init": "ones"}, REST], 'rule 1 "*" decides nothing: what it matches has rank 1, 2, 4'),
    ([{"match": "*", "rank": 1, "rank_of": "gamma", "init": "ones"}, REST],
     'rule 1 "*" decides nothing: no sibling of what it matches has such a rank'),
    ([("*", "start"), REST],
     'rule 1 "*" decides nothing: no layer says what the parameters that it matches start from'),
])
def test_a_rule_that_decides_nothing_is_told_with_the_reason(tmp_path, entries, warning):
    """Written in Python, in JSON, or as exceptions to a set; a part of a model is not asked for all of it."""
    written = tmp_path / "rules.json"
    written.write_text(json.dumps(Rules(entries).get_config()))

    for rules in (Rules(entries), Rules.read(written), pickle.loads(pickle.dumps(Rules(entries)))):
        assert rules.assign(NETWORK).warnings == (warning,)
        assert rules.assign(NETWORK, partial=True).warnings == ()


def test_rules_of_a_set_may_decide_nothing_and_exceptions_to_it_may_not():
    """A built-in set is meant for many models; what a user writes is meant for this one."""
    assert Rules.of("transformer").assign(NETWORK).warnings == ()
    for rules in (Rules.of("transformer").override({"x": "ones"}).override({"y": "zeros"}),
                  pickle.loads(pickle.dumps(Rules.of("transformer").override({"y": "zeros", "x": "ones"})))):
        assert rules.assign(NETWORK).warnings == ('rule 1 "y" decides nothing: no name matches',
                                                  'rule 2 "x" decides nothing: no name matches')


def test_a_typo_is_named_in_the_error_too():
    """A parameter that no rule matches is an error, which says what rules were without use."""
    with pytest.raises(FaninError, match=r'add one for body.0.bias; rule 2 "\*\.bais" .* did you mean \*\.bias\?'):
        Rules({"*.weight": "ones", "*.bais": "zeros"}).assign(NETWORK)


def test_names_that_rules_are_not_asked_about():
    """A rule for a tied name, or for a buffer, is told what became of it."""
    there = [Slot(NETWORK[0], None), Slot(NETWORK[3], None, tied="body.0.weight"),
             Slot(NETWORK[2], None, left="buffer, left as it is", buffer=True)]

    assert assign_slots(Rules([("head.*", "ones"), ("body.1.*", "ones"), REST]), there).warnings == (
        'rule 1 "head.*" decides nothing: head.c_proj.weight is not asked about (tied to body.0.weight)',
        'rule 2 "body.1.*" decides nothing: body.1.weight is not asked about (buffer, left as it is)')


# -- what is seldom meant ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("parameter", "init", "told"), [
    (NETWORK[2], {"name": "normal", "std": 0.02}, "a norm's weight gets random values (it starts from ones): "),
    (NETWORK[2]._replace(layer=Layer(("GemmaRMSNorm",), start=Constant(0.0))), "uniform",
     "a norm's weight gets random values (it starts from zeros): "),
    (Parameter("model.norm.weight", (8,), FLOAT32), "normal",
     "a norm's weight gets random values (it starts from ones): "),
    (NETWORK[2], "ones", None),
    (NETWORK[1], "normal", None),
    (Parameter("a.weight", (8,), FLOAT32, Layer(("NormalNoise",))), "normal", None),
    (Parameter("w", (4, 5, 6), FLOAT32, Layer(("Mine",))), "he_normal",
     'the fans of 3 axes in a Mine are a guess (give its rule a layout, such as "bio" for a batch of matrices, or '
     '"fans": "shape"): '),
    (Parameter("w", (4, 5, 6), FLOAT32, Layer(("Mine",))), {"name": "he_normal", "layout": "bio"}, None),
    (Parameter("w", (4, 5, 6), FLOAT32, Layer(("Mine",))), "normal", None),
    (Parameter("w", (4, 5), FLOAT32, Layer(("Mine",))), "he_normal", None),
    (Parameter("w", (4, 5, 6), FLOAT32, Layer(("Conv1d",), "oi*")), "he_normal", None),
    (Parameter("w", (4, 5, 6), FLOAT32), "he_normal", None),
])
def test_random_norms_and_guessed_fans_are_told(parameter, init, told):
    """A norm starts from a constant; three axes in a layer that nobody knows may mean anything."""
    assert Rules({"*": init}).assign([parameter]).warnings == (() if told is None else (told + parameter.name,))


def test_frozen_parameters_are_told_once_for_all():
    """They are drawn (adapters freeze whole models), and one line says so."""
    frozen = [Slot(each, None, frozen=True) for each in NETWORK]

    assert assign_slots(Rules({"*": "ones"}), frozen).warnings == (
        "drawn, though frozen (it is not trained): body.0.weight, body.0.bias, body.1.weight and 1 more",)
    assert assign_slots(Rules({"*": "keep"}), frozen).warnings == ()


def test_tensors_without_elements():
    """Some are told; a model of nothing else, as ZeRO-3 leaves it, is refused."""
    empty = Slot(Parameter("empty", (0,), FLOAT32), None)

    assert assign_slots(Rules({"*": "ones"}), [empty, Slot(NETWORK[0], None)]).warnings == (
        "without elements, so nothing is drawn (a ZeRO-3 shard is drawn inside deepspeed.zero.GatheredParameters): "
        "empty",)
    with pytest.raises(FaninError, match=r"must have elements to draw \(got none in empty\) .*GatheredParameters"):
        assign_slots(Rules({"*": "ones"}), [empty])
