"""Compression of what is sent: none for small frames, in a thread for large ones.

Each message is compressed for itself (`client_no_context_takeover`, RFC 7692 7.1.1.2), so that a
large one can be compressed before its turn, off the event loop, while those of other runs go.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from websockets.extensions.base import Extension
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    PerMessageDeflate,
)
from websockets.frames import CTRL_OPCODES, Frame
from websockets.typing import ExtensionParameter

#: Below this a message is not compressed: it would cost more than it saves.
SMALL_BYTES = 1024
#: From this many characters a message is encoded and compressed in a thread.
LARGE = 64 * 1024
#: Little processor time, and nearly as small.
_LEVEL = 1
_SETTINGS = {"memLevel": 5, "level": _LEVEL}
_FLUSH_END = b"\x00\x00\xff\xff"


class Deflated(bytes):
    """An encoded message that carries its compressed form too."""

    deflated: bytes


class Deflate(PerMessageDeflate):
    """See the module."""

    def encode(self, frame: Frame) -> Frame:
        """The frame as it is sent."""
        data = frame.data
        if isinstance(data, Deflated):
            return Frame(frame.opcode, data.deflated, frame.fin, rsv1=True)
        if frame.opcode in CTRL_OPCODES or len(data) < SMALL_BYTES:
            return frame
        return super().encode(frame)

    def prepare(self, text: str) -> Deflated:
        """Encode and compress a message; to be called in a thread."""
        message = Deflated(text.encode())
        packer = zlib.compressobj(wbits=-self.local_max_window_bits, **self.compress_settings)
        data = packer.compress(message) + packer.flush(zlib.Z_SYNC_FLUSH)
        message.deflated = data.removesuffix(_FLUSH_END)
        return message


class DeflateFactory(ClientPerMessageDeflateFactory):
    """Offers the extension, and makes ours when the peer accepts it."""

    def __init__(self) -> None:
        super().__init__(client_no_context_takeover=True, compress_settings=_SETTINGS)

    def process_response_params(
        self, params: Sequence[ExtensionParameter], accepted_extensions: Sequence[Extension]
    ) -> Deflate:
        """What was agreed on."""
        agreed = super().process_response_params(params, accepted_extensions)
        return Deflate(
            agreed.remote_no_context_takeover,
            agreed.local_no_context_takeover,
            agreed.remote_max_window_bits,
            agreed.local_max_window_bits,
            agreed.compress_settings,
        )


def prepared(text: str, extensions: Sequence[Extension]) -> bytes:
    """A large message ready to be sent on a connection with these extensions."""
    for extension in extensions:
        if isinstance(extension, Deflate):
            return extension.prepare(text)
    return text.encode()
