"""
The people of `goodgate demo`, and the minute they have.

Four work on their tasks, one forgets to say on which, and one wants to lead the ranking:
the same prompt over and over, for no task, for somebody else's, for one that does not
exist, and at last for a task of her own. Every run is the same.
"""

import random
from collections.abc import Sequence

from msgspec import Struct

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"
CLIMBER = "mallory"

CATALOGUE = """\
tasks:
  - {id: PAY-101, title: Refunds fail for split payments, team: payments, members: [alice, bob],
     creator: dan, value: 3}
  - {id: PAY-102, title: Show fees before checkout, members: [alice], creator: dan, value: 1}
  - {id: SRCH-7, title: Search misses plurals, members: [carol, dan], creator: bob, value: 2}
  - {id: SRCH-8, title: Index takes a day, members: [carol], status: closed, closed_at: "%s"}
  - {id: OPS-3, title: Renew certificates by themselves, members: [erin], creator: bob, value: 1}
  - {id: GROW-1, title: Tidy up, members: [mallory], creator: mallory, value: 1}
"""

TEAMS = {
    "alice": "payments",
    "bob": "payments",
    "carol": "search",
    "dan": "search",
    "erin": "ops",
    CLIMBER: "growth",
}

_WORK = (
    "Why does {thing} fail when {case}?",
    "Write a test that shows {thing} for {case}.",
    "Read this trace and say where {thing} goes wrong: {case}.",
    "Make {thing} simpler without changing what it does for {case}.",
    "What would break if {thing} were called twice, and {case}?",
)
_THINGS = ("the refund job", "the fee table", "the stemmer", "the index writer", "the parser")
_CASES = (
    "the currency has no cents",
    "the list is empty",
    "two workers start at once",
    "the network is gone for a minute",
    "a name holds an umlaut",
    "the file is larger than memory",
)
_SILLY = "Write a very long essay about nothing in particular. " * 12


class Shot(Struct, frozen=True):
    """One call somebody makes."""

    person: str
    path: str
    task: str
    """What the X-Task-Id header says; empty for no header."""
    prompt: str
    tokens_max: int


def minute() -> list[Shot]:
    """Return everybody's calls, mixed as they would arrive."""
    chance = random.Random(7)  # noqa: S311  # a script, not a secret
    shots = [
        *_honest(chance, "alice", ("PAY-101", "PAY-102"), 60),
        *_honest(chance, "bob", ("PAY-101",), 45),
        *_honest(chance, "carol", ("SRCH-7",), 40),
        *_honest(chance, "carol", ("SRCH-8",), 12),
        *_honest(chance, "dan", ("SRCH-7",), 35),
        *_honest(chance, "erin", ("",), 6),
        *_honest(chance, "erin", ("OPS-3",), 25),
        *_silly("", 110),
        *_silly("PAY-101", 40),
        *(shot for n in range(20) for shot in _silly(f"GROW-{n + 2}", 1)),
        *_silly("GROW-1", 20),
    ]
    chance.shuffle(shots)
    return shots


def _honest(chance: random.Random, person: str, tasks: Sequence[str], calls: int) -> list[Shot]:
    return [
        Shot(
            person,
            chance.choice((CHAT, MESSAGES)),
            chance.choice(tasks),
            chance.choice(_WORK).format(thing=chance.choice(_THINGS), case=chance.choice(_CASES))
            + f" It is line {chance.randrange(1, 900)}.",
            chance.choice((40, 80, 120)),
        )
        for _ in range(calls)
    ]


def _silly(task: str, calls: int) -> list[Shot]:
    return [Shot(CLIMBER, CHAT, task, _SILLY, 200)] * calls
