"""Where arrays are filled. `check_device` is the only place that reads a device string."""

from __future__ import annotations

import importlib
from typing import Any

from .._errors import FaninRuntimeError, FaninTypeError, FaninValueError, shown
from .choice import chosen
from .choice import set_threading as set_threading
from .interrupts import uninterrupted
from .requirements import missing_driver, missing_packages

_MODULES = {"cpu": ".cpu", "reference": ".reference", "cuda": ".cuda"}
# What to do for a device of torch's that nothing is drawn on.
_COPIED = "draw on the CPU and copy, torch.from_numpy(array).to({!r}); the bits are the same"
_INSTEAD = {"mps": _COPIED.format("mps"), "xpu": _COPIED.format("xpu"),
            "meta": "a tensor there has no values; `describe` checks a draw, and fanin.torch.init_module gives a "
                    "module on meta memory with device='cpu'"}
_AND = "; and "  # between things that are missing
_loaded: dict[str, Any] = {}
_usable_cuda: Any = None  # the CUDA backend, once it was found to have all that it needs


def check_device(device: Any) -> str:
    """The full name of a device, "cuda:1", from a string, a torch.device, or None for the CPU.

    "cuda" is the current device of this thread, as torch.cuda.set_device sets it; at first device 0.

    Raises:
        FaninTypeError: not a device at all.
        FaninRuntimeError: a device that this machine or this installation does not have.
        FaninValueError: an unknown name.
    """
    if device is None:
        return "cpu"
    if not isinstance(device, str):
        if type(device).__module__.split(".")[0] != "torch":
            raise FaninTypeError(f"`device` must be a string such as 'cpu', a torch.device or None (got "
                                 f"{shown(device)})")
        device = str(device)
    if device == "cpu" or device == "reference":
        return device
    kind, colon, index = device.partition(":")
    if index.isdecimal() or not colon:
        if kind == "cpu":
            return "cpu"
        if kind in ("cuda", "gpu"):
            return require_cuda(f"`device` {shown(device)}").device_name(int(index) if colon else None)
    step = f": {_INSTEAD[kind]}" if kind in _INSTEAD else ""
    raise FaninValueError(f"`device` must be 'cpu', 'cuda', one of several such as 'cuda:1', or 'reference' (got "
                          f"{shown(device)}){step}")


def get_backend(device: str) -> Any:
    """The backend module for a name that `check_device` returned, imported at its first use (numba is slow to)."""
    if device not in _loaded:
        chosen()  # a wrong FANIN_THREADS is an error of the first draw, not of the first large one
        with uninterrupted():
            _loaded[device] = importlib.import_module(_MODULES[device.partition(":")[0]], __name__)
    return _loaded[device]


def require_cuda(what: str) -> Any:
    """The CUDA backend, on a machine that can run it; else a FaninRuntimeError that says what `what` lacks."""
    backend, lack = _cuda()
    if lack:
        raise FaninRuntimeError(f"{what} needs {lack}; or draw on the CPU: the bits are the same")
    return backend


def find_devices() -> list[tuple[str, str]]:
    """[(name, what it is or why there is none)] of this machine, for people to read."""
    backend, lack = _cuda()
    return get_backend("cpu").devices() + ([("cuda", f"none: it needs {lack}")] if lack else backend.devices())


def _cuda() -> tuple[Any, str | None]:
    """(the CUDA backend, None), or all that is missing here as its second item, in a few words and with the cure."""
    global _usable_cuda
    if _usable_cuda is not None:
        return _usable_cuda, None
    lacks = missing_packages()
    if lacks:
        return None, _AND.join(lacks + missing_driver())
    try:
        backend = get_backend("cuda")
    except Exception as error:  # whatever packages raise that don't fit each other
        broken = f"a numba-cuda that can be imported (the one here fails: {error}): pip install 'fanin[cuda]'"
        return None, _AND.join([broken, *missing_driver()])
    lacks = backend.missing()
    if lacks:
        return None, _AND.join(lacks)
    _usable_cuda = backend
    return backend, None
