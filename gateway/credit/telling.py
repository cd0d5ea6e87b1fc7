"""
From what a tracker told to the leaves that credit rests on.

What stands in the catalogue when the gateway learns of an event is what its leaf rests on: whose
task it is, who gains by it, who may take it. It is written down first with names, in the outbox,
and becomes a leaf with commitments in their place.
"""

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from decimal import ROUND_DOWN, Decimal
from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from gateway import ledger, tasks
from gateway.credit.acceptance import BOT, event_of
from gateway.credit.saturation import EXACT, PLACES
from gateway.values import Account, OutcomeEvent, Task, Telling

PEOPLE_MAX: Final = 512
WEIGHTS_BYTES_MAX: Final = 40_000
"""Of all ids and weights, so that a valuation fits into a leaf."""
URL_CHARS_MAX: Final = 500

_WEIGHT_BYTES: Final = 32
_SHOWN_URL: Final = re.compile(r"[!-~]{1,500}")


class Around(Struct, frozen=True, kw_only=True):
    """What has to be known around an event, as things stand now."""

    find: Callable[[str], Task | None]
    """The task with a canonical id."""
    under: Callable[[str], Sequence[Task]]
    """All tasks with a root, itself among them."""
    team: Callable[[str], frozenset[str]]
    """The principals of a team."""
    who: Callable[[Account | None], str]
    """The principal of a tracker's account; empty: nobody we know, or a bot."""
    accepted_for: Callable[[str], Iterable[str]]
    """The tasks a subject was accepted for before."""
    last_valuation: Callable[[str], tuple[int, str]]
    """The highest n told of a root, and its mark; (-1, "") for none."""


class _Outcome(Struct, frozen=True, kw_only=True):
    """The body of what is told of an event."""

    linked_by: Literal["tracker", "keyword", "branch", "trailer", "ambiguous", "nothing"]
    occurred_at_us: int
    evidence: str
    team: str = ""
    author: str = ""
    reviewers: tuple[str, ...] = ()
    creator: str = ""
    by_bot: bool = False
    beneficiaries: tuple[str, ...] = ()


class _Valuation(Struct, frozen=True, kw_only=True):
    """The body of what is told of a root's worth."""

    value: str
    valued_by: str
    by_bot: bool
    beneficiaries: tuple[str, ...]
    team: str
    team_size: int
    weights: tuple[ledger.Weight, ...]


def told(event: OutcomeEvent, *, tracker: str, around: Around, at_us: int) -> list[Telling]:
    """
    Return what the ledger is to be told of an event: its outcome, after its root's first worth.

    An event that is for no task, or for more than one, names nobody.
    """
    named = tasks.named(event, lambda task: around.find(task) is not None, around.accepted_for)
    task = around.find(named.task_id) if named.task_id else None
    plain = _Outcome(
        linked_by=named.linked_by,
        occurred_at_us=round(event.at * 1_000_000),
        evidence=_address(event.url),
    )
    body = plain if task is None else _with_people(plain, event, task, around)
    outcome = Telling(
        id=outcome_id(tracker, event.event_id),
        event=event.kind,
        tracker=tracker,
        subject=_subject(event),
        task_id=named.task_id,
        root_id=_root_id(task) if task is not None else "",
        at_us=at_us,
        body=msgspec.json.encode(body),
    )
    if task is None or not _is_acceptance(outcome):
        return [outcome]
    first = valued(outcome.root_id, around, at_us, is_first=True)
    return [outcome] if first is None else [first, outcome]


def valued(root_id: str, around: Around, at_us: int, *, is_first: bool = False) -> Telling | None:
    """
    Return what is to be told of a root's worth; None when that stands in the ledger.

    The first is told before an acceptance (`is_first`); after that, every change is.
    """
    last, mark = around.last_valuation(root_id)
    if (last < 0) != is_first:
        return None
    family = around.under(root_id)
    root = around.find(root_id) or (family[0] if family else None)
    if root is None:
        return None
    gaining = _gaining(family, around, first=(root.valued_by, root.creator))
    body = _Valuation(
        value="" if root.value is None else str(root.value),
        valued_by=root.valued_by,
        by_bot=root.by_bot,
        beneficiaries=gaining,
        team=root.team,
        team_size=len(around.team(root.team)) if root.team else 0,
        weights=weights(root_id, family) if is_first else (),
    )
    now = _mark(body)
    if now == mark:
        return None
    return Telling(
        id=f"{valuation_id(root_id)}:{last + 1}",
        event="valuation",
        tracker="",
        root_id=root_id,
        mark=now,
        at_us=at_us,
        body=msgspec.json.encode(body),
    )


def weights(root_id: str, family: Iterable[Task]) -> tuple[ledger.Weight, ...]:
    """
    Return how a root's worth is shared out over its leaves; by task.

    What nobody set is shared evenly, to the last of 12 places. Shares that were set and sum to
    something else stand as they are: then nobody can say what its tasks are worth, and it is
    unscored. So is a root with more tasks than fit into a leaf: it has no shares.
    """
    of = {task.id: task for task in family}
    parents = {task.parent_id for task in of.values()}
    leaves = sorted(task for task in of if task not in parents and task != root_id)
    if not leaves:
        return (ledger.Weight(root_id, "1"),)
    if sum(len(task) + _WEIGHT_BYTES for task in leaves) > WEIGHTS_BYTES_MAX:
        return ()
    given = {task: of[task].weight for task in leaves}
    rest = Decimal(1) - sum((each for each in given.values() if each is not None), Decimal(0))
    unset = [task for task, each in given.items() if each is None]
    shares = dict(zip(unset, _evenly(max(rest, Decimal(0)), len(unset)), strict=True))
    return tuple(
        ledger.Weight(task, f"{shares[task] if each is None else each:f}")
        for task, each in given.items()
    )


def leaf(
    telling: Telling,
    *,
    commitment: Callable[[str, int], str],
    policy: str,
    catalogue: str,
    stamp: tuple[str, int],
) -> ledger.Outcome | ledger.Valuation:
    """Return what is told as a leaf, with commitments of the month in which it was learnt."""
    replica, replica_seq = stamp

    def hidden(principal: str) -> str:
        """Return what stands for a person; nobody stays nobody."""
        return commitment(principal, telling.at_us) if principal else ""

    if telling.event == "valuation":
        worth = msgspec.json.decode(telling.body, type=_Valuation)
        return ledger.Valuation(
            at_us=telling.at_us,
            attempt_id=valuation_id(telling.root_id),
            beneficiaries=tuple(sorted(map(hidden, worth.beneficiaries))),
            by_bot=worth.by_bot,
            catalogue=catalogue,
            n=int(telling.id.rpartition(":")[2]),
            policy=policy,
            replica=replica,
            replica_seq=replica_seq,
            root_id=telling.root_id,
            team=worth.team,
            team_size=worth.team_size,
            value=worth.value,
            valued_by=hidden(worth.valued_by),
            weights=worth.weights,
        )
    outcome = msgspec.json.decode(telling.body, type=_Outcome)
    return ledger.Outcome(
        at_us=telling.at_us,
        attempt_id=telling.id,
        author=hidden(outcome.author),
        beneficiaries=tuple(sorted(map(hidden, outcome.beneficiaries))),
        catalogue=catalogue,
        creator=BOT if outcome.by_bot else hidden(outcome.creator),
        event=telling.event,
        evidence=outcome.evidence,
        linked_by=outcome.linked_by,
        occurred_at_us=outcome.occurred_at_us,
        policy=policy,
        replica=replica,
        replica_seq=replica_seq,
        reviewers=tuple(sorted(map(hidden, outcome.reviewers))),
        root_id=telling.root_id,
        subject=telling.subject,
        task_id=telling.task_id,
        team=outcome.team,
        tracker=telling.tracker,
    )


def outcome_id(tracker: str, event_id: str) -> str:
    """Return the id of an event: the same however often it is told."""
    return "out_" + _hash(tracker + "\0" + event_id)


def valuation_id(root_id: str) -> str:
    """Return the id that all valuations of a root share."""
    return f"val_{_hash(root_id)}"


def _subject(event: OutcomeEvent) -> str:
    """Return what was taken, or what is undone: a revert has a subject of its own."""
    return tasks.subject_of(event.reverts or event.subject)


def _with_people(plain: _Outcome, event: OutcomeEvent, task: Task, around: Around) -> _Outcome:
    root = around.find(_root_id(task)) or task
    author = around.who(event.author)
    if event.author is None and event.kind == "closed":
        author = _worker(task)
    reviewers = {around.who(each) for each in event.reviewers} - {""}
    allowed = root.reviewers | task.reviewers
    if allowed:
        reviewers &= allowed
    asked = sorted(reviewers)[:PEOPLE_MAX]
    family = {each.id: each for each in (*around.under(_root_id(task)), root, task)}
    return msgspec.structs.replace(
        plain,
        team=root.team or task.team,
        author=author,
        reviewers=tuple(asked),
        creator=task.creator,
        by_bot=task.by_bot,
        beneficiaries=_gaining(family.values(), around, first=(task.creator, author, *asked)),
    )


def _worker(task: Task) -> str:
    """Return who did what was closed without a pull request: its owner, or its one member."""
    if task.owner:
        return task.owner
    return next(iter(task.members)) if len(task.members) == 1 else ""


def _gaining(family: Iterable[Task], around: Around, *, first: Collection[str]) -> tuple[str, ...]:
    """Return who gains by a root: owners, members and teams; those who matter most are kept."""
    people: set[str] = set()
    for team in {task.team for task in family if task.team}:
        people |= around.team(team)
    for task in family:
        people |= task.members | {task.owner}
    people.discard("")
    return tuple(sorted(sorted(people, key=lambda each: (each not in first, each))[:PEOPLE_MAX]))


def _root_id(task: Task) -> str:
    return task.root_id or task.id


def _is_acceptance(telling: Telling) -> bool:
    plain = leaf(
        telling, commitment=lambda person, _: person, policy="", catalogue="", stamp=("", 0)
    )
    found = event_of(plain) if isinstance(plain, ledger.Outcome) else None
    return found is not None and found.kind == "accepted"


def _evenly(whole: Decimal, parts: int) -> list[Decimal]:
    """Return shares that sum to the whole exactly; the first are larger by the last place."""
    if not parts:
        return []
    each = (whole / parts).quantize(PLACES, ROUND_DOWN, EXACT)
    larger = int((whole - each * parts) / PLACES)
    left = whole - each * parts - larger * PLACES
    return [each + (PLACES if at < larger else 0) + (left if at == 0 else 0) for at in range(parts)]


def _mark(body: _Valuation) -> str:
    # A team grows and shrinks all the time, and shares are never told twice.
    stands = msgspec.structs.replace(body, team_size=0, weights=())
    return hashlib.sha256(msgspec.json.encode(stands)).hexdigest()[:32]


def _address(url: str) -> str:
    """Return where to look, without what may be a secret in it; empty when it is no address."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    shown = f"{parts.scheme}://{host}{port}{parts.path}"
    is_one = parts.scheme in {"http", "https"} and host and _SHOWN_URL.fullmatch(shown)
    return shown if is_one else ""


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
