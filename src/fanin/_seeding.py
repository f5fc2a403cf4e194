"""Which Philox counters and key a draw uses: seeds, streams and names (the contract's section 2)."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterable
from typing import Any, ClassVar, NamedTuple

from ._checks import integer
from ._errors import FaninTypeError, FaninValueError, a_type, shown

STREAM_VERSION = 1
"""Of the rule that says which random words an element gets: bits change only with it."""

# One lock for all streams: held for a few instructions, and easy to keep sound across fork().
_lock = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


class Key(NamedTuple):
    """All that a draw's words depend on besides the element's number: 64 bits of seed and 64 bits of stream id."""

    seed: int
    stream: int

    @property
    def words(self) -> tuple[int, int, int, int]:
        """Key words low and high, then the counter's stream words low and high."""
        return (self.seed & 0xFFFFFFFF, self.seed >> 32, self.stream & 0xFFFFFFFF, self.stream >> 32)

    def within(self, path: Iterable[int]) -> Key:
        """The key of a block that is drawn as a tensor of its own; `path` has its number, inside nested ones each."""
        return self._replace(stream=functools.reduce(block_stream, path, self.stream))


def stream_id(name: str) -> int:
    """The stream of a named parameter: the name's 8-byte BLAKE2b digest, little-endian, with the top bit set.

    The top bit keeps names apart from the streams 0, 1, 2, … that unnamed draws count through.

    >>> hex(stream_id("encoder.0.weight"))
    '0x88200a68f49d3cb5'
    """
    import hashlib  # OpenSSL behind it takes 7 ms to load

    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little") | 1 << 63


def block_stream(stream: int, block: int) -> int:
    """The stream of block number `block` of a tensor, where the block is drawn as a tensor of its own.

    The 8-byte BLAKE2b digest of both numbers as 8 bytes each, little-endian throughout, with the top bit set.

    >>> hex(block_stream(stream_id("qkv.weight"), 0))
    '0xfb1a6d2f7fdb115e'
    """
    import hashlib

    words = stream.to_bytes(8, "little") + block.to_bytes(8, "little")
    return int.from_bytes(hashlib.blake2b(words, digest_size=8).digest(), "little") | 1 << 63


def check_seed(seed: Any) -> int:
    """An int seed in [0, 2**64)."""
    seed = integer("seed", seed)
    if not 0 <= seed < 2**64:
        raise FaninValueError(f"`seed` must be in [0, 2**64) (got {shown(seed)})")
    return seed


def check_name(name: Any) -> str | None:
    """A parameter's name, or None."""
    if name is not None and not isinstance(name, str):
        raise FaninTypeError(f"`name` must be a string or None (got {shown(name)}, {a_type(name)})")
    try:
        if name is not None:
            name.encode()
    except UnicodeEncodeError:
        raise FaninValueError(f"`name` must be valid Unicode text, which has a UTF-8 form (got {shown(name)})") \
            from None
    return name


class Stream:
    """A seed for a sequence of draws without names: each draw gets other numbers than those before it.

    A second `Stream` with the same seed repeats the draws in the same order: draw number 0, 1, 2, … has that stream id.
    Streams are thread-safe. A pickle holds the position, so a reloaded stream continues where it was.

    Args:
        seed: an int in [0, 2**64).
        position: the stream id of the next draw; an int in [0, 2**63).

    Raises:
        FaninTypeError, FaninValueError: seed or position is not such an int.

    >>> from fanin import Normal, Stream
    >>> stream = Stream(0)
    >>> first, second = Normal()(2, seed=stream), Normal()(2, seed=stream)
    >>> bool((first == second).any())
    False
    >>> stream
    Stream(0, position=2)
    """

    __slots__ = ("_position", "_seed")

    def __init__(self, seed: int, position: int = 0) -> None:
        self._seed = check_seed(seed)
        self._position = integer("position", position, minimum=0)
        if self._position >= 2**63:
            raise FaninValueError(f"`position` must be in [0, 2**63) (got {shown(position)})")

    @property
    def seed(self) -> int:
        """The seed that this stream was made with."""
        return self._seed

    @property
    def position(self) -> int:
        """The stream id that the next use takes."""
        return self._position

    def next(self) -> int:
        """Take one stream id: the position before the step."""
        with _lock:
            taken = self._position
            self._position = taken + 1
        return taken

    def _reset(self, seed: int) -> None:
        with _lock:
            self._seed, self._position = seed, 0

    def __reduce__(self) -> tuple[type[Stream], tuple[int, int]]:
        with _lock:
            return Stream, (self._seed, self._position)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Stream):
            return NotImplemented
        return (self._seed, self._position) == (other._seed, other._position)

    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # a stream changes with every use

    def __repr__(self) -> str:
        return f"Stream({self._seed}, position={self._position})"


_default: Stream | None = None


def default_stream() -> Stream:
    """The stream of calls without a seed: seeded from the operating system unless `seed` was called."""
    global _default
    if _default is None:
        with _lock:
            if _default is None:
                _default = Stream(int.from_bytes(os.urandom(8), "little"))
    return _default


def seed(value: int) -> None:
    """Reset the default stream, from which every call without a seed draws.

    Args:
        value: an int in [0, 2**64).

    Raises:
        FaninTypeError, FaninValueError: `value` is not such an int.

    >>> import fanin
    >>> fanin.seed(0)
    >>> first = fanin.Normal()(3)
    >>> fanin.seed(0)
    >>> bool((fanin.Normal()(3) == first).all())
    True
    """
    default_stream()._reset(check_seed(value))


def check_source(source: Any) -> int | Stream:
    """A `seed` argument: an int in [0, 2**64), a Stream, or None, which is the default stream."""
    if source is None:
        return default_stream()
    if isinstance(source, Stream):
        return source
    try:
        return check_seed(source)
    except FaninTypeError:
        raise FaninTypeError(f"`seed` must be an int in [0, 2**64), a Stream or None (got {shown(source)}, "
                             f"{a_type(source)})") from None


def take_key(source: int | Stream, name: str | None) -> Key:
    """The key of one draw. An unnamed draw on a stream consumes a stream id: call this once all else is checked."""
    if isinstance(source, Stream):
        return Key(source.seed, stream_id(name) if name is not None else source.next())
    return Key(source, stream_id(name) if name is not None else 0)
