"""What JSON texts that people write must be, beyond what Python's reader asks."""

from ._errors import FaninValueError


def unique_keys(pairs):
    """An `object_pairs_hook`: FaninValueError for a key that stands twice, where Python would take the last."""
    table = dict(pairs)
    if len(table) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise FaninValueError(f"names must be unique (got {twice!r} twice)")
    return table
