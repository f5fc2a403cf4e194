"""Where arrays are filled. `get_backend` is the only place that reads a device string."""

import importlib

from .._errors import FaninRuntimeError, FaninTypeError, FaninValueError

_MODULES = {"cpu": ".cpu", "reference": ".reference"}
_loaded = {}


def check_device(device):
    """The name of the backend that serves a device: a string, a torch.device, or None for the CPU.

    Raises:
        FaninTypeError: not a device at all.
        FaninRuntimeError: a device that this version or this machine does not have.
        FaninValueError: an unknown name.
    """
    if device is None:
        return "cpu"
    if not isinstance(device, str):
        if type(device).__module__.split(".")[0] != "torch":
            raise FaninTypeError(f"`device` must be a string such as 'cpu', a torch.device or None (got {device!r})")
        device = str(device)
    if device in _MODULES:
        return device
    kind, _, index = device.partition(":")
    if kind == "cpu" and index.isdigit():
        return "cpu"
    if kind in ("cuda", "gpu"):
        raise FaninRuntimeError(f"`device` must be 'cpu' or 'reference' (got {device!r}): this version of fanin has no "
                                "CUDA backend yet; draw on the CPU, the bits will be the same")
    raise FaninValueError(f"`device` must be 'cpu' or 'reference' (got {device!r})")


def get_backend(device):
    """The backend module for a name that `check_device` returned, imported at its first use (numba is slow to)."""
    if device not in _loaded:
        from ._interrupts import uninterrupted

        with uninterrupted():
            _loaded[device] = importlib.import_module(_MODULES[device], __name__)
    return _loaded[device]
