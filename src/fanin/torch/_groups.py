"""`param_groups`: a torch optimizer's groups, with the learning rates that a recipe gives to parameters by role."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from torch import nn

from .._checks import nonnegative
from .._errors import FaninError, FaninValueError, listed
from ..rules import Parameter, Rules
from ..rules._advice import unknown_roles
from ..rules._depth import Depths, in_block
from ..rules._recipe import FACTORS, OptimizerRule
from ..rules._roles import Role, Roles
from ..rules._slots import Slot
from ..rules._warnings import emit
from ._places import Place, check_module, config_of
from ._slots import find_slots

_NONE = OptimizerRule()  # for what no entry of a recipe is for: factors of 1
_NO_DATA = "says nothing of the optimizer, so all parameters are one group"


def param_groups(model: nn.Module, recipe: Any, *, lr: float, eps: float | None = None,
                 weight_decay: float | None = None) -> list[dict[str, Any]]:
    """Make the groups for a torch optimizer: each parameter's learning rate is `lr` times the factor of its role.

    Under muP with Adam, a matrix from width to width learns at lr·base_width/width, and all else at lr. A recipe lists
    such factors, of Adam's epsilon and of weight decay, too: `[[recipe.optimizer]]`, of which the first entry for a
    parameter's role counts.

    Each parameter that requires a gradient is in one group, tied ones once, under the role of the name that they are
    drawn under; frozen ones are left out. Of a parametrized weight there is what it is computed from.

    Args:
        model: with memory: materialize it before, as its parameters are new objects afterwards.
        recipe: as the `rules` of `init_module`: "mup", `fanin.Rules.read("mup", base_width=256, width=1024)`. The
            model's own config tells what nobody gave.
        lr: the learning rate where the factor is 1, which is tuned on a model of base width.
        eps, weight_decay: likewise. None: the groups have none, so that the optimizer's own holds for all.

    Returns:
        A list of dicts, `name` (the roles in the group), `params`, `lr`, and `eps` and `weight_decay` if given. Rules
        without such data give one group, and a `fanin.FaninWarning`.

    Raises:
        FaninValueError: the role of a parameter is unknown, and its factor depends on it; a variable has no value;
            `eps` or `weight_decay` is not given, and the recipe changes it; a model on the meta device, or frozen.

    The mup package's MuAdam reads base shapes that were stored in the parameters (`set_base_shapes`), and divides by
    the growth of each one's fan_in; here roles decide, and nothing is stored. (Yang et al. 2022, arXiv 2203.03466)

    >>> import torch, fanin
    >>> rules = fanin.Rules.from_config({"variables": {"m": 4}, "rule": [{"match": "*", "init": "start"}], "recipe": {
    ...     "name": "mine", "title": "My own", "optimizer": [{"role": ["mlp_in", "mlp_out"], "lr": "=1/m"}]}})
    >>> model = torch.nn.ModuleDict({"fc1": torch.nn.Linear(64, 256), "fc2": torch.nn.Linear(256, 64)})
    >>> groups = fanin.torch.param_groups(model, rules, lr=0.01)
    >>> [(group["name"], group["lr"], len(group["params"])) for group in groups]
    [('mlp_in, mlp_out', 0.0025, 2), ('bias', 0.01, 2)]
    >>> optimizer = torch.optim.Adam(groups)
    """
    check_module(model)
    rules = rules_of(recipe)
    base = {"lr": nonnegative("lr", lr)} | {key: nonnegative(key, value) for key, value in (
        ("eps", eps), ("weight_decay", weight_decay)) if value is not None}
    groups = make_groups(model, rules, base)
    emit(without_data(rules))
    return groups


def rules_of(recipe: Any) -> Rules:
    """The rules that an argument called `recipe` stands for."""
    try:
        return Rules.of(recipe)
    except FaninError as error:
        raise type(error)(str(error).replace("`rules`", "`recipe`", 1)) from None


def without_data(rules: Rules) -> list[str]:
    """A warning about rules that say nothing of the optimizer."""
    if rules.recipe is None:
        return [f"`recipe` is a rule set that {_NO_DATA}"]
    return [] if rules.recipe.optimizer else [f"the recipe {rules.recipe.name} {_NO_DATA}"]


def make_groups(model: nn.Module, rules: Rules, base: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The groups, without a warning; `base` are lr, eps and weight_decay as far as they are given."""
    slots = find_slots(model, False, "")
    trained = list(_trained(slots))
    if not trained:
        raise FaninValueError("`model` must have a parameter that requires a gradient (got none)")
    meta = [each.parameter.name for each in trained if any(tensor.is_meta for tensor in each.tensors)]
    if meta:
        raise FaninValueError(f"`model` must have memory ({listed(meta, 3)} on the meta device): call "
                              "fanin.torch.init_module(model, rules, device='cpu') first")
    entries = () if rules.recipe is None else rules.recipe.optimizer
    if not entries:
        return [{"name": "all", "params": [tensor for each in trained for tensor in each.tensors], **base}]
    names = {slot.parameter.name for slot in slots}
    factors = _factors(entries, rules.with_config(config_of(model)), names)
    _check_given(factors.values(), base)
    roles = Roles(rules.roles, names)
    _check_known(trained, roles, factors, "" if rules.recipe is None else rules.recipe.name)
    found: dict[OptimizerRule, list[_Trained]] = {}
    for each in trained:
        found.setdefault(_entry(each.parameter, roles, entries), []).append(each)
    return [_group(members, roles, factors[entry], base) for entry, members in found.items()]


class _Trained(NamedTuple):
    """A parameter as rules see it, and the tensors that are trained: of a parametrized one several."""

    parameter: Parameter
    tensors: list[nn.Parameter]


def _trained(slots: Iterable[Slot]) -> Iterator[_Trained]:
    seen: set[int] = set()
    for slot in slots:
        tensors = [tensor for tensor in _registered(slot.place)
                   if isinstance(tensor, nn.Parameter) and tensor.requires_grad and id(tensor) not in seen]
        seen |= {id(tensor) for tensor in tensors}
        if tensors and not slot.tied:
            yield _Trained(slot.parameter, tensors)


def _registered(place: Place) -> Iterable[Any]:
    return [place.tensor] if place.computed is None else place.computed.registered().values()


def _factors(entries: Iterable[OptimizerRule], rules: Rules, names: set[str]) -> dict[OptimizerRule, dict[str, float]]:
    """{entry: its factors}, with the layers of the longest stack where nothing else tells them."""
    depths = Depths(names)
    layers = max((each[1] for each in map(depths.find, names) if each), default=None)
    variables = ({} if layers is None else {"layers": float(layers)}) | rules.variables
    return {entry: entry.factors(variables) for entry in (*entries, _NONE)}


def _check_given(factors: Iterable[Mapping[str, float]], base: Mapping[str, Any]) -> None:
    """FaninValueError where a recipe changes what the caller leaves to the optimizer."""
    for each in factors:
        for key in FACTORS:
            if key not in base and each[key] != 1:
                raise FaninValueError(f"`{key}` must be given (got None): the recipe multiplies it by {each[key]:g} "
                                      "for some parameters")


def _check_known(trained: Iterable[_Trained], roles: Roles, factors: Mapping[OptimizerRule, Mapping[str, float]],
                 name: str) -> None:
    """FaninValueError for parameters without a role whose factors depend on it."""
    left = [each.parameter for each in trained
            if not roles.of(each.parameter).name and _ambiguous(each.parameter, roles, factors)]
    if left:
        raise FaninValueError(unknown_roles(name, left, roles))


def _ambiguous(parameter: Parameter, roles: Roles, factors: Mapping[OptimizerRule, Mapping[str, float]]) -> bool:
    """Whether what is of unknown role would have other factors by one entry than by another."""
    possible = []
    for entry, values in factors.items():
        if _is_for(entry._replace(role=()), parameter, roles):
            possible.append(tuple(values.values()))
            if not entry.role:
                break
    return len(set(possible)) > 1


def _entry(parameter: Parameter, roles: Roles, entries: Iterable[OptimizerRule]) -> OptimizerRule:
    """The first entry that is for a parameter."""
    return next((entry for entry in entries if _is_for(entry, parameter, roles)), _NONE)


def _is_for(entry: OptimizerRule, parameter: Parameter, roles: Roles) -> bool:
    role = roles.of(parameter)
    return entry.is_for(role.name, role.experts, in_block(parameter.name))


def _group(members: list[_Trained], roles: Roles, factors: Mapping[str, float], base: Mapping[str, Any]
           ) -> dict[str, Any]:
    named = dict.fromkeys(_title(roles.of(each.parameter)) for each in members)
    return {"name": ", ".join(named), "params": [tensor for each in members for tensor in each.tensors],
            **{key: value * factors[key] for key, value in base.items()}}


def _title(role: Role) -> str:
    name = role.name or "unknown role"
    return f"{name} (experts)" if role.experts else name
