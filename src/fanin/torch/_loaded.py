"""Classes of modules that may not be loaded: nothing can be an instance then, and loading them takes time."""

from __future__ import annotations

import sys
from typing import Any


def classes(module: str, *names: str) -> tuple[Any, ...]:
    """Classes of a module, to be asked `isinstance` about; those that it has not are left out."""
    loaded = sys.modules.get(module)
    return tuple(getattr(loaded, name) for name in names if hasattr(loaded, name))
