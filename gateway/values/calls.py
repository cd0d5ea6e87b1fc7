"""What arrives: a request, and the call it makes."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

WireFormat: TypeAlias = Literal["openai", "anthropic"]
"""Which language the caller speaks: the shape of requests, replies and errors."""


class Route(Struct, frozen=True, kw_only=True):
    """One path callers use, and what the gateway knows about it."""

    name: str
    """Short and stable, as policies and the ledger name it: `chat`, `messages`, …"""
    path: str
    """As callers write it, without prefixes: `/v1/chat/completions`."""
    wire_format: WireFormat
    upstream_path: str
    """What is appended to a provider's `base_url`: `/chat/completions`."""
    metered: bool = True
    """Whether a call here costs tokens."""


class Inbound(Struct, frozen=True, kw_only=True):
    """One HTTP request to a model route as it arrived: nothing parsed, nothing trusted."""

    route: Route
    path_task: str
    """The `{task}` of `/t/{task}/…`, percent-decoded; empty when the path names none."""
    query: bytes
    headers: Mapping[bytes, bytes]
    """Names in lower case. A name sent twice is joined by `\\n` (a byte no header can carry)."""
    body: bytes


class Turn(Struct, frozen=True, kw_only=True):
    """What a call says since the model last spoke, as it stands in the body."""

    texts: tuple[str, ...] = ()
    """The caller's own words, in order; client boilerplate still among them."""
    results: tuple[str, ...] = ()
    """What tools answered, in order."""
    attachments: tuple[bytes, ...] = ()
    """SHA-256 of each image, document, sound or file: of its content, or of the name it goes by."""
    before: str = ""
    """The end of the turn before it, for a turn that says little by itself."""


class Call(Struct, frozen=True, kw_only=True):
    """One call to a model, whichever wire format it arrived in."""

    inbound: Inbound
    model: str
    stream: bool
    include_usage: bool
    """Whether the caller itself asked for the usage chunk of a stream."""
    output_tokens_max: int | None
    """What the caller set as the most tokens to answer with; None when it set nothing."""
    choices: int
    """How many answers were asked for (`n`), at least 1."""
    body_task: str
    """`metadata.task_id` or `task` of the body, as written; empty when there is none."""
    session_hint: str
    """A session id found in the body (Anthropic's `metadata.user_id`); empty when none."""
    branch_hint: str
    """A branch name found in the prompt's environment block; empty when none."""
    input_tokens_estimate: int
    """An upper estimate of the input, made from its size, for reservations."""
    turn: Turn = Turn()
    """What was said since the last assistant turn: all that likeness looks at."""
    variety: bool = False
    """Whether answers are meant to differ: `temperature` or `top_p` above 0 given, or n > 1."""
    stateful: bool = False
    """Whether the call changes something at its provider: two of them are not one."""
