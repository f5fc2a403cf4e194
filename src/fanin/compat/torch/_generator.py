"""`Generator`: torch's generator of random numbers on a CPU, without torch."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from ..._checks import integer
from ..._errors import FaninTypeError, FaninValueError, a_type, shown
from ._state import State, as_bytes

if TYPE_CHECKING:
    from typing import Self, SupportsIndex

    from ..._types import Array

DEFAULT_SEED = 67280421310721  # torch's, for a generator that was given none

_default: ContextVar[Generator | None] = ContextVar("fanin.compat.torch.replay", default=None)


class Generator:
    """torch.Generator on a CPU: as `generator=`, it makes every function here draw torch's own numbers.

    The same calls in the same order, on arrays and tensors of the same shapes, dtypes and strides, give the numbers
    that `torch.nn.init` gives after `torch.manual_seed` with the same seed: bit for bit where torch runs on AVX2 or
    AVX-512 (elsewhere torch's own float32 normals differ by up to 2.3e-6), `orthogonal_` within 1e-5. Held to torch
    2.13.0 and 2.14.1; 2.12 draws half types' normals otherwise, and 2.11 also truncated normals and all half types.

    >>> import numpy as np
    >>> from fanin.compat.torch import uniform_
    >>> uniform_(np.empty(3, "float32"), generator=Generator().manual_seed(0))  # torch.manual_seed(0); torch.rand(3)
    array([0.4962566 , 0.7682218 , 0.08847743], dtype=float32)
    """

    __slots__ = ("_followed", "_lock", "_state")

    def __init__(self) -> None:
        self._lock = threading.Lock()  # a draw reads and moves the state
        self._followed: Any = None
        self._state = State(DEFAULT_SEED)

    @classmethod
    def follow(cls, generator: Any) -> Self:
        """A generator that draws from a `torch.Generator` on the CPU, whose state goes on as torch would move it.

        Give it `torch.default_generator` to go on from `torch.manual_seed`, and draw with torch and fanin in turns.

        Raises:
            FaninTypeError: not a torch.Generator. FaninValueError: one of another device.
        """
        torch = sys.modules.get("torch")  # a torch.Generator can only be one if torch is loaded already
        if torch is None or not isinstance(generator, torch.Generator):
            raise FaninTypeError(f"`generator` must be a torch.Generator (got {shown(generator, 100)}, "
                                 f"{a_type(generator)})")
        if generator.device.type != "cpu":
            raise FaninValueError(f"`generator` must be one of the CPU (got one of {generator.device}): draw on the "
                                  "CPU and move the tensor")
        made = cls()
        made._followed = generator
        return made

    def manual_seed(self, seed: SupportsIndex) -> Self:
        """Begin anew from a seed, an int in [-2**63, 2**64), of which the low 32 bits count. Returns the generator."""
        number = integer("seed", seed)
        if not -2**63 <= number < 2**64:
            raise FaninValueError(f"`seed` must be in [-2**63, 2**64) (got {shown(number)})")
        with self._lock:
            self._state = State(number % 2**64)
            self._store()
        return self

    def initial_seed(self) -> int:
        """The seed that the generator began from."""
        with self.opened() as state:
            return state.seed

    def get_state(self) -> Array:
        """The state: 5056 numbers of uint8, those of `torch.get_rng_state()` at the same place.

        `torch.set_rng_state(torch.from_numpy(generator.get_state()))` hands a run over to torch.
        """
        with self.opened() as state:
            return state.pack()

    def set_state(self, new_state: Any) -> None:
        """Go on from a state: what `get_state` here, `torch.get_rng_state` or `torch.Generator.get_state` returned.

        Raises:
            FaninTypeError: not 5056 numbers of uint8. FaninValueError: not a state of torch's CPU generator.
        """
        data = as_bytes(new_state)
        with self._lock:
            self._state = State.unpacked(data)
            self._store()

    def skip(self, words: SupportsIndex) -> Self:
        """Pass over so many 32-bit words, in a time that hardly depends on how many. Returns the generator.

        A uniform number takes one word, a normal one too where they are 16 or more; float64 takes two. (A normal number
        that is kept for the next draw of fewer than 16 stays kept.)

        Args:
            words: an int >= 0.

        >>> first, second = Generator().manual_seed(0), Generator().manual_seed(0).skip(10**12)
        >>> bool((first.skip(10**12 - 624).skip(624).get_state() == second.get_state()).all())
        True
        """
        count = integer("words", words, minimum=0)
        with self.opened() as state:
            state.place.skip(count)
        return self

    @contextlib.contextmanager
    def opened(self) -> Iterator[State]:
        """The state, to draw from; only one thread has it."""
        with self._lock:
            if self._followed is not None:
                self._state = State.unpacked(self._followed.get_state().numpy())
            try:
                yield self._state
            finally:
                self._store()

    def _store(self) -> None:
        if self._followed is not None:
            import torch

            self._followed.set_state(torch.from_numpy(self._state.pack()))

    def __reduce__(self) -> Any:
        if self._followed is not None:
            raise FaninTypeError("a Generator that follows a torch.Generator can't be pickled: pickle its get_state()")
        return _restored, (self.get_state().tobytes(),)

    def __repr__(self) -> str:
        return f"<fanin.compat.torch.Generator of seed {self.initial_seed()}>"


def _restored(data: bytes) -> Generator:
    generator = Generator()
    generator.set_state(data)
    return generator


@contextlib.contextmanager
def replay(seed: SupportsIndex) -> Iterator[Generator]:
    """Inside the block, functions that are given no `generator` draw torch's numbers, as after `torch.manual_seed`.

    Gives the one `Generator` that they all draw from. The block counts for the thread, or the task, that entered it.

    >>> import numpy as np
    >>> from fanin.compat.torch import normal_
    >>> with replay(0):
    ...     w = normal_(np.empty(2, "float32"))  # torch.manual_seed(0); torch.randn(2)
    >>> w
    array([ 1.5409961, -0.2934289], dtype=float32)
    """
    generator = Generator().manual_seed(seed)
    token = _default.set(generator)
    try:
        yield generator
    finally:
        _default.reset(token)


def replayed(generator: Any) -> Generator | None:
    """The `Generator` that a call draws from, if it draws torch's numbers."""
    if generator is None:
        return _default.get()
    return generator if isinstance(generator, Generator) else None
