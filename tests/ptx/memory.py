"""Global memory that checks each access: inside an array, aligned to its size, written once, read only where filled.

Addresses are those of a GPU in size, so that 32-bit address arithmetic shows, and arrays lie far apart. An array's
extent costs nothing: only what is stored is kept, which lets a test claim an array of 2**35 elements.
"""

import numpy as np

from .errors import PtxError

FIRST = 0x7F0A_0000_0000
APART = 1 << 40
UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


class Memory:
    def __init__(self):
        self._arrays = []  # (first address, address after the last, contents or None where it may be written)
        self._stores = []  # (addresses, values)

    def allocate(self, size, offset=0):
        """The address of `size` bytes to be written, `offset` beyond a multiple of 256."""
        return self._place(size, offset, None)

    def load_from(self, array):
        """The address of a copy of `array`, to be read."""
        contents = np.ascontiguousarray(array).view(np.uint8).ravel()
        return self._place(contents.size, 0, contents)

    def _place(self, size, offset, contents):
        start = FIRST + APART * len(self._arrays) + offset
        self._arrays.append((start, start + size, contents))
        return start

    def _check(self, addresses, width, what):
        """The array that all of the addresses lie in."""
        low, high = int(addresses.min()), int(addresses.max()) + width
        for start, stop, contents in self._arrays:
            if start <= low and high <= stop:
                return start, contents
        raise PtxError(f"{what} out of bounds: bytes {low:#x} to {high:#x} lie in no array")

    def _aligned(self, addresses, width, what):
        if (addresses % np.uint64(width)).any():
            raise PtxError(f"{what} of {width} bytes at a misaligned address")

    def store(self, addresses, values):
        """Write values[i] (a list of unsigned arrays, for a vector store) from each thread to its address."""
        width = values[0].itemsize
        self._aligned(addresses, width * len(values), "a store")
        _, contents = self._check(addresses, width * len(values), "a store")
        if contents is not None:
            raise PtxError("a store to an array that is only to be read")
        for i, value in enumerate(values):
            place = addresses + np.uint64(i * width)
            self._stores.append((place, np.broadcast_to(value, place.shape)))

    def load(self, addresses, width, count):
        """`count` unsigned arrays of that width, from neighbouring places."""
        self._aligned(addresses, width * count, "a load")
        start, contents = self._check(addresses, width * count, "a load")
        if contents is None:
            raise PtxError("a load from an array that nothing has filled")
        at = (addresses - np.uint64(start)).astype(np.int64)
        return [contents[(at + i * width)[:, None] + np.arange(width)].view(UNSIGNED[width])[:, 0]
                for i in range(count)]

    def written(self, itemsize):
        """(addresses, values) of all that was stored, in order, in items of that size; raises where two fell on one."""
        pieces = [(np.empty(0, np.uint64), np.empty(0, UNSIGNED[itemsize]))]
        for addresses, values in self._stores:
            if values.itemsize < itemsize:
                raise PtxError(f"an item of {itemsize} bytes stored by parts of {values.itemsize}")
            parts = values.itemsize // itemsize
            items = np.ascontiguousarray(values).view(UNSIGNED[itemsize])
            steps = np.arange(parts, dtype=np.uint64) * np.uint64(itemsize)
            pieces.append(((addresses[:, None] + steps).ravel(), items))
        addresses, values = (np.concatenate(column) for column in zip(*pieces))
        order = np.argsort(addresses)
        addresses, values = addresses[order], values[order]
        if (addresses[1:] == addresses[:-1]).any():
            raise PtxError("two stores to one element")
        return addresses, values
