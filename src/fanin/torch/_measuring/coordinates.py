"""`coord_check`: whether layers' outputs stay as large as they are while a model gets wider and is trained."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn
from torch.utils import _pytree

from ..._checks import integer
from ..._errors import FaninTypeError, FaninValueError, FaninWarning, shown
from ..._seeding import Stream, check_source
from ..._signal import CoordCheck, LayerSignal
from ..._signal.coordinates import collect
from ...rules import Rules
from ...rules._recipe import FACTORS
from .._groups import make_groups, rules_of, without_data
from .._module import init_module
from .._places import check_module, unwrapped
from . import losses
from .measure import check_memory
from .probes import Probes

if TYPE_CHECKING:
    from ..._types import Seed


def coord_check(make_model: Callable[[int], nn.Module], widths: Iterable[int], recipe: Any, batch: Any,
                optimizer: Callable[..., torch.optim.Optimizer], *, loss: Callable[[Any], Any] | None = None,
                steps: int = 3, seed: Seed | None = None) -> CoordCheck:
    """Check a recipe over several widths: does any layer's output grow with the width in the first training steps?

    For each width a model is made, drawn by the recipe, and trained for some steps on one batch, with the optimizer's
    groups by `param_groups`. The power of width that the rms of a layer's outputs goes with is the slope of log rms
    over log width. Where parametrization, multipliers and learning rates fit, none is above 0.25 at any step: `stable`.
    A standard parametrization with one learning rate has powers of 1/2 and 1.

    Args:
        make_model: a function of the width that gives a model with memory, in the mode it is to be trained in, with the
            recipe's forward multipliers in it.
        widths: two or more, such as (64, 128, 256, 512).
        recipe: as the `rules` of `init_module`; its variable `width`, if it has one, is the width.
        batch: as the model takes it: a tensor, a tuple or list of several inputs, a mapping of keyword
            arguments, which with transformers' `labels` gives a loss, too.
        optimizer: a class or a function that makes an optimizer of groups: `torch.optim.Adam`,
            `lambda groups: torch.optim.Adam(groups, lr=1e-2)`. Its own lr, eps and weight decay are those that the
            recipe's factors multiply.
        loss: a function of the model's output; without one, the model's own `loss` in its output.
        steps: how many updates.
        seed: of the draws, as in `init_module`, and of dropout.

    Returns:
        A `CoordCheck`: its verdict in words, `.stable`, `.growing`, `.to_dicts()`, `.plot()`, `.to_html(path)`.

    Raises:
        FaninTypeError, FaninValueError: no loss, layers that differ between widths; what `init_module` and
            `param_groups` raise.

    torch's random generators are afterwards what they were. The mup package (`mup.coord_check`) plots mean absolute
    values, and leaves the judgement to the eye. (Yang et al. 2022, arXiv 2203.03466, appendix D.1)

    >>> import torch, fanin
    >>> def make_model(width):
    ...     return torch.nn.Sequential(torch.nn.Linear(8, width), torch.nn.ReLU(), torch.nn.Linear(width, 1))
    >>> x, y = torch.ones(32, 8), torch.ones(32, 1)
    >>> found = fanin.torch.coord_check(make_model, (64, 256, 1024), "he_normal", x,
    ...                                 lambda groups: torch.optim.Adam(groups, lr=0.01),
    ...                                 loss=lambda output: (output - y).square().mean(), seed=0)
    >>> found.stable, {layer: round(power) for layer, power in found.growing.items()}  # one learning rate for all
    (False, {'2': 1})
    """
    losses.check(loss)
    rules, sizes = rules_of(recipe), _widths(widths)
    steps = integer("steps", steps, 1)
    for name, function in (("make_model", make_model), ("optimizer", optimizer)):
        if not callable(function):
            raise FaninTypeError(f"`{name}` must be a function or a class (got {shown(function, 100)})")
    source = None if seed is None else check_source(seed)
    run, kind = _Run(batch, optimizer, loss, steps, source), ""
    notes = dict.fromkeys(without_data(rules))
    seen: dict[int, list[list[LayerSignal]]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FaninWarning)  # they are the result's notes, once for all widths
        for width in sizes:
            model, warned, seen[width] = _trained(make_model, width, _at(rules, width), run)
            notes |= dict.fromkeys(warned)
            kind = type(unwrapped(model)).__name__
    name = "rules" if rules.recipe is None else f"the recipe {rules.recipe.name}"
    return CoordCheck(kind, name, sizes, collect(sizes, seen), notes)


def _widths(widths: Any) -> list[int]:
    if not isinstance(widths, Iterable) or isinstance(widths, (str, Mapping)):
        raise FaninTypeError(f"`widths` must be several integers such as (64, 128, 256) (got {shown(widths, 100)})")
    found = sorted({integer("widths", width, 1) for width in widths})
    if len(found) < 2:
        raise FaninValueError(f"`widths` must be two or more different ones, such as (64, 128, 256) (got {found})")
    return found


def _at(rules: Rules, width: int) -> Rules:
    """The rules at a width, where they have such a variable."""
    return rules.given({"width": width}) if "width" in rules.declared() else rules


def _trained(make_model: Callable[[int], nn.Module], width: int, rules: Rules, run: _Run
             ) -> tuple[nn.Module, tuple[str, ...], list[list[LayerSignal]]]:
    """(the model of a width, warnings of its draw, its layers over steps); torch's generators stay as they are."""
    generator = run.seed.seed if isinstance(run.seed, Stream) else run.seed or 0
    with torch.inference_mode(False), torch.enable_grad(), _generators_kept():
        torch.manual_seed(generator)
        model = make_model(width)
        check_module(model)
        check_memory(model)
        table = init_module(model, rules, seed=run.seed)
        return model, table.warnings, run.train(model, _make_optimizer(model, rules, run.optimizer))


def _generators_kept() -> contextlib.AbstractContextManager[None]:
    return torch.random.fork_rng(range(torch.cuda.device_count()) if torch.cuda.is_initialized() else [])


def _make_optimizer(model: nn.Module, rules: Rules, optimizer: Callable[..., torch.optim.Optimizer]
                   ) -> torch.optim.Optimizer:
    """An optimizer whose groups have its own lr, eps and weight decay times the recipe's factors."""
    plain = optimizer([{"params": [torch.nn.Parameter(torch.zeros(1))]}])
    if not isinstance(plain, torch.optim.Optimizer):
        raise FaninTypeError(f"`optimizer` must make a torch.optim.Optimizer of groups (got {shown(plain, 100)}): "
                             "lambda groups: torch.optim.Adam(groups, lr=1e-2)")
    own = plain.param_groups[0]
    return optimizer(make_groups(model, rules, {key: own[key] for key in FACTORS if key in own}))


class _Run(NamedTuple):
    """What is the same for all widths."""

    batch: Any
    optimizer: Callable[..., torch.optim.Optimizer]
    loss: Callable[[Any], Any] | None
    steps: int
    seed: int | Stream | None

    def train(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> list[list[LayerSignal]]:
        """The layers before the first step, and after each."""
        args, kwargs = ((), dict(self.batch)) if isinstance(self.batch, Mapping) else \
            (tuple(self.batch) if isinstance(self.batch, (tuple, list)) else (self.batch,), {})
        root = unwrapped(model)
        seen = []
        for step in range(self.steps + 1):
            probes = Probes(None)
            with torch.set_grad_enabled(step < self.steps), torch.compiler.set_stance("force_eager"):
                own = _pytree.tree_map_only(torch.Tensor, torch.clone, (args, kwargs))  # it may write into them
                with probes.recording(root):
                    output = root(*own[0], **own[1])
                if step < self.steps:
                    self._update(output, optimizer)
            seen.append(probes.layers())
        return seen

    def _update(self, output: Any, optimizer: torch.optim.Optimizer) -> None:
        value, known = losses.start(output, self.loss)
        if known.value is None:
            raise FaninValueError("`loss` must be given for a model whose output has none of its own: "
                                  "lambda output: cross_entropy(output, targets)")
        losses.check_scalar(value)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
