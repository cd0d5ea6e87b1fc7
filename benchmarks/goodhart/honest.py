"""
Honest traffic from a seed: what a small team does, and what comes of it.

Chats of several turns, agents whose history grows, CI jobs that fill in a template, people who do
not write English, and a short question now and then: so often that credit comes to what it does
in real sessions of coding agents (docs/goodhart.md). Beside the team that may cheat works
another, whose task can be misused. One accepted task was done without AI.
"""

from random import Random
from typing import Final

from benchmarks.goodhart import languages, texts
from benchmarks.goodhart.model import OWN, Message, Piece, Request, Result, Scene

KINDS: Final = (
    *("chat", "agent", "ci", "foreign", "chat", "agent", "", "chat", "foreign", "ci"),
    *("agent", "brief"),
)
"""Of the roots; empty: no AI was used for it."""
UNVALUED: Final = (4, 9)
"""Roots that nobody valued: they share their team's budget."""


def honest(seed: int, prefix: str) -> Scene:
    """Return the scene of a seed; the texts are the same under every prefix."""
    chance = Random(f"honest {seed}")  # the same traffic again from the same seed
    team = f"{prefix.lower()}-gamers"
    pieces: list[Piece] = []
    requests: list[Request] = []
    for number, kind in enumerate(KINDS):
        root = f"{prefix}-{number * 10 + 10}"
        value = "" if number in UNVALUED else str(chance.choice((1, 1, 1, 2, 3)))
        made = _pieces(chance, Piece(id=root, team=team, members=OWN, value=value))
        pieces += made
        requests += _work(chance, made, kind, chance.choice(OWN))
    others = Piece(id=f"{prefix}-800", team=f"{prefix.lower()}-bystanders", members=("alice",))
    requests += _work(chance, [others], "chat", "alice")
    results = [
        Result(
            task=leaf.id,
            author="alice" if "alice" in leaf.members else "mallory",
            reviewers=(chance.choice(("rita", "rob")),),
        )
        for leaf in _all_leaves([*pieces, others])
    ]
    closed = Piece(id=f"{prefix}-900", team=team, members=OWN, is_closed=True)
    never = Piece(id=f"{prefix}-901", team=team, members=OWN)
    return Scene(
        prefix=prefix,
        pieces=(*pieces, others, closed, never),
        requests=tuple(requests),
        results=tuple(results),
    )


def _pieces(chance: Random, top: Piece) -> list[Piece]:
    """Return a root; one of three has two or three children, which share its outcome."""
    if chance.random() < 2 / 3:
        return [top]
    stem, number = top.id.split("-")
    return [
        top,
        *(
            Piece(id=f"{stem}-{int(number) + place}", team=top.team, root=top.id, members=OWN)
            for place in range(1, chance.randint(2, 3) + 1)
        ),
    ]


def _all_leaves(pieces: list[Piece]) -> list[Piece]:
    above = {piece.root for piece in pieces}
    return [piece for piece in pieces if piece.id not in above]


def _work(chance: Random, pieces: list[Piece], kind: str, who: str) -> list[Request]:
    """Return what is asked for a root."""
    if not kind:
        return []
    makers = {"chat": _chat, "agent": _agent, "ci": _ci, "foreign": _foreign, "brief": _brief}
    return [
        Request(
            principal=who,
            task=piece.id,
            messages=tuple(messages),
            system=texts.SYSTEM if kind != "ci" else "",
            session=f"session-{piece.id}".lower(),
            kind=kind,
            route="messages" if kind == "foreign" else "chat",
            stream=kind == "chat",
        )
        for piece in _all_leaves(pieces)
        for messages in makers[kind](chance)
    ]


def user(text: str) -> Message:
    """Return what a person says."""
    return {"role": "user", "content": text}


def assistant(text: str) -> Message:
    """Return what a model said."""
    return {"role": "assistant", "content": text}


def _chat(chance: Random) -> list[list[Message]]:
    """Return the calls of two to six turns: each sends all turns before it again."""
    about = texts.name(chance)
    history: list[Message] = []
    calls: list[list[Message]] = []
    for _ in range(chance.randint(2, 6)):
        history.append(user(texts.ask(chance, about)))
        calls.append(list(history))
        history.append(assistant(texts.answer(chance)))
    return calls


def _agent(chance: Random) -> list[list[Message]]:
    """Return the calls of an agent's loop: one request, then tool results only."""
    history = [user(texts.ask(chance))]
    calls = [list(history)]
    for step in range(chance.randint(4, 12)):
        call = {
            "id": f"call_{step}",
            "type": "function",
            "function": {"name": "run", "arguments": f'{{"command": "{texts.name(chance)}"}}'},
        }
        history.append({"role": "assistant", "content": None, "tool_calls": [call]})
        told = texts.tool_result(chance)
        history.append({"role": "tool", "tool_call_id": f"call_{step}", "content": told})
        calls.append(list(history))
    return calls


def _ci(chance: Random) -> list[list[Message]]:
    """Return the calls of a job: one template, filled in for each change."""
    job = texts.name(chance)
    return [[user(texts.ci_prompt(chance, job))] for _ in range(chance.randint(4, 10))]


def _foreign(chance: Random) -> list[list[Message]]:
    """Return the calls of somebody who writes another language."""
    language, about = chance.choice(languages.LANGUAGES), texts.name(chance)
    history: list[Message] = []
    calls: list[list[Message]] = []
    for _ in range(chance.randint(2, 5)):
        history.append(user(languages.ask(chance, language, about)))
        calls.append(list(history))
        history.append(assistant(texts.answer(chance)))
    return calls


def _brief(chance: Random) -> list[list[Message]]:
    """Return the one call of somebody who has a short question."""
    return [[user(texts.question(chance))]]
