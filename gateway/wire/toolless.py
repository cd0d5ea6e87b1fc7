"""
Whether a reply calls no tool, so that another call may be answered with it later.

A tool called twice acts twice. The rule kept: a reply that calls one is never taken for
one that does not; a reply that only mentions one may be. So the bytes are searched for the
names all formats give such calls, wherever they stand and in streams too; what cannot
be searched (compressed, or a name written with escapes) counts as calling one.
"""

import re
from typing import Final

_READABLE: Final = (b"{", b"data:", b"event:", b"id:", b"retry:", b":")
"""How JSON objects and streams of server-sent events begin."""

_HINTS: Final = (b"tool_", b"_call", b"mcp_", b"Call")
"""Every name below has one of these in it."""
_CALLED: Final = re.compile(
    rb"(?:tool_use|tool_result|mcp_[a-z_]+|_call|functionCall|toolCall"
    rb"|(?<!parallel_)(?<!max_)tool_calls)"
    rb'(?:>|"(?![ \t\r\n]*:[ \t\r\n]*(?:null|\[[ \t\r\n]*\])))'
)
"""
Kinds (`function_call`, `server_tool_use`, …), stop reasons, and names whose value is not empty.

`parallel_tool_calls` and `max_tool_calls` are settings that replies repeat.
"""
_ESCAPED: Final = re.compile(rb"\\u00(?:5[fF]|6[0-9a-fA-F]|7[0-9aA])")
"""A small letter or `_` that was escaped; no encoder does that by itself."""


def is_tool_free(body: bytes) -> bool:
    """Return whether a whole reply, plain or a stream, holds no call of a tool."""
    if not body.lstrip().startswith(_READABLE) or _ESCAPED.search(body):
        return False
    return not any(hint in body for hint in _HINTS) or _CALLED.search(body) is None
