"""The JSON of a safetensors header, or of a JSON file: bytes in, a table out.

Of a safetensors file only the header is read, so a header without its data is as good as the whole file.
"""

from __future__ import annotations

from typing import Any, BinaryIO

from ..._errors import FaninError, FaninTypeError, FaninValueError
from ..._json import parse_json
from .._format import MAX_HEADER


def load(path: str) -> tuple[dict[str, Any], bool]:
    """(table, binary): the JSON of a safetensors file's header, or of a JSON file, and which of the two it is."""
    try:
        with open(path, "rb") as file:
            start = file.read(8)
            # A JSON text holds no NUL, and the length of no header that the official reader takes fills all eight
            # bytes.
            binary = b"\0" in start
            text = _header_text(start, file) if binary else _json_text(start, file)
        table = parse_json(text, "its header" if binary else "it has no safetensors header, and it")
        if not isinstance(table, dict):
            raise FaninTypeError(f"must be a table of names (got a JSON {type(table).__name__})")
    except FaninError as error:
        raise type(error)(f"{path}: {error}") from None
    return table, binary


def _header_text(start: bytes, file: BinaryIO) -> bytes:
    length = int.from_bytes(start, "little")
    if len(start) < 8:
        raise FaninValueError(f"a safetensors file must begin with 8 bytes of length (it has {len(start)})")
    if length > MAX_HEADER:
        raise FaninValueError(f"a safetensors header must have at most {MAX_HEADER} bytes (its length field says "
                              f"{length}); it may not be a safetensors file")
    text = file.read(length)
    if len(text) < length:
        raise FaninValueError(f"the safetensors header is cut off: it must have {length} bytes ({len(text)} are there)")
    return text


def _json_text(start: bytes, file: BinaryIO) -> bytes:
    text = start + file.read(MAX_HEADER + 1)
    if text.startswith(b"version https://git-lfs"):
        raise FaninValueError("must be the file itself (got Git LFS's pointer to it): fetch it with git lfs pull")
    if len(text) > MAX_HEADER:
        raise FaninValueError(f"a JSON table must have at most {MAX_HEADER} bytes; this is neither one nor a "
                              "safetensors file")
    return text
