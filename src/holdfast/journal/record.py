"""How one record lies in the file: `u32 length, u32 crc32, u64 sequence, u64 time, u8 kind, body`.

Little-endian. The length counts the body only; the checksum covers everything behind itself.
A file begins with `MAGIC`, whose last two bytes are the version.
"""

from __future__ import annotations

import struct
import zlib

from holdfast.model.json import JsonObject, Unfit, parse_mended
from holdfast.model.value import value

#: First bytes of every journal: name and version of the layout.
MAGIC = b"HFJRNL\x00\x01"
HEADER = struct.Struct("<IIQQB")
#: Of a header: length, sequence and kind, which lead to the next record.
HOP = struct.Struct("<I4xQ8xB")
_FRAME = struct.Struct("<II")
_REST = struct.Struct("<QQB")
#: No body is larger: documents above 16 KiB are blobs. More means the header is damaged.
MAX_BODY = 16 * 1024 * 1024


@value
class Record:
    """One entry of a journal. `time_us` is Unix time in microseconds."""

    sequence: int
    time_us: int
    kind: int
    body: bytes
    offset: int  # where it begins in the file
    end: int  # where the next one begins

    def json(self) -> JsonObject:
        """The body as JSON object, {} when it is none. Unfit when it cannot be read."""
        value = parse_mended(self.body) if self.body else {}
        return value if isinstance(value, dict) else {}

    def shown(self) -> JsonObject:
        """As `json`, for those who only tell of a run: what cannot be read says so itself."""
        try:
            return self.json()
        except Unfit as error:
            return {"unreadable": str(error)}


def encode(sequence: int, time_us: int, kind: int, body: bytes) -> bytes:
    """One record as it lies in the file."""
    rest = _REST.pack(sequence, time_us, kind) + body
    return _FRAME.pack(len(body), zlib.crc32(rest)) + rest


def decode(buffer: memoryview, position: int, offset: int, sequence: int) -> Record | None:
    """The record at `position` of the buffer (`offset` of the file), or None.

    None means: not complete yet, damaged, or not the record with this sequence number.
    """
    body_start = position + HEADER.size
    if body_start > len(buffer):
        return None
    length, crc, number, time_us, kind = HEADER.unpack_from(buffer, position)
    body_end = body_start + length
    if number != sequence or length > MAX_BODY or body_end > len(buffer):
        return None
    if zlib.crc32(buffer[position + _FRAME.size : body_end]) != crc:
        return None
    body = bytes(buffer[body_start:body_end])
    return Record(number, time_us, kind, body, offset, offset + HEADER.size + length)


def announced(buffer: memoryview, position: int) -> int:
    """Bytes the record at `position` says it needs, header included."""
    if position + 4 > len(buffer):
        return HEADER.size
    return HEADER.size + int(struct.unpack_from("<I", buffer, position)[0])
