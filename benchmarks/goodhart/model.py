"""The values of the benchmark: who works on what, what they send, and what came of it."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Struct

Route: TypeAlias = Literal["chat", "messages", "embeddings", "count_tokens", "batches"]
Message: TypeAlias = Mapping[str, Any]

OUTPUT_TOKENS: Final = 256
"""What an honest caller asks for at most."""
PEOPLE: Final[Mapping[str, str]] = {
    "mallory": "gamers",
    "mike": "gamers",
    "maria": "gamers",
    "alice": "bystanders",
}
"""Principal -> team, of those who make calls."""
OTHERS: Final = ("cfo", "pm", "rita", "rob")
"""Who value, create and review, and make no calls."""
OWN: Final = ("mallory", "mike", "maria")
MODEL: Final = "m0"
MODELS: Final = tuple(f"m{number}" for number in range(10))
KEYS: Final = 4
"""Of each principal."""


class Request(Struct, frozen=True, kw_only=True, dict=True):
    """One call as its sender makes it; `dict` is for what is worked out once."""

    principal: str
    task: str
    """As it stands in `X-Task-Id`; empty: the header is not sent."""
    messages: tuple[Message, ...]
    route: Route = "chat"
    system: str = ""
    session: str = ""
    model: str = MODEL
    parameters: Mapping[str, Any] = {}
    headers: Mapping[str, str] = {}
    """Beside the task's."""
    stream: bool = False
    hangs_up: bool = False
    """Whether its sender goes away as soon as the reply begins."""
    key: int = 0
    """Which of its principal's keys."""
    replica: int | None = None
    """Which gateway; None: either."""
    kind: str = ""
    """Of honest work: chat, agent, ci, foreign, brief; of an attack empty."""

    @cached_property
    def body(self) -> bytes:
        """The body as it is sent."""
        if self.route == "embeddings":
            texts = [text_of(message) for message in self.messages]
            return msgspec.json.encode({"model": self.model, "input": texts, **self.parameters})
        value: dict[str, Any] = {"model": self.model, "messages": list(self.messages)}
        if self.system and self.route == "chat":
            value["messages"].insert(0, {"role": "system", "content": self.system})
        elif self.system:
            value["system"] = self.system
        if self.route != "count_tokens":
            value["max_tokens"] = OUTPUT_TOKENS
        value |= self.parameters
        return msgspec.json.encode(value | ({"stream": True} if self.stream else {}))

    @cached_property
    def tokens(self) -> int:
        """What a dashboard counts: a quarter of the body's bytes, and all output it may get."""
        if self.route in {"embeddings", "count_tokens"}:
            return len(self.body) // 4
        most = int(self.parameters.get("max_tokens", OUTPUT_TOKENS))
        return len(self.body) // 4 + most * int(self.parameters.get("n", 1))


def text_of(message: Message) -> str:
    """Return the plain text of a message, whichever shape its content has."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    parts: list[str] = []
    for part in content:
        inner = part.get("text") or part.get("content") or ""
        parts.append(inner if isinstance(inner, str) else str(inner))
    return "\n".join(parts)


def delta(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return what came after the last assistant turn."""
    for place in range(len(messages) - 1, -1, -1):
        if messages[place].get("role") == "assistant" and place < len(messages) - 1:
            return messages[place + 1 :]
    return messages


class Piece(Struct, frozen=True, kw_only=True):
    """A task: a root, or a part of one."""

    id: str
    team: str
    root: str = ""
    """Empty: it is one itself."""
    members: tuple[str, ...] = ()
    creator: str = "pm"
    is_closed: bool = False
    value: str = "1"
    """Empty: nobody set one."""
    valued_by: str = "cfo"
    canary: bool = False

    @property
    def root_id(self) -> str:
        """Its root's id, which may be its own."""
        return self.root or self.id


class Result(Struct, frozen=True, kw_only=True):
    """What came of a task, as its tracker told it."""

    task: str
    author: str = "mallory"
    reviewers: tuple[str, ...] = ("rita",)
    event: Literal["merged", "closed", "accepted", "reverted", "reopened", "reversed"] = "merged"
    number: int = 0
    """Two with the same number are one event, told twice."""
    is_signed: bool = True
    """Whether the tracker's signature holds; else the gateway refuses it at the door."""


class Scene(Struct, frozen=True, kw_only=True):
    """Tasks, what is sent for them, and what came of them; all under one prefix."""

    prefix: str
    pieces: tuple[Piece, ...]
    requests: tuple[Request, ...]
    results: tuple[Result, ...]
    first: tuple[Request, ...] = ()
    """What is sent before all else."""

    @property
    def own(self) -> tuple[Request, ...]:
        """What the team that may cheat sends."""
        everything = (*self.first, *self.requests)
        return tuple(each for each in everything if each.principal in OWN)

    def roots(self, team: str) -> Iterator[str]:
        """Yield the roots of a team."""
        for piece in self.pieces:
            if not piece.root and piece.team == team:
                yield piece.id

    @property
    def gamers(self) -> str:
        """The team that may cheat; its roots are this scene's alone."""
        return f"{self.prefix.lower()}-gamers"

    @property
    def bystanders(self) -> str:
        """The team whose tasks can be misused."""
        return f"{self.prefix.lower()}-bystanders"
