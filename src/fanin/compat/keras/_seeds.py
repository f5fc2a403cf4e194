"""The `seed` of a random initializer: an int, a SeedGenerator or a Stream; its config, and the stream it stands for."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._checks import integer
from ..._errors import FaninError, FaninRuntimeError, FaninValueError, a_type, shown
from ..._seeding import Stream, check_seed
from . import _link

if TYPE_CHECKING:
    from typing import Self

    from ..._types import Array

_lock = threading.Lock()
_count = 0


class _SeedGenerator:
    """A seed that changes with each use: (seed, 0), (seed, 1), … What `keras.random.SeedGenerator` is in Keras.

    An initializer with a SeedGenerator draws other values each time: those of a `fanin.Stream` with this seed.

    Args:
        seed: an int in [0, 2**32), or None for a random one.
        name: a name; by default seed_generator, seed_generator_1, …

    Raises:
        FaninValueError: seed is not such an int.

    >>> generator = SeedGenerator(1337)
    >>> generator.next(), generator.next()
    (array([1337,    0], dtype=uint32), array([1337,    1], dtype=uint32))
    """

    def __init__(self, seed: int | None = None, name: str | None = None) -> None:
        global _count
        if name is None:
            with _lock:
                name = f"seed_generator_{_count}" if _count else "seed_generator"
                _count += 1
        self.name = name
        self._initial_seed = seed
        first = _link.default_seed() % 2**32 if seed is None else check_32_bits(seed)
        self.state: Array = np.array([first, 0], np.uint32)

    def next(self, ordered: bool = True) -> Array:
        """The state, seed and position, as two uint32; the position advances (or, unordered, both are scrambled)."""
        with _lock:
            taken = self.state.copy()
            step = self.state + np.array([0, 1], np.uint32) if ordered else (self.state + np.uint32(1)) * 5387 % 933199
            self.state = step.astype(np.uint32)
        return taken

    def get_config(self) -> dict[str, Any]:
        """The seed that it was made with and its name; the position is not kept, as in Keras."""
        return {"seed": self._initial_seed, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The SeedGenerator that `get_config` described, at its start."""
        return cls(**config)


if TYPE_CHECKING:
    SeedGenerator = _SeedGenerator
else:
    SeedGenerator = _SeedGenerator if _link.keras is None else _link.keras.random.SeedGenerator


def check_32_bits(seed: Any) -> int:
    """An int in [0, 2**32)."""
    try:
        seed = check_seed(seed)
    except FaninError:
        seed = -1 if isinstance(seed, int) else seed
    if not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise FaninValueError(f"`seed` must be an int in [0, 2**32) or None (got {shown(seed)})")
    return seed


class GeneratorStream(Stream):
    """A SeedGenerator as a stream: each use takes its seed and position, and so a refused call none."""

    __slots__ = ("_generator", "_position_taken")

    def __init__(self, generator: SeedGenerator) -> None:
        super().__init__(0)
        self._generator = generator

    @property
    def seed(self) -> int:
        seed, self._position_taken = _next(self._generator)
        return seed

    def next(self) -> int:
        return self._position_taken


def _next(generator: SeedGenerator) -> tuple[int, int]:
    """A SeedGenerator's seed and position; the position advances."""
    with _link.eager():
        try:
            state = _link.as_numpy(getattr(generator.state, "value", generator.state))
        except (TypeError, ValueError, NotImplementedError) as error:
            raise FaninRuntimeError("`seed`, a SeedGenerator, must have a state with values (got one that is being "
                                    "traced): draw outside of the traced function, or seed with an int") from error
        generator.next()
    # the torch backend keeps the 32 bits in an int32
    seed, position = (int(word) & 0xFFFFFFFF for word in state)
    return seed, position


def words(seed: int | SeedGenerator) -> tuple[int, int]:
    """What Keras' backends draw with: an int and 0, or a SeedGenerator's seed and position."""
    return _next(seed) if isinstance(seed, SeedGenerator) else (seed, 0)


def check_words(seed: Any) -> int | SeedGenerator:
    """A seed that Keras has too: an int of 32 bits or a SeedGenerator."""
    if isinstance(seed, Stream):
        raise FaninValueError(f"`seed` must be an int in [0, 2**32) or a SeedGenerator with `backend` (got {seed!r}): "
                              "leave out `backend` to draw from a Stream")
    return seed if isinstance(seed, SeedGenerator) else check_32_bits(seed)


def check(seed: Any) -> Any:
    """A `seed` argument, or a seed in a config, as None, an int, a SeedGenerator or a Stream."""
    if isinstance(seed, dict):
        return _from_config(seed)
    if seed is None or isinstance(seed, (SeedGenerator, Stream)):
        return seed
    try:
        return check_seed(seed)
    except FaninError:
        raise FaninValueError("`seed` must be an int in [0, 2**64), a SeedGenerator, a Stream or None (got "
                              f"{shown(seed, 100)}, {a_type(seed)})") from None


def source(seed: Any) -> int | Stream:
    """What fanin draws with: an int or a Stream."""
    return GeneratorStream(seed) if isinstance(seed, SeedGenerator) else seed


def config(seed: Any) -> Any:
    """A seed as JSON: a SeedGenerator as Keras writes it, a Stream as its seed and position."""
    if isinstance(seed, Stream):
        return {"seed": seed.seed, "position": seed.position}
    if isinstance(seed, SeedGenerator):
        return {"module": "keras.random", "class_name": "SeedGenerator", "config": seed.get_config(),
                "registered_name": None}
    return seed


def _from_config(config: dict[str, Any]) -> SeedGenerator | Stream:
    if set(config) == {"seed", "position"}:
        return Stream(config["seed"], integer("position", config["position"]))
    if config.get("class_name") == "SeedGenerator" and isinstance(config.get("config"), dict):
        return SeedGenerator.from_config(config["config"])
    raise FaninValueError("`seed` must be the config of a SeedGenerator or a Stream when it is a dict (got "
                          f"{shown(config, 100)})")
