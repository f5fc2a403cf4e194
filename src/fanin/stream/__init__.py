"""`fanin.stream`: streams, and the raw words behind a draw.

>>> import fanin
>>> stream = fanin.Stream(7)
>>> first = fanin.Normal()(3, seed=stream)
>>> stream.position
1
>>> fanin.stream.words(7, start=0, count=2).dtype
dtype('uint32')
"""

from .._namespace import listing as _listing
from .._seeding import STREAM_VERSION as STREAM_VERSION
from .._seeding import Key as Key
from .._seeding import Stream as Stream
from .._seeding import stream_id as stream_id
from ._words import words as words

__all__ = ["STREAM_VERSION", "Key", "Stream", "stream_id", "words"]

__dir__ = _listing(globals())
