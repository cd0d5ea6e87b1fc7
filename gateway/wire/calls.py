"""
Requests read into calls.

The rule it keeps: only what the gateway decides by is read, and that is read strictly;
everything else in a body is the provider's business and is not even looked at.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from msgspec import Struct

from gateway.errors import InvalidRequest, TaskConflict
from gateway.values import Call, Inbound, Turn
from gateway.wire import fields, objects, size, turns
from gateway.wire.objects import Fields

_SAMPLING: Final = ("temperature", "top_p")


class _Grammar(Struct, frozen=True, kw_only=True):
    """Which fields one route has, as its provider's API reference lists them."""

    content: str
    """The field with the prompt."""
    instructions: tuple[str, ...] = ()
    """Fields with words of their own, which count when there is no prompt."""
    output_max: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    streams: bool = True
    turn: Callable[[bytes], Turn] = turns.messages
    anthropic: bool = False
    state: tuple[str, ...] = ()
    """Fields that name something the provider keeps, and changes with the call."""
    kept: tuple[str, ...] = ()
    """Fields that name the conversation so far, which the provider has."""


_GRAMMARS: Final[Mapping[str, _Grammar]] = {
    # https://platform.openai.com/docs/api-reference/chat/create
    "chat": _Grammar(
        content="messages",
        output_max=("max_completion_tokens", "max_tokens"),
        choices=("n",),
    ),
    # https://platform.openai.com/docs/api-reference/completions/create
    "completions": _Grammar(
        content="prompt",
        output_max=("max_tokens",),
        choices=("n", "best_of"),
        turn=turns.prompts,
    ),
    # https://platform.openai.com/docs/api-reference/responses/create
    "responses": _Grammar(
        instructions=("instructions", "prompt"),
        content="input",
        output_max=("max_output_tokens",),
        turn=turns.items,
        state=("conversation", "background"),
        kept=("conversation", "previous_response_id"),
    ),
    # https://platform.openai.com/docs/api-reference/embeddings/create
    "embeddings": _Grammar(content="input", streams=False, turn=turns.prompts),
    # https://platform.claude.com/docs/en/api/messages
    "messages": _Grammar(
        content="messages",
        output_max=("max_tokens",),
        anthropic=True,
        state=("container",),
    ),
    # https://platform.claude.com/docs/en/api/messages-count-tokens
    "count_tokens": _Grammar(content="messages", streams=False, anthropic=True),
}
_READ: Final = frozenset(
    name
    for grammar in _GRAMMARS.values()
    for name in (
        grammar.content,
        *grammar.output_max,
        *grammar.choices,
        *grammar.state,
        *grammar.kept,
        *_SAMPLING,
    )
) | {"model", "stream", "stream_options", "metadata", "task", "system"}

_BRANCH_MARK: Final = b"Current branch: "
_BRANCH: Final = re.compile(rb'[^\s"\\\x00-\x1f]{1,200}')
_SESSION: Final = re.compile(r"[A-Za-z0-9_-]{8,128}")
_SESSION_MARK: Final = "_session_"


class _UserId(Struct):
    """Claude Code's `metadata.user_id`, which is JSON inside a string."""

    session_id: str = ""


_user_id: Final = msgspec.json.Decoder(_UserId)


def parse(inbound: Inbound) -> Call:
    """
    Return the call a request makes.

    Raises:
        InvalidRequest: the body is no call this route understands; the text says why.
        TaskConflict: the body names two different tasks.

    """
    body = inbound.body
    if not body:
        raise InvalidRequest("The body is empty: send one JSON object.")
    grammar = _GRAMMARS[inbound.route.name]
    chars = objects.check_text(body)
    found = objects.read(body)
    objects.refuse_lookalikes(found, _READ)
    metadata = fields.nested(found, "metadata")
    content = bytes(found.get(grammar.content, b""))
    stream = fields.flag(found, "stream") and grammar.streams
    return Call(
        inbound=inbound,
        model=fields.model(found),
        stream=stream,
        include_usage=_include_usage(found),
        output_tokens_max=_largest(found, grammar.output_max, least=0, most=fields.COUNT_MAX),
        choices=_choices(found, grammar, content),
        body_task=_task(found, metadata),
        session_hint=_session(metadata) if grammar.anthropic and metadata else "",
        branch_hint=_branch(found) if grammar.anthropic else "",
        input_tokens_estimate=size.input_tokens(len(body), chars, content),
        turn=_turn(found, grammar, content),
        variety=_variety(found, grammar),
        stateful=_stateful(found, grammar),
    )


def limits(route: str) -> tuple[str, ...]:
    """Return the fields in which calls of a route say how long an answer may be, newest first."""
    return _GRAMMARS[route].output_max


def _include_usage(found: Fields) -> bool:
    options = fields.nested(found, "stream_options")
    return fields.flag(options, "include_usage", "stream_options.include_usage")


def _largest(found: Fields, names: tuple[str, ...], *, least: int, most: int) -> int | None:
    """Return the largest of some counts: which one a provider obeys is its own business."""
    largest: int | None = None
    for name in names:
        value = fields.count(found, name, least, most)
        if value is not None and (largest is None or value > largest):
            largest = value
    return largest


def _choices(found: Fields, grammar: _Grammar, content: bytes) -> int:
    """Return how many answers are generated; a completions call may carry many prompts."""
    if not grammar.choices:
        return 1
    choices = _largest(found, grammar.choices, least=1, most=fields.CHOICES_MAX) or 1
    if grammar.content == "prompt" and content.startswith(b"["):
        prompts = objects.read_list(content, "`prompt`")
        if prompts and bytes(prompts[0])[:1] in (b'"', b"["):
            return choices * len(prompts)
    return choices


def _turn(found: Fields, grammar: _Grammar, content: bytes) -> Turn:
    if any(fields.given(found, name) for name in grammar.kept):
        turn = turns.continued(content)
    else:
        turn = grammar.turn(content)
    if turn.texts or turn.results or turn.attachments:
        return turn
    # Nobody speaks but the instructions: then they are what is asked, or it would be nothing.
    if b'"system"' in content or b'"developer"' in content:
        return Turn(texts=(content.decode(),))
    written = [bytes(found[name]).decode() for name in grammar.instructions if name in found]
    return Turn(texts=tuple(written), before=turn.before)


def _variety(found: Fields, grammar: _Grammar) -> bool:
    """Return whether answers are meant to differ from one call to the next, or in one."""
    if any(fields.positive(found, name) for name in _SAMPLING):
        return True
    return (_largest(found, grammar.choices, least=1, most=fields.CHOICES_MAX) or 1) > 1


def _stateful(found: Fields, grammar: _Grammar) -> bool:
    """Return whether the call changes something at its provider, but for what it answers."""
    return any(
        fields.flag(found, name) if name == "background" else fields.given(found, name)
        for name in grammar.state
    )


def _task(found: Fields, metadata: Fields) -> str:
    """Return the task the body names, as written."""
    inner = fields.text(metadata, "task_id", "metadata.task_id")
    outer = fields.text(found, "task")
    if inner and outer and inner.strip().upper() != outer.strip().upper():
        raise TaskConflict("`task` and `metadata.task_id` name different tasks: send one of them.")
    return inner or outer


def _session(metadata: Fields) -> str:
    """Return the session id in Anthropic's `metadata.user_id`, in either of its spellings."""
    try:
        user = fields.text(metadata, "user_id")
        if user.startswith("{"):
            session = _user_id.decode(user).session_id
        else:
            session = user.rpartition(_SESSION_MARK)[2] if _SESSION_MARK in user else ""
    except (InvalidRequest, msgspec.DecodeError, RecursionError):
        # An opaque id of somebody else's making: theirs to refuse.
        return ""
    return session if _SESSION.fullmatch(session) else ""


def _branch(found: Fields) -> str:
    """Return the branch a coding agent wrote into its system prompt."""
    system = bytes(found.get("system", b""))
    place = system.find(_BRANCH_MARK)
    if place < 0:
        return ""
    match = _BRANCH.match(system, place + len(_BRANCH_MARK))
    return match[0].decode(errors="replace") if match else ""
