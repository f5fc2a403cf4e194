"""`signal`: whether a module's signal lives at initialization."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils import _pytree

from ..._checks import flag
from ..._drawing.arrays import is_fake
from ..._errors import FaninTypeError, FaninValueError, a_type, listed
from ..._seeding import Stream, check_source
from ..._signal import Comparison, InitialLoss, Signal, by_label
from ...rules import Rules
from .._places import check_module, places, unwrapped
from .._sharded import is_sharded
from . import losses, numbers, state, weights
from .probes import Probes, first_real

if TYPE_CHECKING:
    from ..._types import Seed
    from ...rules._names import RulesLike


def signal(model: nn.Module, *inputs: Any, rules: RulesLike | None = None, compare: Mapping[str, Any] | None = None,
           seed: Seed | None = None, loss: Callable[[Any], Any] | None = None, grad: bool = True,
           spectrum: bool = False) -> Signal | Comparison:
    """Measure a network's signal in each layer by one forward and one backward pass: does it live, die or explode?

    The result begins with a verdict in words: alive, or the layer where the signal dies or explodes, at what rate, and
    what is usual. Print it, show it in a notebook, plot it by `.plot()`, write it by `.to_html(path)`, or take its
    numbers by `.to_dicts()`.

    Afterwards the model is as before: parameters, buffers, gradients, modes, attributes and random generators. It runs
    in its own mode, train or eval, eagerly even if it is compiled, and under the autocast around the call. Only numbers
    are kept for each layer.

    Args:
        model: plain, compiled, wrapped or parametrized; with memory.
        *inputs: one batch, as the model takes it; a single mapping, such as the output of transformers'
            tokenizers, is passed as keyword arguments. Without data, use noise, `torch.randn(8, 3, 224, 224)`, or
            random tokens, `torch.randint(vocab_size, (2, 64))`.
        rules: measure with the weights that `init_module` would draw by these rules: "he_normal", a rule set, rules.
            None: with the weights that the model has.
        compare: {label: rules}, several rules in turn; None in place of rules stands for the model's own weights.
        seed: of the draws, as in `init_module`, and of dropout.
        loss: a function of the model's output. By default the `loss` in the model's output, if it has one, or else a
            fixed random projection of the output with unit variance, so that gradients at the output have an rms of 1.
        grad: False: only the forward pass.
        spectrum: also compute all singular values of each weight, which takes long.

    Returns:
        A `Signal`, or with `compare` a `Comparison` of several.

    Raises:
        FaninTypeError, FaninValueError: a module on the meta device, sharded or scripted; `rules` with `compare`; a
            loss without a gradient; what `init_module` raises.

    Thresholds and figures: docs/signal.md. (Schoenholz et al. 2017; He et al. 2015; Glorot and Bengio 2010)

    >>> import torch
    >>> from fanin.torch import signal
    >>> layers = [layer for _ in range(40) for layer in (torch.nn.Linear(256, 256), torch.nn.ReLU())]
    >>> result = signal(torch.nn.Sequential(*layers), torch.randn(64, 256), rules="torch", seed=0)
    >>> result.alive
    False
    """
    check_module(model)
    losses.check(loss)
    grad, spectrum = flag("grad", grad), flag("spectrum", spectrum)
    all_rules = by_label(rules, compare, Rules.of)
    if not inputs:
        raise FaninValueError("`inputs` must hold a batch for the model (got none): noise such as torch.randn(8, 3, "
                              "224, 224), or torch.randint(vocab_size, (2, 64)) for tokens, will do")
    source = None if seed is None else check_source(seed)
    check_memory(model)
    run = _Run(model, inputs, loss, grad, spectrum, source)
    done = {label: run.measure(each) for label, each in all_rules.items()}
    return done[""] if compare is None else Comparison(done)


def check_memory(model: nn.Module) -> None:
    """FaninTypeError, FaninValueError for a module without memory, or whose layers can't be looked into."""
    if any(isinstance(part, torch.jit.ScriptModule) for part in model.modules()):
        raise FaninTypeError("`model` must be a plain module (got a scripted one, whose layers can't be looked into): "
                             "pass the module before it was scripted")
    located = places(model)
    meta = [place.name for place in located if place.tensor.is_meta]
    if meta:
        raise FaninValueError(f"`model` must have memory ({listed(meta, 3)} on the meta device): call "
                              "fanin.torch.init_module(model, rules, device='cpu') first")
    fake = [place.name for place in located if is_fake(place.tensor)]
    if fake:
        raise FaninValueError(f"`model` must have memory (got FakeTensors, which have none, as {listed(fake, 3)}): "
                              "build it outside of FakeTensorMode")
    sharded = [place.name for place in located if is_sharded(place.tensor)]
    if sharded:
        raise FaninTypeError(f"`model` must not be sharded ({listed(sharded, 3)}): measure it in one process, before "
                             "fully_shard or tensor parallelism")


class _Run:
    """One model on one batch, measured with any weights."""

    def __init__(self, model: nn.Module, inputs: tuple[Any, ...], loss: Callable[[Any], Any] | None, grad: bool,
                 spectrum: bool, seed: int | Stream | None) -> None:
        self._model, self._loss, self._grad, self._spectrum, self._seed = model, loss, grad, spectrum, seed
        self._root = unwrapped(model)  # DistributedDataParallel would wait for other ranks
        self._args, self._kwargs = ((), dict(inputs[0])) if len(inputs) == 1 and isinstance(inputs[0], Mapping) \
            else (inputs, {})
        tensors = [leaf for leaf in _pytree.tree_leaves((self._args, self._kwargs)) if isinstance(leaf, torch.Tensor)]
        self._batch = next((len(tensor) for tensor in tensors if tensor.dim()), None)
        if any(not tensor.numel() for tensor in tensors):
            raise FaninValueError("`inputs` must have elements (got a tensor without any): pass a batch of a few rows")
        entered = first_real(tensors)
        self._input_rms = None if entered is None else numbers.rms(entered.detach())
        self._input_cosine = None if entered is None else numbers.cosine(entered.detach(), self._batch)

    def measure(self, rules: Rules | None) -> Signal:
        """The signal with weights of these rules, or with those that are there."""
        generator = self._seed.seed if isinstance(self._seed, Stream) else self._seed or 0
        with torch.inference_mode(False), state.unchanged(self._model, generator):
            if rules is None:
                with state.parameters_watched(self._root):
                    return self._pass()
            with state.drawn(self._model, rules, self._seed):
                return self._pass()

    def _pass(self) -> Signal:
        probes = Probes(self._batch)
        args, kwargs = _pytree.tree_map_only(torch.Tensor, torch.clone, (self._args, self._kwargs))
        with torch.set_grad_enabled(self._grad), torch.compiler.set_stance("force_eager"):
            with probes.recording(self._root):
                output = self._root(*args, **kwargs)
            loss, gradients = self._backward(output) if self._grad else (None, {})
        del output
        own = weights.own_weights(self._root)
        with torch.no_grad(), _without_autocast():
            layers = weights.with_weights(probes.layers(), probes.owners, own, gradients)
            spectra = weights.spectra(own) if self._spectrum else {}
        if not layers:
            raise FaninTypeError(f"`model` must have layers that are called as modules (got "
                                 f"{a_type(self._root)} in which none gives a floating-point tensor)")
        return Signal(type(self._root).__name__, self._mode(), layers, loss, self._input_rms, self._input_cosine,
                      spectra)

    def _backward(self, output: Any) -> tuple[InitialLoss, dict[int, float]]:
        """The loss, and the rms of each parameter's gradient. Nothing is added to `grad`."""
        value, known = losses.start(output, self._loss)
        losses.check_scalar(value)
        parameters = [parameter for parameter in self._root.parameters() if parameter.requires_grad]
        found = torch.autograd.grad(value, parameters, allow_unused=True)
        return known, {id(parameter): numbers.rms(gradient) for parameter, gradient in zip(parameters, found)
                       if gradient is not None}

    def _mode(self) -> str:
        modes = {part.training for part in self._root.modules()}
        words = "training mode" if modes == {True} else "eval mode" if modes == {False} else \
            f"{'training' if self._root.training else 'eval'} mode, parts of it not"
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                words += f", under {device} autocast to {str(torch.get_autocast_dtype(device)).removeprefix('torch.')}"
        return words


def _without_autocast() -> contextlib.ExitStack:
    stack = contextlib.ExitStack()
    for device in ("cpu", "cuda"):
        if torch.is_autocast_enabled(device):
            stack.enter_context(torch.autocast(device, enabled=False))
    return stack
