"""
How many tokens a prompt may come to, judged from its bytes alone.

An upper estimate for reservations and for replies that report nothing, made without
looking at most of the bytes: text counts a token for three bytes, more where it is
not ASCII; a blob (an image, a document, a recording in base64) counts what such things
are billed at, not its length.
"""

import re
from typing import Final

BLOB_BYTES_MIN: Final = 8192
"""What is shorter counts as text: base64 of this size comes to 2,700 tokens."""
_STRIDE: Final = BLOB_BYTES_MIN // 2
_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_\\"
"""Both alphabets of RFC 4648, and the backslash some encoders put before `/`."""
_HEADER_BYTES_MAX: Final = 100
"""The longest `data:image/png;base64,` looked for before a blob."""

IMAGE_TOKENS: Final = 2000
"""About what one picture costs at high detail (OpenAI, Anthropic: their vision guides)."""
_PICTURES: Final = re.compile(rb'"type"\s*:\s*"(?:image_url|input_image|url)"')
_TOKEN_IDS: Final = re.compile(rb"\[\s*(?:\[\s*)?-?[0-9]")


def input_tokens(body_bytes: int, body_chars: int, content: bytes) -> int:
    """
    Return an upper estimate of a call's input tokens.

    `content` is the part of the body that may hold pictures or token ids: the messages,
    the input or the prompt.
    """
    if _TOKEN_IDS.match(content):
        return content.count(b",") + 1 + (body_bytes - len(content)) // 3
    blobs = _blobs(content) if len(content) >= BLOB_BYTES_MIN else []
    text = body_bytes - sum(blobs)
    tokens = text // 3 + (body_bytes - body_chars) // 2 + 1
    if b'url"' in content:
        tokens += IMAGE_TOKENS * len(_PICTURES.findall(content))
    return tokens + sum(min(blob // 3, IMAGE_TOKENS + blob // 100) for blob in blobs)


def _blobs(content: bytes) -> list[int]:
    """
    Return the sizes of the base64 strings in some JSON.

    Looks for a closing quote from every 4,096th byte or so: only a string that reaches
    over one is read, so that ordinary text costs nothing.
    """
    found: list[int] = []
    position = _STRIDE
    while (end := content.find(b'"', position)) >= 0:
        if end - position >= _STRIDE and not content[position:end].translate(None, _BASE64):
            start = content.rfind(b'"', 0, position) + 1
            comma = content.find(b",", start, start + _HEADER_BYTES_MAX)
            found.append(end - max(start, comma + 1))
        position = end + _STRIDE
    return found
