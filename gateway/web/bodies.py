"""Bodies of requests that are no calls to a model: plain, whole, and no larger than they may be."""

import asyncio

from starlette.requests import ClientDisconnect, Request

from gateway.errors import BodyTooLarge, InvalidRequest, UnsupportedEncoding
from gateway.web.ingress import BODY_IDLE_S


async def read(request: Request, headers: dict[bytes, bytes], most: int) -> bytes:
    """
    Return the body of a request, at most `most` bytes.

    Raises:
        UnsupportedEncoding: it is compressed.
        BodyTooLarge: it is longer, or says that it will be.
        InvalidRequest: it never came whole.

    """
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise UnsupportedEncoding("the body is compressed: send it without Content-Encoding")
    too_large = BodyTooLarge(f"the body is larger than {most // 1024} KiB: send less")
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared[:20]) > most:
        raise too_large
    parts, size, stream = list[bytes](), 0, request.stream()
    while True:
        try:
            async with asyncio.timeout(BODY_IDLE_S):
                part = await anext(stream, None)
        except TimeoutError:
            raise InvalidRequest("the body stopped arriving: send the request again") from None
        except ClientDisconnect:
            raise InvalidRequest("the caller hung up before the body was complete") from None
        if part is None:
            return b"".join(parts)
        parts.append(part)
        size += len(part)
        if size > most:
            raise too_large
