"""
What a conversation's last turn is made of, read from its end.

Agents send the whole conversation with every call; whether the newest part is tool
results and nothing else is asked of the tail alone, and of no tail that cannot be.
A name spelled with escapes is taken for no tool result: the strict reading wins.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

_turns: Final = msgspec.json.Decoder(list[Raw])


class _Turn(Struct, gc=False):
    role: Any = None
    type: Any = None


class _Blocks(Struct, gc=False):
    content: list[_Turn]
    role: str


_turn: Final = msgspec.json.Decoder(_Turn)
_blocks: Final = msgspec.json.Decoder(_Blocks)


def chat(messages: bytes) -> bool:
    """Return whether only `tool` messages follow the last assistant message."""
    return _since_assistant(messages, b'"tool"') and _only(messages, _chat_turn, whole=False)


def anthropic(messages: bytes) -> bool:
    """Return whether only `tool_result` blocks follow the last assistant message."""
    return _since_assistant(messages, b'"tool_result"') and _only(
        messages, _anthropic_turn, whole=False
    )


def responses(items: bytes) -> bool:
    """
    Return whether only outputs of tools follow the model's last item.

    The model's items may be left with the provider (`previous_response_id`), so an input
    of nothing but outputs counts.
    """
    return b'_output"' in items and _only(items, _responses_item, whole=True)


def _since_assistant(messages: bytes, mark: bytes) -> bool:
    """Return whether a mark stands somewhere after the last assistant message begins."""
    start = messages.rfind(b'"assistant"')
    return start >= 0 and mark in messages[start:]


def _only(turns: bytes, kind: Callable[[Raw], bool | None], *, whole: bool) -> bool:
    """
    Return whether the turns at the end are all tool results, and there is one at least.

    `kind` says True for a tool result, None for the model's own turn, False for the rest.
    `whole` is the answer when the model's turn is never met.
    """
    results = 0
    try:
        for turn in reversed(_turns.decode(turns)):
            verdict = kind(turn)
            if verdict is None:
                return results > 0
            if not verdict:
                return False
            results += 1
    except (msgspec.DecodeError, RecursionError):
        return False
    return whole and results > 0


def _chat_turn(raw: Raw) -> bool | None:
    role = _turn.decode(raw).role
    return None if role == "assistant" else role == "tool"


def _anthropic_turn(raw: Raw) -> bool | None:
    if _turn.decode(raw).role == "assistant":
        return None
    blocks = _blocks.decode(raw).content
    return bool(blocks) and all(block.type == "tool_result" for block in blocks)


def _responses_item(raw: Raw) -> bool | None:
    item = _turn.decode(raw)
    kind = item.type if isinstance(item.type, str) else ""
    if item.role == "assistant" or kind == "reasoning" or kind.endswith("_call"):
        return None
    return kind.endswith("_output")
