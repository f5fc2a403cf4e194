"""Who called: a warning names the user's line, however many functions of fanin's and wrappers lie between."""

from __future__ import annotations

import sys
import warnings
from types import FrameType

from ._errors import FaninWarning

WRAPPERS = ("contextlib", "functools", "importlib", "numba", "torch")  # packages that stand between two functions


def caller(*inside: str) -> FrameType:
    """The frame that called into these packages: the nearest one outside them and all wrappers."""
    frame = sys._getframe(1)
    while frame.f_back and _is_within(module_of(frame), (__name__, *inside, *WRAPPERS)):
        frame = frame.f_back
    return frame


def module_of(frame: FrameType) -> str:
    """The name of the module that a frame runs in; of code that has none, nothing."""
    return str(frame.f_globals.get("__name__", ""))


def warn(text: str, category: type[Warning] = FaninWarning) -> None:
    """Issue a warning at the line outside fanin that led here."""
    frame = caller("fanin")
    warnings.warn_explicit(text, category, frame.f_code.co_filename, frame.f_lineno,
                           module_of(frame), frame.f_globals.setdefault("__warningregistry__", {}))


def _is_within(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == each or module.startswith(f"{each}.") for each in packages)
