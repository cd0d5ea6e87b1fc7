"""
A complete reply as bytes, for stores to keep, and back again.

The rule it keeps: what comes out is what went in, or nothing: bytes that are no whole reply
of this version of the format are as good as none.
"""

from collections.abc import AsyncIterator
from typing import Final

import msgspec
from msgspec import Struct

from gateway.values import Reply

STORED_BYTES_MAX: Final = 1024 * 1024
"""The largest body that is kept."""

_VERSION: Final = 1


class Stored(Struct, frozen=True, kw_only=True, array_like=True, forbid_unknown_fields=True):
    """A complete reply of status 200, and the call it was made for."""

    version: int
    request_id: str
    """Of the call that was sent to the provider."""
    stream: bool
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def reply(self) -> Reply:
        """Return it as its provider would send it again, all at once."""
        return Reply(
            status=200,
            headers=self.headers,
            chunks=_once(self.body),
            close=_nothing,
            stream=self.stream,
        )


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Stored)


def pack(
    request_id: str, *, stream: bool, headers: tuple[tuple[bytes, bytes], ...], body: bytes
) -> bytes:
    """Return a complete reply of status 200 as `ports.Quotas.keep` takes it."""
    return _encoder.encode(
        Stored(version=_VERSION, request_id=request_id, stream=stream, headers=headers, body=body)
    )


def unpack(kept: bytes) -> Stored | None:
    """Return what `pack` was given, or nothing when these bytes are not of its making."""
    try:
        stored = _decoder.decode(kept)
    except msgspec.MsgspecError:
        return None
    return stored if stored.version == _VERSION else None


async def _once(body: bytes) -> AsyncIterator[bytes]:
    if body:
        yield body


async def _nothing() -> None:
    """Do nothing: the reply is here already."""
